//! The timeline a customer sees; append-only.

use crate::ids::{BookingEventId, BookingId};
use sea_orm::entity::prelude::*;

/// The timeline a customer sees; append-only.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "booking_event")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: BookingEventId,
    /// Booking id.
    pub booking_id: BookingId,
    /// At.
    pub at: DateTimeUtc,
    /// A short zh-CN sentence.
    pub what: String,
}

impl ActiveModelBehavior for ActiveModel {}
