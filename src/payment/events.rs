//! What money tells the house.

use crate::outbox::Event;
use entity::{
    ids::{AccountId, BookingId, PaymentId, RefundId, TransferId},
    values::Fen,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Money arrived and counts towards its booking.
#[derive(Debug, Serialize, Deserialize)]
pub struct PaymentSucceeded {
    /// Which payment.
    pub payment_id: PaymentId,
    /// For which booking.
    pub booking_id: BookingId,
    /// Whose; the event's subject.
    pub customer_id: AccountId,
    /// How much.
    pub amount_fen: Fen,
}

impl Event for PaymentSucceeded {
    const KIND: &'static str = "payment.succeeded.v1";

    fn subject(&self) -> Uuid {
        self.customer_id.0
    }
}

/// Money is back with the customer.
#[derive(Debug, Serialize, Deserialize)]
pub struct PaymentRefunded {
    /// Which refund.
    pub refund_id: RefundId,
    /// Of which booking.
    pub booking_id: BookingId,
    /// Whose; the event's subject.
    pub customer_id: AccountId,
    /// How much.
    pub amount_fen: Fen,
    /// Whether nothing of what was paid for the booking is left.
    pub full: bool,
}

impl Event for PaymentRefunded {
    const KIND: &'static str = "payment.refunded.v1";

    fn subject(&self) -> Uuid {
        self.customer_id.0
    }
}

/// A second person said yes to a transfer; it must be made at WeChat Pay.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TransferApproved {
    pub(super) transfer_id: TransferId,
    pub(super) customer_id: AccountId,
}

impl Event for TransferApproved {
    const KIND: &'static str = "transfer.approved.v1";

    fn subject(&self) -> Uuid {
        self.customer_id.0
    }
}

/// A refund is recorded and must be asked for at WeChat Pay.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RefundRequested {
    pub(super) refund_id: RefundId,
    pub(super) customer_id: AccountId,
}

impl Event for RefundRequested {
    const KIND: &'static str = "refund.requested.v1";

    fn subject(&self) -> Uuid {
        self.customer_id.0
    }
}
