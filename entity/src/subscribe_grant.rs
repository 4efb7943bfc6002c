//! How many one-time messages of a template a customer has ticked (WX-09: one accept, one message).

use crate::ids::AccountId;
use sea_orm::entity::prelude::*;

/// How many one-time messages of a template a customer has ticked (WX-09: one accept, one message).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "subscribe_grant")]
pub struct Model {
    /// Account id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Template.
    #[sea_orm(primary_key, auto_increment = false)]
    pub template: String,
    /// Granted.
    pub granted: i32,
    /// Used.
    pub used: i32,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
