//! What a customer last said about a template, and who told it: the client, or WeChat (WX-10).

use crate::ids::AccountId;
use sea_orm::entity::prelude::*;

/// What a customer last said about a template, and who told it: the client, or WeChat (WX-10).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "subscribe_answer")]
pub struct Model {
    /// Account id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Template.
    #[sea_orm(primary_key, auto_increment = false)]
    pub template: String,
    /// client: a hint; wechat: the truth.
    #[sea_orm(primary_key, auto_increment = false)]
    pub source: String,
    /// accept, reject, ban.
    pub result: String,
    /// When it was told.
    pub answered_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
