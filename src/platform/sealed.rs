//! The sealed column: the only way between plain text and what the tables of people hold.

use super::vault::{Place, Vault};
use crate::kernel::{AppError, Result};
use entity::values::{BlindIndex, Sealed};
use uuid::Uuid;

/// Seals `plain` for one column of one row (SEC-23). The envelope opens nowhere else.
///
/// # Errors
/// `internal` when the cipher fails.
pub fn seal(vault: &Vault, column: Column, row: impl Into<Uuid>, plain: &str) -> Result<Sealed> {
    let envelope = vault.seal(column.place(row.into()), plain)?;
    Sealed::from_envelope(envelope).ok_or_else(|| AppError::internal("the vault made no envelope"))
}

/// Opens a sealed column.
///
/// # Errors
/// `internal` when the envelope was moved, cut or sealed with an unknown key.
pub fn unseal(
    vault: &Vault,
    column: Column,
    row: impl Into<Uuid>,
    sealed: &Sealed,
) -> Result<String> {
    vault.unseal(column.place(row.into()), sealed.envelope())
}

/// The blind index of a phone number that was normalised before (SEC-25).
pub fn phone_index(vault: &Vault, phone: &str) -> BlindIndex {
    BlindIndex(vault.blind_index("phone", phone))
}

/// Every sealed column of the schema: what the crypto inventory lists (SEC-26).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// `account.name`
    AccountName,
    /// `account.phone`
    AccountPhone,
    /// `wechat_identity.session_key`
    SessionKey,
    /// `worker.name`
    WorkerName,
    /// `worker.phone`
    WorkerPhone,
    /// `booking.address`
    BookingAddress,
    /// `booking.contact_phone`
    BookingPhone,
    /// `idempotency.response`: an answer may name a worker.
    IdempotencyResponse,
}

impl Column {
    fn place(self, row: Uuid) -> Place {
        let (table, column) = match self {
            Self::AccountName => ("account", "name"),
            Self::AccountPhone => ("account", "phone"),
            Self::SessionKey => ("wechat_identity", "session_key"),
            Self::WorkerName => ("worker", "name"),
            Self::WorkerPhone => ("worker", "phone"),
            Self::BookingAddress => ("booking", "address"),
            Self::BookingPhone => ("booking", "contact_phone"),
            Self::IdempotencyResponse => ("idempotency", "response"),
        };
        Place { table, column, row }
    }
}
