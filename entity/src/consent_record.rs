//! Append-only, hash-chained ledger of consent acts (CR-01…CR-26, CR-30).

use crate::ids::{AccountId, ConsentRecordId};
use crate::values::ConsentState;
use sea_orm::entity::prelude::*;

/// Append-only, hash-chained ledger of consent acts (CR-01…CR-26, CR-30).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "consent_record")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ConsentRecordId,
    /// Position in the chain, from 1.
    #[sea_orm(unique)]
    pub seq: i64,
    /// Subject id.
    pub subject_id: AccountId,
    /// Purpose.
    pub purpose: String,
    /// State.
    pub state: ConsentState,
    /// `booking_id=<id>` or empty.
    pub scope_key: String,
    /// Channel.
    pub channel: String,
    /// Notice sha256.
    pub notice_sha256: String,
    /// Decided at.
    pub decided_at: DateTimeUtc,
    /// Expires at.
    pub expires_at: Option<DateTimeUtc>,
    /// All receipt fields in CR order; what the hash covers.
    #[sea_orm(column_type = "JsonBinary")]
    pub body: Json,
    /// Prev hash.
    pub prev_hash: String,
    /// Hash.
    #[sea_orm(unique)]
    pub hash: String,
    /// Key that signs receipts of this record.
    pub key_id: String,
}

impl ActiveModelBehavior for ActiveModel {}
