//! A row per customer or rule whose lock puts cap decisions in order.

use sea_orm::entity::prelude::*;

/// A row per customer or rule whose lock puts cap decisions in order.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "cap_lock")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// Of a rule's counter: what it did so far, at most, as JSON; null when it has to be counted.
    #[sea_orm(column_type = "Text", nullable)]
    pub bounds: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
