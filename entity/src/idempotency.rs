//! The first answer to a request with a key, written with its effect.

use crate::ids::AccountId;
use sea_orm::entity::prelude::*;

/// The first answer to a request with a key, written with its effect.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency")]
pub struct Model {
    /// Account id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// Method and path.
    pub route: String,
    /// SHA-256 of route and body.
    pub request_hash: String,
    /// Null while the first request is running.
    pub status: Option<i32>,
    /// Response.
    #[sea_orm(column_type = "JsonBinary")]
    pub response: Option<Json>,
    /// Locked until.
    pub locked_until: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
