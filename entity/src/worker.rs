//! A housekeeping worker as staff recorded him; bound to an account by phone.

use crate::ids::{AccountId, WorkerId};
use crate::values::{BlindIndex, Sealed};
use sea_orm::entity::prelude::*;

/// A housekeeping worker as staff recorded him; bound to an account by phone.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "worker")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WorkerId,
    /// Null until the worker's first login with his phone.
    #[sea_orm(unique)]
    pub account_id: Option<AccountId>,
    /// Name.
    pub name: Sealed,
    /// Phone.
    pub phone: Sealed,
    /// Phone index.
    #[sea_orm(unique)]
    pub phone_index: BlindIndex,
    /// List of skill slugs.
    #[sea_orm(column_type = "JsonBinary")]
    pub skills: Json,
    /// List of area names.
    #[sea_orm(column_type = "JsonBinary")]
    pub areas: Json,
    /// Active.
    pub active: bool,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
