//! Money on its way back to the customer.

use crate::ids::{AccountId, BookingId, PaymentId, RefundId};
use crate::values::{Fen, RefundStatus};
use sea_orm::entity::prelude::*;

/// Money on its way back to the customer.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refund")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RefundId,
    /// Payment id.
    pub payment_id: PaymentId,
    /// Booking id.
    pub booking_id: BookingId,
    /// Amount fen.
    pub amount_fen: Fen,
    /// Reason.
    pub reason: String,
    /// Status.
    pub status: RefundStatus,
    /// Out refund no.
    #[sea_orm(unique)]
    pub out_refund_no: String,
    /// WeChat's number.
    #[sea_orm(unique)]
    pub refund_id: Option<String>,
    /// Staff or customer; null when the system refunds by itself.
    pub requested_by: Option<AccountId>,
    /// Whether this refund gives back all that was paid.
    pub full: bool,
    /// Settled at.
    pub settled_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// The transaction it gives back when that is not its payment's own: money paid twice for one order.
    pub transaction_id: Option<String>,
    /// When the customer got it, as WeChat says.
    pub success_at: Option<DateTimeUtc>,
    /// The day whose bill lists it.
    pub billed_on: Option<Date>,
}

impl ActiveModelBehavior for ActiveModel {}
