//! Append-only double-entry ledger; the entries of one posting sum to zero.

use crate::ids::{BookingId, LedgerEntryId};
use crate::values::Fen;
use sea_orm::entity::prelude::*;

/// Append-only double-entry ledger; the entries of one posting sum to zero.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_entry")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LedgerEntryId,
    /// Groups the entries of one movement.
    pub posting_id: Uuid,
    /// `wechat_pay`, `prepayment:<booking>`, `revenue` …
    pub account: String,
    /// Signed: positive is debit.
    pub amount_fen: Fen,
    /// `payment:<id>`, `refund:<id>`, `completion:<id>`.
    pub cause: String,
    /// Booking id.
    pub booking_id: Option<BookingId>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
