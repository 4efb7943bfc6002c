//! The exact text shown before a consent, kept as long as the records that cite it (RET-01).

use sea_orm::entity::prelude::*;

/// The exact text shown before a consent, kept as long as the records that cite it (RET-01).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notice")]
pub struct Model {
    /// SHA-256 of the canonical body, hex.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sha256: String,
    /// Purpose.
    pub purpose: String,
    /// Version.
    pub version: String,
    /// Language.
    pub language: String,
    /// Title.
    pub title: String,
    /// The whole notice, canonical JSON.
    #[sea_orm(column_type = "JsonBinary")]
    pub body: Json,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
