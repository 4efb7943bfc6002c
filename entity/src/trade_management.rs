//! Whether WeChat manages the trades of a mini-program, as it said last.

use sea_orm::entity::prelude::*;

/// Whether WeChat manages the trades of a mini-program, as it said last.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "trade_management")]
pub struct Model {
    /// Mini-program.
    #[sea_orm(primary_key, auto_increment = false)]
    pub appid: String,
    /// Whether fulfilment must be reported.
    pub managed: bool,
    /// When WeChat said so.
    pub asked_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
