//! Where each purpose of each person stands now: the row that grants lock.

use crate::ids::{AccountId, ConsentRecordId};
use crate::values::ConsentState;
use sea_orm::entity::prelude::*;

/// Where each purpose of each person stands now: the row that grants lock.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "consent_state")]
pub struct Model {
    /// Subject id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject_id: AccountId,
    /// Purpose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub purpose: String,
    /// Scope key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope_key: String,
    /// State.
    pub state: ConsentState,
    /// Record id.
    pub record_id: ConsentRecordId,
    /// Records that together make the grant, by channel.
    #[sea_orm(column_type = "JsonBinary")]
    pub acts: Json,
    /// Notice sha256.
    pub notice_sha256: String,
    /// Expires at.
    pub expires_at: Option<DateTimeUtc>,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
