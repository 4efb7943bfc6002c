//! The worker's side of a booking.

use crate::ids::{BookingId, WorkerId};
use sea_orm::entity::prelude::*;

/// The worker's side of a booking.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "work_order")]
pub struct Model {
    /// Booking id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub booking_id: BookingId,
    /// Worker id.
    pub worker_id: WorkerId,
    /// Checked in at.
    pub checked_in_at: Option<DateTimeUtc>,
    /// Minutes after the agreed start; 0 when on time.
    pub late_minutes: Option<i32>,
    /// Whether the check-in was near the address; null when the address has no point.
    pub within_geofence: Option<bool>,
    /// Completed at.
    pub completed_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
