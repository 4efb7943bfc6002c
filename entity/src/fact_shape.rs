//! Names of facts that are recorded together, kept once for all evaluations that have them.

use sea_orm::entity::prelude::*;

/// Names of facts that are recorded together, kept once for all evaluations that have them.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "fact_shape")]
pub struct Model {
    /// The first eight bytes of the names' SHA-256.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// The names, sorted.
    #[sea_orm(column_type = "JsonBinary")]
    pub names: Json,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
