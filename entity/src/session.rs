//! One login and all tokens that descend from it.

use crate::ids::{AccountId, SessionId};
use sea_orm::entity::prelude::*;

/// One login and all tokens that descend from it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    /// Account id.
    pub account_id: AccountId,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// Absolute end, whatever is refreshed (SEC-08).
    pub expires_at: DateTimeUtc,
    /// Logout, reuse of an old refresh token, or a staff decision.
    pub revoked_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
