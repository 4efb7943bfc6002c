//! `event_source`: third parties that may tell the house something.

use crate::ids::{AccountId, EventSourceId};
use sea_orm::entity::prelude::*;

/// A third party with a key of its own. The key itself is nowhere.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event_source")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EventSourceId,
    /// Who it is.
    pub name: String,
    /// Short name.
    #[sea_orm(unique)]
    pub slug: String,
    /// SHA-256 of its key.
    #[sea_orm(unique)]
    pub key_hash: String,
    /// The kinds it may send.
    #[sea_orm(column_type = "JsonBinary")]
    pub kinds: Json,
    /// Where its data come from (REF-L40).
    #[sea_orm(column_type = "Text")]
    pub provenance: String,
    /// The contract it sends under (PIPL 21, 23).
    pub contract_id: String,
    /// How its customers authorise it.
    #[sea_orm(column_type = "Text")]
    pub authorisation: String,
    /// Who registered it.
    pub created_by: AccountId,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When its key was last changed.
    pub rotated_at: Option<DateTimeUtc>,
    /// Since when it is heard no more.
    pub revoked_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
