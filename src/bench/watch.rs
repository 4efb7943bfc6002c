//! Seeing what became of events: from a rating's commit to its evaluation, which commits together with its invitation.
//!
//! The load shares the machine with what it measures, so a look costs as little as it can: evaluations carry the time in their
//! ids, and only the newest are read.

use crate::{
    kernel::Result,
    platform::{Ctx, filled},
};
use chrono::{DateTime, Duration as Span, Utc};
use entity::{
    decision, evaluation,
    ids::{EvaluationId, EventId},
    values::DecisionOutcome,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use uuid::{NoContext, Timestamp, Uuid};

/// How often is looked; a figure is never better than what happened, and worse by little more than this, but for the few whose
/// transaction took longer than [`BACK`]: they are seen as strays.
const EVERY: Duration = Duration::from_millis(4);
/// How far back a look goes: an id is drawn when the event is judged, a little before its transaction commits.
const BACK: Span = Span::milliseconds(120);
/// Every so many looks those are asked about that no look has found.
const STRAYS: u32 = 50;
/// Events asked about at once.
const MOST: usize = 1_000;

/// What is waited for, and what came.
#[derive(Default)]
pub(super) struct Watch {
    /// Since when, and whether it is measured.
    waiting: Mutex<HashMap<EventId, (Instant, bool)>>,
    seen: Mutex<Vec<(EventId, Duration)>>,
    looks: std::sync::atomic::AtomicU32,
    /// When the last look was sent: a slow one must not leave a gap behind it.
    looked: Mutex<Option<DateTime<Utc>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// An event whose transaction has just committed; what is not `measured` is only waited for.
    pub(super) fn begin(&self, event: EventId, measured: bool) {
        lock(&self.waiting).insert(event, (Instant::now(), measured));
    }

    /// How many are still waited for.
    pub(super) fn left(&self) -> usize {
        lock(&self.waiting).len()
    }

    /// Looks once: an evaluation that is visible is committed, and with it the decision and the invitation it led to.
    pub(super) async fn look(&self, ctx: &Ctx) -> Result<()> {
        tokio::time::sleep(EVERY).await;
        let looks = self
            .looks
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let judged = evaluation::Entity::find()
            .select_only()
            .column(evaluation::Column::EventId);
        let judged = if looks % STRAYS == STRAYS - 1 {
            let mut strays: Vec<(Instant, EventId)> = lock(&self.waiting)
                .iter()
                .map(|(event, (since, _))| (*since, *event))
                .collect();
            strays.sort_unstable();
            let strays = strays.into_iter().take(MOST).map(|(_, event)| event);
            judged.filter(evaluation::Column::EventId.is_in(filled(strays)))
        } else {
            let now = ctx.env.now();
            let last = lock(&self.looked).replace(now).unwrap_or(now);
            judged.filter(evaluation::Column::Id.gt(since(last.min(now) - BACK)))
        };
        let judged: Vec<EventId> = judged.into_tuple().all(ctx.db.read()).await?;
        let now = Instant::now();
        let (mut waiting, mut seen) = (lock(&self.waiting), lock(&self.seen));
        for event in judged {
            if let Some((since, true)) = waiting.remove(&event) {
                seen.push((event, now - since));
            }
        }
        Ok(())
    }

    /// Latencies of the events that led to an invitation, ascending, and how many did not.
    pub(super) async fn result(&self, ctx: &Ctx) -> Result<(Vec<Duration>, usize)> {
        let seen = lock(&self.seen).clone();
        let mut fired: HashSet<EventId> = HashSet::new();
        for some in seen.chunks(MOST) {
            let some = filled(some.iter().map(|(event, _)| *event));
            let found: Vec<EventId> = decision::Entity::find()
                .select_only()
                .column(decision::Column::EventId)
                .filter(decision::Column::EventId.is_in(some))
                .filter(decision::Column::Outcome.eq(DecisionOutcome::Fired))
                .into_tuple()
                .all(ctx.db.read())
                .await?;
            fired.extend(found);
        }
        let led = seen.iter().filter(|(event, _)| fired.contains(event));
        let mut invited: Vec<Duration> = led.map(|(_, took)| *took).collect();
        invited.sort_unstable();
        let others = seen.len() - invited.len();
        Ok((invited, others))
    }
}

/// The smallest id an evaluation made since then can have.
fn since(from: DateTime<Utc>) -> EvaluationId {
    let seconds = u64::try_from(from.timestamp()).unwrap_or(0);
    let at = Timestamp::from_unix(NoContext, seconds, from.timestamp_subsec_nanos());
    let (high, _) = Uuid::new_v7(at).as_u64_pair();
    // Only the 48 bits of the time; the rest of a v7 id is its version and chance.
    EvaluationId(Uuid::from_u64_pair(high & !0xFFFF, 0))
}
