//! The queue between the outbox relay and the consumers.
//!
//! Owns: the way of an event id from "committed" to "handled". It carries ids alone (SEC-40): whoever takes a message
//! reads the event itself from SQL, which stays the truth.
//! Promises: at least once. A message that is not acknowledged within the visibility time returns; the same id may
//! arrive twice, so consumers keep an inbox row. Order is not promised.
//! Everything in here may be lost at any moment. [`Queue::intact`] says whether it was; the relay then publishes every
//! unfinished outbox row again and says so with [`Queue::mark_refilled`].
//! Emits, listens: nothing. Consents: none, no personal data passes.

pub(in crate::platform) mod link;
mod memory;
mod redis;

#[cfg(test)]
pub(in crate::platform) mod conformance;

use crate::kernel::Result;
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

/// How long a taken message may stay unacknowledged before another consumer gets it, unless said otherwise.
pub const VISIBILITY: Duration = Duration::from_mins(1);

/// How a backend finds a taken message again. Only the queue that gave it can read it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receipt(String);

/// One taken message: an event to handle, and what to show when it is done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// The id of the outbox row.
    pub event_id: Uuid,
    /// Proof of having taken it, for [`Queue::ack`].
    pub receipt: Receipt,
}

/// A queue of event ids. All errors are `unavailable` and worth another try, none loses what SQL still knows.
#[async_trait::async_trait]
pub trait Queue: Send + Sync {
    /// Appends the ids. After an error some may have been appended: publish them all again.
    async fn publish(&self, ids: &[Uuid]) -> Result<()>;

    /// Takes up to `max` messages, waiting up to `wait` for the first. Empty means nothing came.
    ///
    /// May be dropped while it waits: what had just been handed out returns after the visibility time.
    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Message>>;

    /// Says that these messages are done for good. Doing it twice does no harm.
    async fn ack(&self, messages: &[Message]) -> Result<()>;

    /// Whether everything that any process published has been acknowledged: nothing waits, nothing is taken. A queue inside one
    /// process says no, for of others it does not know.
    async fn surely_empty(&self) -> Result<bool>;

    /// Whether nothing was lost since the last [`Queue::mark_refilled`]. Cheap enough for several calls a second.
    async fn intact(&self) -> Result<bool>;

    /// Says that every unfinished event has been published since [`Queue::intact`] said no.
    ///
    /// When the queue was lost once more in the meantime this changes nothing, and `intact` keeps saying no.
    async fn mark_refilled(&self) -> Result<()>;

    /// Whether the queue answers.
    async fn ping(&self) -> Result<()>;

    /// Throws everything away, as a FLUSHALL would, within this queue's own prefix. For tests and for a reset.
    async fn clear(&self) -> Result<()>;
}

/// Opens the queue: in memory without a URL, Redis Streams with one. Does not connect yet.
///
/// `url` is `redis://`, `rediss://` (TLS), with user, password and database as usual; for Redis Cluster
/// `redis+cluster://` or `rediss+cluster://`, several nodes separated by commas, those after the first also by host and
/// port alone. `prefix` (lower-case letters, digits, `-`, `_`, `.`; at most 64) keeps deployments on one Redis apart.
pub fn open(url: Option<&str>, prefix: &str) -> Result<Arc<dyn Queue>> {
    open_with(url, prefix, VISIBILITY)
}

/// [`open`] with a visibility time of one's own. It must be longer than the slowest consumer takes for one batch.
pub fn open_with(url: Option<&str>, prefix: &str, visibility: Duration) -> Result<Arc<dyn Queue>> {
    Ok(match url {
        None => Arc::new(memory::MemoryQueue::new(visibility)),
        Some(url) => Arc::new(redis::RedisQueue::new(url, prefix, visibility)?),
    })
}
