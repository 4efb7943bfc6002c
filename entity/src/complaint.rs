//! A ticket with SLA clocks.

use crate::ids::{AccountId, BookingId, ComplaintId};
use crate::values::{ComplaintKind, ComplaintStatus};
use sea_orm::entity::prelude::*;

/// A ticket with SLA clocks.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "complaint")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ComplaintId,
    /// Booking id.
    pub booking_id: BookingId,
    /// Customer id.
    pub customer_id: AccountId,
    /// Kind.
    pub kind: ComplaintKind,
    /// Text.
    #[sea_orm(column_type = "Text")]
    pub text: String,
    /// Status.
    pub status: ComplaintStatus,
    /// First response due at.
    pub first_response_due_at: DateTimeUtc,
    /// Resolution due at.
    pub resolution_due_at: DateTimeUtc,
    /// Responded at.
    pub responded_at: Option<DateTimeUtc>,
    /// Response.
    #[sea_orm(column_type = "Text")]
    pub response: Option<String>,
    /// Resolved at.
    pub resolved_at: Option<DateTimeUtc>,
    /// Resolution.
    #[sea_orm(column_type = "Text")]
    pub resolution: Option<String>,
    /// First time a due moment passed unanswered.
    pub breached_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
