//! Seeing what became of events: from a rating's commit to its evaluation, which commits together with its invitation.

use crate::{kernel::Result, platform::Ctx};
use entity::{decision, evaluation, ids::EventId, values::DecisionOutcome};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How often is looked; a figure is never better than what happened, and worse by this at most.
const EVERY: Duration = Duration::from_millis(3);
/// Events asked about at once.
const MOST: usize = 2_000;

/// What is waited for, and what came.
#[derive(Default)]
pub(super) struct Watch {
    waiting: Mutex<HashMap<EventId, Instant>>,
    seen: Mutex<Vec<(Duration, bool)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// An event whose transaction has just committed.
    pub(super) fn begin(&self, event: EventId) {
        lock(&self.waiting).insert(event, Instant::now());
    }

    /// How many are still waited for.
    pub(super) fn left(&self) -> usize {
        lock(&self.waiting).len()
    }

    /// Looks once: an evaluation that is visible is committed, and with it the decision and the invitation it led to.
    pub(super) async fn look(&self, ctx: &Ctx) -> Result<()> {
        tokio::time::sleep(EVERY).await;
        let asked: Vec<EventId> = lock(&self.waiting).keys().take(MOST).copied().collect();
        if !asked.is_empty() {
            let judged: Vec<EventId> = evaluation::Entity::find()
                .select_only()
                .column(evaluation::Column::EventId)
                .filter(evaluation::Column::EventId.is_in(asked))
                .into_tuple()
                .all(ctx.db.read())
                .await?;
            let now = Instant::now();
            let fired: Vec<EventId> = decision::Entity::find()
                .select_only()
                .column(decision::Column::EventId)
                .filter(decision::Column::EventId.is_in(judged.iter().copied()))
                .filter(decision::Column::Outcome.eq(DecisionOutcome::Fired))
                .into_tuple()
                .all(ctx.db.read())
                .await?;
            let fired: HashSet<EventId> = fired.into_iter().collect();
            let (mut waiting, mut seen) = (lock(&self.waiting), lock(&self.seen));
            for event in judged {
                if let Some(since) = waiting.remove(&event) {
                    seen.push((now - since, fired.contains(&event)));
                }
            }
        }
        Ok(())
    }

    /// Latencies of the events that led to an invitation, ascending, and how many did not.
    pub(super) fn result(&self) -> (Vec<Duration>, usize) {
        let seen = lock(&self.seen);
        let mut invited: Vec<Duration> = seen
            .iter()
            .filter(|(_, invited)| *invited)
            .map(|(took, _)| *took)
            .collect();
        invited.sort_unstable();
        let others = seen.len() - invited.len();
        (invited, others)
    }
}
