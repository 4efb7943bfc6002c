//! One SOP item of one work order.

use crate::ids::BookingId;
use sea_orm::entity::prelude::*;

/// One SOP item of one work order.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "checklist_item")]
pub struct Model {
    /// Booking id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub booking_id: BookingId,
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// Position.
    pub position: i32,
    /// Label.
    pub label: String,
    /// Required.
    pub required: bool,
    /// Photo required.
    pub photo_required: bool,
    /// Done at.
    pub done_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
