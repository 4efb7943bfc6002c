//! A booking's hold on one 30-minute cell of one worker. The key makes a double booking impossible.

use crate::ids::{BookingId, WorkerId};
use sea_orm::entity::prelude::*;

/// A booking's hold on one 30-minute cell of one worker. The key makes a double booking impossible.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reservation")]
pub struct Model {
    /// Worker id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub worker_id: WorkerId,
    /// Start of the cell, UTC, on the half hour.
    #[sea_orm(primary_key, auto_increment = false)]
    pub cell_at: DateTimeUtc,
    /// Booking id.
    pub booking_id: BookingId,
}

impl ActiveModelBehavior for ActiveModel {}
