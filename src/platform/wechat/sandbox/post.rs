//! What waits to be delivered: notifications and pushes, due by the injected clock, again after each failure.

use super::Sandbox;
use chrono::{DateTime, Duration, Utc};
use futures_util::future::join_all;
use serde_json::Value;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

/// Seconds between tries of a pay notification; the first try is not in it (spec 2.4: over after 24 h 4 min).
const NOTICE_LADDER: [i64; 15] = [
    15, 15, 30, 180, 600, 1_200, 1_800, 1_800, 1_800, 3_600, 10_800, 10_800, 10_800, 21_600, 21_600,
];
/// Seconds between tries of a push (spec 1.8: three more).
const PUSH_LADDER: [i64; 3] = [5, 5, 5];
/// How often a running sandbox looks for what is due.
const ROUND: std::time::Duration = std::time::Duration::from_millis(100);

/// One thing to tell the backend.
#[derive(Clone, Debug)]
pub(super) enum Parcel {
    /// A notification of WeChat Pay; sealed and signed anew at each try.
    Notice {
        /// Where to.
        url: String,
        /// `REFUND.SUCCESS` …
        event: &'static str,
        /// For people.
        summary: &'static str,
        /// `original_type` and associated data.
        kind: &'static str,
        /// What the resource holds.
        plain: Value,
    },
    /// A message push of the mini-program, to our own callback.
    Push(Value),
}

struct Waiting {
    due: DateTime<Utc>,
    tries: usize,
    parcel: Parcel,
}

/// The parcels of this process. Nothing here survives a restart: as with WeChat, a notification is no promise, and the
/// backend asks when none came.
#[derive(Default)]
pub(super) struct Post {
    waiting: Mutex<Vec<Waiting>>,
    /// One round at a time: whoever asks for a round gets a whole one.
    round: tokio::sync::Mutex<()>,
    /// Tries since somebody asked: what a background round has delivered meanwhile counts for the next who asks, so that
    /// he looks for its effects.
    tried: AtomicUsize,
}

impl Sandbox {
    /// Takes a parcel that is due `after` from now by the injected clock.
    pub(super) fn post(&self, parcel: Parcel, after: Duration) {
        let due = self.inner.env.now() + after;
        self.keep(Waiting {
            due,
            tries: 0,
            parcel,
        });
        if after <= Duration::zero() {
            let sandbox = self.clone();
            self.spawn(async move {
                sandbox.round().await;
            });
        }
    }

    fn keep(&self, waiting: Waiting) {
        let mut all = self
            .inner
            .post
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.push(waiting);
    }

    /// Delivers everything that is due by the clock, and says how much was tried since it was last asked. What fails
    /// waits for its next try.
    pub async fn deliver_due(&self) -> usize {
        self.round().await;
        self.inner.post.tried.swap(0, Ordering::SeqCst)
    }

    async fn round(&self) {
        let _one_round = self.inner.post.round.lock().await;
        let now = self.inner.env.now();
        let due: Vec<Waiting> = {
            let mut all = self
                .inner
                .post
                .waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            all.extract_if(.., |waiting| waiting.due <= now).collect()
        };
        let count = due.len();
        join_all(due.into_iter().map(|waiting| self.attempt(waiting))).await;
        self.inner.post.tried.fetch_add(count, Ordering::SeqCst);
    }

    async fn attempt(&self, mut waiting: Waiting) {
        let (taken, ladder) = match &waiting.parcel {
            Parcel::Notice { .. } => (
                self.deliver_notice(&waiting.parcel).await,
                NOTICE_LADDER.as_slice(),
            ),
            Parcel::Push(event) => (self.deliver_push(event).await, PUSH_LADDER.as_slice()),
        };
        if taken {
            return;
        }
        if let Some(pause) = ladder.get(waiting.tries) {
            waiting.tries = waiting.tries.saturating_add(1);
            waiting.due = self.inner.env.now() + Duration::seconds(*pause);
            self.keep(waiting);
        } else {
            tracing::warn!("nobody took a message of the WeChat sandbox");
        }
    }

    /// Looks for what is due as long as the sandbox runs.
    pub(super) async fn rounds(self) {
        loop {
            tokio::time::sleep(ROUND).await;
            self.round().await;
        }
    }
}
