//! Five 1–5 dimensions; the score is their mean in hundredths.

use crate::ids::{AccountId, BookingId, RatingId, WorkerId};
use crate::values::{CommentStatus, Score};
use sea_orm::entity::prelude::*;

/// Five 1–5 dimensions; the score is their mean in hundredths.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rating")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RatingId,
    /// Booking id.
    #[sea_orm(unique)]
    pub booking_id: BookingId,
    /// Customer id.
    pub customer_id: AccountId,
    /// Worker id.
    pub worker_id: Option<WorkerId>,
    /// Quality.
    pub quality: i32,
    /// Punctuality.
    pub punctuality: i32,
    /// Attitude.
    pub attitude: i32,
    /// Communication.
    pub communication: i32,
    /// Value.
    pub value: i32,
    /// Score.
    pub score: Score,
    /// Comment.
    #[sea_orm(column_type = "Text")]
    pub comment: Option<String>,
    /// Whether the comment may be shown to others.
    pub comment_status: CommentStatus,
    /// Submitted at.
    pub submitted_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
