//! Who did what to whose data; append-only, hash-chained (SEC-35, SEC-37).

use crate::ids::{AccountId, AuditEntryId};
use sea_orm::entity::prelude::*;

/// Who did what to whose data; append-only, hash-chained (SEC-35, SEC-37).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entry")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditEntryId,
    /// Seq.
    #[sea_orm(unique)]
    pub seq: i64,
    /// At.
    pub at: DateTimeUtc,
    /// Actor id.
    pub actor_id: Option<AccountId>,
    /// Actor kind.
    pub actor_kind: String,
    /// Action.
    pub action: String,
    /// `booking:<id>` …
    pub object: String,
    /// Whose data it was.
    pub subject_id: Option<AccountId>,
    /// No personal data.
    #[sea_orm(column_type = "JsonBinary")]
    pub detail: Json,
    /// Request id.
    pub request_id: String,
    /// Prev hash.
    pub prev_hash: String,
    /// Hash.
    #[sea_orm(unique)]
    pub hash: String,
    /// The call whose outcome this entry tells; none for every other entry.
    #[sea_orm(unique)]
    pub call_id: Option<AuditEntryId>,
}

impl ActiveModelBehavior for ActiveModel {}
