//! One prepayment order at WeChat Pay.

use crate::ids::{AccountId, BookingId, PaymentId};
use crate::values::{Fen, PaymentStatus};
use sea_orm::entity::prelude::*;

/// One prepayment order at WeChat Pay.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PaymentId,
    /// Booking id.
    pub booking_id: BookingId,
    /// Customer id.
    pub customer_id: AccountId,
    /// Amount fen.
    pub amount_fen: Fen,
    /// Status.
    pub status: PaymentStatus,
    /// Our number at WeChat Pay, 32 characters.
    #[sea_orm(unique)]
    pub out_trade_no: String,
    /// WeChat's number once paid.
    #[sea_orm(unique)]
    pub transaction_id: Option<String>,
    /// Prepay id.
    pub prepay_id: Option<String>,
    /// Idempotency key of the request that made it: a take-over finds the same order.
    pub request_key: Option<String>,
    /// Until when it may be paid; entering again at WeChat Pay needs the same value.
    pub expires_at: Option<DateTimeUtc>,
    /// Paid at.
    pub paid_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the customer paid, as WeChat says: the day it stands in the bill.
    pub success_at: Option<DateTimeUtc>,
    /// The day whose bill lists it.
    pub billed_on: Option<Date>,
}

impl ActiveModelBehavior for ActiveModel {}
