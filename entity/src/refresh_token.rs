//! A refresh token, single use; only its SHA-256 is kept.

use crate::ids::{RefreshTokenId, SessionId};
use sea_orm::entity::prelude::*;

/// A refresh token, single use; only its SHA-256 is kept.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refresh_token")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RefreshTokenId,
    /// Session id.
    pub session_id: SessionId,
    /// SHA-256, hex.
    #[sea_orm(unique)]
    pub token_hash: String,
    /// Set when rotated; presenting it again ends the session (SEC-08).
    pub used_at: Option<DateTimeUtc>,
    /// Expires at.
    pub expires_at: DateTimeUtc,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
