//! A message of WeChat's push that was verified and counted; names nobody.

use crate::ids::PushMessageId;
use sea_orm::entity::prelude::*;

/// A message of WeChat's push that was verified and counted; names nobody.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "push_message")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PushMessageId,
    /// Hash of what tells messages apart.
    #[sea_orm(unique)]
    pub dedupe_key: String,
    /// `wxa_punish_event` …; empty for what a person wrote.
    pub event: String,
    /// none, log, act: where it stands in the staff's list.
    pub attention: String,
    /// What staff need to know; no personal data.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub detail: Option<Json>,
    /// When somebody of the staff had seen to it.
    pub acknowledged_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
