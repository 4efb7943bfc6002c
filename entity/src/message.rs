//! A message sent or to be sent to a customer through a channel.

use crate::ids::{AccountId, MessageId};
use sea_orm::entity::prelude::*;

/// A message sent or to be sent to a customer through a channel.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MessageId,
    /// Account id.
    pub account_id: AccountId,
    /// wechat_subscribe, in_app.
    pub channel: String,
    /// Template.
    pub template: String,
    /// Subject id.
    pub subject_id: Uuid,
    /// sent, refused, failed.
    pub status: String,
    /// Detail.
    pub detail: String,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
