//! One visit ordered by a customer.

use crate::ids::{AccountId, BookingId, ServiceId, WorkerId};
use crate::values::{BookingStatus, Fen, Sealed};
use sea_orm::entity::prelude::*;

/// One visit ordered by a customer.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "booking")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: BookingId,
    /// Customer id.
    pub customer_id: AccountId,
    /// Service id.
    pub service_id: ServiceId,
    /// Worker id.
    pub worker_id: Option<WorkerId>,
    /// Status.
    pub status: BookingStatus,
    /// Start at.
    pub start_at: DateTimeUtc,
    /// End at.
    pub end_at: DateTimeUtc,
    /// Area.
    pub area: String,
    /// JSON `{line, lat, lng}`, sealed: where somebody lives.
    pub address: Sealed,
    /// Contact phone.
    pub contact_phone: Sealed,
    /// The questionnaire as answered.
    #[sea_orm(column_type = "JsonBinary")]
    pub answers: Json,
    /// Lines `{label, fen}` at the time of booking.
    #[sea_orm(column_type = "JsonBinary")]
    pub quote: Json,
    /// Total fen.
    pub total_fen: Fen,
    /// Money received, minus nothing.
    pub prepaid_fen: Fen,
    /// Money given back.
    pub refunded_fen: Fen,
    /// Until when the unpaid slot is kept; null once confirmed.
    pub hold_expires_at: Option<DateTimeUtc>,
    /// The booking this free rework repairs.
    pub rework_of: Option<BookingId>,
    /// Confirmed at.
    pub confirmed_at: Option<DateTimeUtc>,
    /// When the customer accepted (or the acceptance window closed).
    pub completed_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
