//! A member of staff: login name, password and roles.

use crate::ids::AccountId;
use sea_orm::entity::prelude::*;

/// A member of staff: login name, password and roles.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "staff")]
pub struct Model {
    /// Account id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Username.
    #[sea_orm(unique)]
    pub username: String,
    /// Argon2id in PHC form (SEC-27).
    pub password_hash: String,
    /// List of `StaffRole`.
    #[sea_orm(column_type = "JsonBinary")]
    pub roles: Json,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
