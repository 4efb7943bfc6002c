//! What the content room tells itself.

use crate::outbox::Event;
use entity::ids::ContentCheckId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Timer: no answer came.
pub(super) const SILENCE: &str = "content.silence_due.v1";

/// WeChat is to be asked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ContentWanted {
    /// The check; the event's subject.
    pub(super) check_id: ContentCheckId,
    /// Which asking this is, from 1.
    pub(super) attempt: i32,
}

impl Event for ContentWanted {
    const KIND: &'static str = "content.wanted.v1";

    fn subject(&self) -> Uuid {
        self.check_id.0
    }
}
