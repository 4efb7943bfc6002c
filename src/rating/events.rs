//! What ratings tell the house.

use crate::outbox::Event;
use entity::{
    ids::{AccountId, BookingId, RatingId, WorkerId},
    values::Score,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A customer has rated a visit.
#[derive(Debug, Serialize, Deserialize)]
pub struct RatingSubmitted {
    /// The rating.
    pub rating_id: RatingId,
    /// Of which visit.
    pub booking_id: BookingId,
    /// By whom; the event's subject.
    pub customer_id: AccountId,
    /// Of whom.
    pub worker_id: Option<WorkerId>,
    /// Hundredths: 480 is 4.80.
    pub score: Score,
}

impl Event for RatingSubmitted {
    const KIND: &'static str = "rating.submitted.v1";

    fn subject(&self) -> Uuid {
        self.customer_id.0
    }
}

/// A rating came with a comment that nobody has checked.
#[derive(Debug, Serialize, Deserialize)]
pub struct CommentWritten {
    /// The rating.
    pub rating_id: RatingId,
    /// By whom; the event's subject.
    pub customer_id: AccountId,
}

impl Event for CommentWritten {
    const KIND: &'static str = "rating.comment_written.v1";

    fn subject(&self) -> Uuid {
        self.customer_id.0
    }
}
