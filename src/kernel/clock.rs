//! Time as a capability.

use chrono::{DateTime, Duration, DurationRound, Utc};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// Tells the time. The only two homes of `Utc::now` are in this file.
pub trait Clock: Send + Sync {
    /// The present moment, UTC.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock, cut to microseconds (what PostgreSQL keeps), so that a stored time equals the answered one.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one home of the machine's clock"
    )]
    fn now(&self) -> DateTime<Utc> {
        let now = Utc::now();
        now.duration_trunc(Duration::microseconds(1)).unwrap_or(now)
    }
}

/// A clock that runs ahead of another by a movable offset: the sandbox's test clock and the tests' clock.
#[derive(Clone)]
pub struct ShiftClock {
    base: Arc<dyn Clock>,
    offset_ms: Arc<AtomicI64>,
}

impl ShiftClock {
    /// A clock that starts in step with `base`.
    pub fn over(base: Arc<dyn Clock>) -> Self {
        Self {
            base,
            offset_ms: Arc::default(),
        }
    }

    /// Sets the whole offset (milliseconds), as read from the deployment's row. Time never goes back: a reader that
    /// looked before an advance and writes after it changes nothing.
    pub fn set_offset_ms(&self, offset_ms: i64) {
        self.offset_ms.fetch_max(offset_ms, Ordering::SeqCst);
    }

    /// The offset now in force, milliseconds.
    pub fn offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::SeqCst)
    }

    /// Moves forward by `by`.
    pub fn advance(&self, by: Duration) {
        self.offset_ms
            .fetch_add(by.num_milliseconds(), Ordering::SeqCst);
    }
}

impl ShiftClock {
    /// [`Clock::now`] without naming the trait.
    pub fn now_utc(&self) -> DateTime<Utc> {
        self.now()
    }
}

impl Clock for ShiftClock {
    fn now(&self) -> DateTime<Utc> {
        let base = self.base.now();
        base.checked_add_signed(Duration::milliseconds(self.offset_ms()))
            .unwrap_or(base)
    }
}
