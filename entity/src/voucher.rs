//! A price benefit or coupon as the till knows it.

use crate::ids::{AccountId, BookingId, VoucherId};
use crate::values::{Fen, VoucherStatus};
use sea_orm::entity::prelude::*;

/// A price benefit or coupon as the till knows it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "voucher")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: VoucherId,
    /// Whose.
    pub account_id: AccountId,
    /// What it comes from: a reward's id.
    #[sea_orm(unique)]
    pub source_id: Uuid,
    /// How it stands on the bill.
    pub label: String,
    /// What it takes off at most.
    pub value_fen: Fen,
    /// Status.
    pub status: VoucherStatus,
    /// The booking that holds or has used it; written before that booking's own row.
    pub booking_id: Option<BookingId>,
    /// Until when it can be taken.
    pub expires_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
