//! What photos tell the house.

use crate::outbox::Event;
use entity::ids::{AccountId, BookingId, PhotoId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A photo waits for its content check.
#[derive(Debug, Serialize, Deserialize)]
pub struct PhotoStored {
    /// The photo.
    pub photo_id: PhotoId,
    /// Of which visit.
    pub booking_id: BookingId,
    /// Whose home; the event's subject.
    pub customer_id: AccountId,
}

impl Event for PhotoStored {
    const KIND: &'static str = "photo.stored.v1";

    fn subject(&self) -> Uuid {
        self.customer_id.0
    }
}

/// The consent for these photos was withdrawn; nobody sees or judges them any more.
#[derive(Debug, Serialize, Deserialize)]
pub struct PhotosWithdrawn {
    /// The photos.
    pub photo_ids: Vec<PhotoId>,
    /// Whose home; the event's subject.
    pub customer_id: AccountId,
}

impl Event for PhotosWithdrawn {
    const KIND: &'static str = "photo.withdrawn.v1";

    fn subject(&self) -> Uuid {
        self.customer_id.0
    }
}
