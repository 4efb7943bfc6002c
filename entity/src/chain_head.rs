//! The tip of a hash chain; its row lock puts appends in order.

use sea_orm::entity::prelude::*;

/// The tip of a hash chain; its row lock puts appends in order.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "chain_head")]
pub struct Model {
    /// Name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// Seq.
    pub seq: i64,
    /// Hash.
    pub hash: String,
}

impl ActiveModelBehavior for ActiveModel {}
