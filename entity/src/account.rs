//! A person or member of staff who can log in. One row per account, whatever its kind.

use crate::ids::AccountId;
use crate::values::{AccountKind, BlindIndex, Sealed};
use sea_orm::entity::prelude::*;

/// A person or member of staff who can log in. One row per account, whatever its kind.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccountId,
    /// Customer, worker or staff; a worker's first login turns his account from customer to worker.
    pub kind: AccountKind,
    /// Display name, sealed (SEC-23).
    pub name: Sealed,
    /// Phone number, sealed; null until bound.
    pub phone: Option<Sealed>,
    /// Keyed blind index of the phone for look-up (SEC-25).
    pub phone_index: Option<BlindIndex>,
    /// Set when staff closed the account.
    pub disabled_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
