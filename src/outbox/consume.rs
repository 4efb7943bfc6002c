//! Handling events: each consumer in its own transaction with its inbox row.

use crate::{
    kernel::{AppError, Code, Result},
    platform::{Ctx, Rows, filled},
};
use chrono::{DateTime, Duration, Utc};
use entity::{ids::EventId, inbox, outbox};
use futures_util::FutureExt;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, OnConflict, Query},
};
use serde_json::Value;
use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::oneshot;
use uuid::Uuid;

/// An event as a consumer sees it.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Its id; the root of every effect id.
    pub id: EventId,
    /// Its kind.
    pub kind: String,
    /// Whom or what it is about.
    pub subject: Option<Uuid>,
    /// What happened.
    pub payload: Value,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

impl Delivered {
    /// The payload as the event type its kind promises.
    ///
    /// # Errors
    /// `internal` when payload and kind disagree; the event will be buried.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.payload).map_err(AppError::internal)
    }

    /// The subject as a typed id.
    ///
    /// # Errors
    /// `internal` when the event has none.
    pub fn subject<T: From<Uuid>>(&self) -> Result<T> {
        self.subject
            .map(T::from)
            .ok_or_else(|| AppError::internal("the event has no subject"))
    }
}

impl From<outbox::Model> for Delivered {
    fn from(row: outbox::Model) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            subject: row.subject_id,
            payload: row.payload,
            occurred_at: row.occurred_at,
        }
    }
}

/// A reaction to other features' events.
#[async_trait::async_trait]
pub trait Consumer: Send + Sync {
    /// Stable name; the inbox remembers by it.
    fn name(&self) -> &'static str;

    /// Kinds it wants.
    fn kinds(&self) -> &'static [&'static str];

    /// Work that must not hold a transaction, such as a call to WeChat. It may run more than once for one event, so
    /// it uses stable numbers; its result is handed to [`Consumer::handle`].
    ///
    /// # Errors
    /// Makes the event retry.
    async fn before(&self, _: &Ctx, _: &Delivered) -> Result<Value> {
        Ok(Value::Null)
    }

    /// The effects, in the transaction of the inbox row: exactly once.
    ///
    /// # Errors
    /// Rolls back and makes the event retry.
    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        before: Value,
    ) -> Result<()>;

    /// Whether events that wait together may share one transaction, handed to [`Consumer::handle_all`]. Such a consumer has
    /// no `before`.
    fn shares(&self) -> bool {
        false
    }

    /// Events that wait together, in the groups that share a transaction each, one group after the other. A consumer that takes
    /// locks puts into one group what takes them in one order.
    fn groups<'a>(&self, events: &[&'a Delivered]) -> Vec<Vec<&'a Delivered>> {
        vec![events.to_vec()]
    }

    /// The effects of a group, in the order the events came, in one transaction with their inbox rows. When it fails, nothing
    /// of it holds and each event is handled by itself.
    ///
    /// # Errors
    /// Rolls back.
    async fn handle_all(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        events: &[&Delivered],
    ) -> Result<()> {
        for event in events {
            self.handle(ctx, tx, event, Value::Null).await?;
        }
        Ok(())
    }
}

/// All consumers of the house, filled by `app.rs`.
#[derive(Clone, Default)]
pub struct Registry(Vec<Arc<dyn Consumer>>, Arc<Pile>);

impl Registry {
    /// Adds a consumer.
    #[must_use]
    pub fn with(mut self, consumer: impl Consumer + 'static) -> Self {
        self.0.push(Arc::new(consumer));
        self
    }

    fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Arc<dyn Consumer>> {
        self.0
            .iter()
            .filter(move |consumer| consumer.kinds().contains(&kind))
    }
}

/// Where the loops of a node put the events that may share a transaction. Each on its own they would wait for the same
/// counters one after the other; so whoever has the turn takes what all have put down.
#[derive(Default)]
struct Pile {
    waiting: Mutex<Vec<Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

/// Events one loop has put down for one consumer, and how they came out.
struct Waiting {
    consumer: &'static str,
    events: Vec<Delivered>,
    outcome: oneshot::Sender<bool>,
}

impl Pile {
    /// Hands events to a consumer together with those other loops put down meanwhile; true when they are through.
    async fn through(&self, ctx: &Ctx, consumer: &dyn Consumer, events: Vec<Delivered>) -> bool {
        let (outcome, mut told) = oneshot::channel();
        let waiting = || self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting().push(Waiting {
            consumer: consumer.name(),
            events,
            outcome,
        });
        let turn = self.turn.lock().await;
        let mine: Vec<Waiting> = waiting()
            .extract_if(.., |one| one.consumer == consumer.name())
            .collect();
        if !mine.is_empty() {
            let events: Vec<&Delivered> = mine.iter().flat_map(|one| &one.events).collect();
            let good = shared(ctx, consumer, &events).await;
            for one in mine {
                // A loop that was stopped does not listen any more; its events come again.
                one.outcome.send(good).ok();
            }
        }
        drop(turn);
        // Whoever had the turn before answered before giving it on.
        told.try_recv().unwrap_or(false)
    }
}

/// Every group in a transaction of its own; the first that fails leaves the rest to be handled event by event, where what is
/// through already is known.
async fn shared(ctx: &Ctx, consumer: &dyn Consumer, events: &[&Delivered]) -> bool {
    let shared = AssertUnwindSafe(share(ctx, consumer, events)).catch_unwind();
    match shared.await {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => {
            tracing::debug!(consumer = consumer.name(), error = ?error, "a batch failed; its events go one by one");
        }
        Err(_) => {
            tracing::warn!(
                consumer = consumer.name(),
                "a batch panicked; its events go one by one"
            );
        }
    }
    false
}

/// Takes one batch from the queue and handles it; says how many events it held.
///
/// # Errors
/// A queue or database fault; what was not acknowledged comes again.
pub(super) async fn once(
    ctx: &Ctx,
    registry: &Registry,
    wait: std::time::Duration,
) -> Result<usize> {
    let messages = ctx.queue.receive(128, wait).await?;
    if messages.is_empty() {
        return Ok(0);
    }
    let ids: Vec<EventId> = messages
        .iter()
        .map(|message| EventId(message.event_id))
        .collect();
    let rows = outbox::Entity::find()
        .filter(outbox::Column::Id.is_in(filled(ids.iter().copied())))
        .all(ctx.db.read())
        .await?;
    let mut rows: HashMap<EventId, outbox::Model> =
        rows.into_iter().map(|row| (row.id, row)).collect();
    // An id without a row is from a database that was replaced: there is nothing to do for it.
    let waiting = ids.iter().filter_map(|id| rows.remove(id));
    let waiting = waiting.filter(|row| row.done_at.is_none() && row.dead_at.is_none());
    let events: Vec<(Delivered, i32)> = waiting
        .map(|row| {
            let attempts = row.attempts;
            (Delivered::from(row), attempts)
        })
        .collect();
    let mut done = Vec::with_capacity(events.len());
    let handled = Box::pin(together(ctx, registry, &events)).await;
    for (event, attempts) in &events {
        if Box::pin(one(ctx, registry, (event, *attempts), &handled)).await? {
            done.push(event.id);
        }
    }
    finish(ctx, &done).await?;
    ctx.queue.ack(&messages).await?;
    Ok(messages.len())
}

/// Consumer and event.
type Pair = (&'static str, EventId);

/// Lets the consumers that can take all their events at once, and says which pairs are through. What fails here is tried
/// again event by event, so that one bad event does not hold up its neighbours.
async fn together(ctx: &Ctx, registry: &Registry, events: &[(Delivered, i32)]) -> HashSet<Pair> {
    let mut handled = HashSet::new();
    for consumer in registry.0.iter().filter(|consumer| consumer.shares()) {
        let wanted = |event: &&Delivered| consumer.kinds().contains(&event.kind.as_str());
        let all = events.iter().map(|(event, _)| event);
        let mine: Vec<Delivered> = all.filter(wanted).cloned().collect();
        let ids: Vec<EventId> = mine.iter().map(|event| event.id).collect();
        if !ids.is_empty() && registry.1.through(ctx, consumer.as_ref(), mine).await {
            handled.extend(ids.into_iter().map(|id| (consumer.name(), id)));
        }
    }
    handled
}

async fn share(ctx: &Ctx, consumer: &dyn Consumer, events: &[&Delivered]) -> Result<()> {
    // An event that came twice is handled once.
    let mut seen = HashSet::new();
    let mut events = events.to_vec();
    events.retain(|event| seen.insert(event.id));
    for group in consumer.groups(&events) {
        for some in group.chunks(MOST) {
            Box::pin(at_once(ctx, consumer, some)).await?;
        }
    }
    Ok(())
}

/// Events of a group that share a transaction; SQLite takes 32,766 parameters.
const MOST: usize = 2_000;

/// One transaction for several events; when a twin was ahead with some of them, for the others.
async fn at_once(ctx: &Ctx, consumer: &dyn Consumer, events: &[&Delivered]) -> Result<()> {
    let Err(error) = Box::pin(in_one(ctx, consumer, events)).await else {
        return Ok(());
    };
    let handled: Vec<EventId> = inbox::Entity::find()
        .select_only()
        .column(inbox::Column::EventId)
        .filter(inbox::Column::Consumer.eq(consumer.name()))
        .filter(inbox::Column::EventId.is_in(filled(events.iter().map(|event| event.id))))
        .into_tuple()
        .all(ctx.db.read())
        .await?;
    if handled.is_empty() {
        return Err(error);
    }
    let mut left = events.to_vec();
    left.retain(|event| !handled.contains(&event.id));
    if left.is_empty() {
        return Ok(());
    }
    Box::pin(in_one(ctx, consumer, &left)).await
}

async fn in_one(ctx: &Ctx, consumer: &dyn Consumer, events: &[&Delivered]) -> Result<()> {
    let tx = ctx.db.begin_write().await?;
    let mut ids: Vec<EventId> = events.iter().map(|event| event.id).collect();
    // One order for all who may have some of the same events.
    ids.sort_unstable();
    let inbox = ids.into_iter().map(|event_id| inbox::ActiveModel {
        consumer: Set(consumer.name().to_owned()),
        event_id: Set(event_id),
        handled_at: Set(ctx.env.now()),
    });
    let mut rows = Rows::default();
    rows.add_new(inbox, &[inbox::Column::Consumer, inbox::Column::EventId])?;
    rows.write(&tx).await?;
    consumer.handle_all(ctx, &tx, events).await?;
    ctx.commit(tx).await
}

/// Hands an event to the consumers that have not had it; true when all are through.
async fn one(
    ctx: &Ctx,
    registry: &Registry,
    (event, attempts): (&Delivered, i32),
    handled: &HashSet<Pair>,
) -> Result<bool> {
    // One consumer's trouble is not another's: all get their turn, then the event waits for those that failed.
    let mut trouble: Option<(&'static str, AppError)> = None;
    for consumer in registry.of_kind(&event.kind) {
        if handled.contains(&(consumer.name(), event.id)) {
            continue;
        }
        if let Err(error) = guarded(ctx, consumer.as_ref(), event).await {
            tracing::warn!(event.kind = %event.kind, event.id = %event.id, consumer = consumer.name(), error = ?error, "an event failed");
            trouble.get_or_insert((consumer.name(), error));
        }
    }
    let Some((consumer, error)) = trouble else {
        return Ok(true);
    };
    failed(ctx, event, attempts, consumer, &error).await?;
    Ok(false)
}

/// What all consumers are through with is done.
async fn finish(ctx: &Ctx, done: &[EventId]) -> Result<()> {
    if done.is_empty() {
        return Ok(());
    }
    let update = Query::update()
        .table(outbox::Entity)
        .value(outbox::Column::DoneAt, ctx.env.now())
        .and_where(outbox::Column::Id.is_in(filled(done.iter().copied())))
        .to_owned();
    // A mark that is lost brings the event again, and the inbox knows it.
    ctx.db.mark(update).await?;
    Ok(())
}

/// A consumer that panics has failed like any other; the loop that called it lives on.
async fn guarded(ctx: &Ctx, consumer: &dyn Consumer, event: &Delivered) -> Result<()> {
    let handled = AssertUnwindSafe(handle(ctx, consumer, event)).catch_unwind();
    handled
        .await
        .unwrap_or_else(|_| Err(AppError::internal("the consumer panicked")))
}

async fn handle(ctx: &Ctx, consumer: &dyn Consumer, event: &Delivered) -> Result<()> {
    let key = (consumer.name().to_owned(), event.id);
    if !inbox::Entity::find_by_id(key)
        .all(ctx.db.read())
        .await?
        .is_empty()
    {
        return Ok(());
    }
    let before = consumer.before(ctx, event).await?;
    let tx = ctx.db.begin_write().await?;
    let seen = inbox::ActiveModel {
        consumer: Set(consumer.name().to_owned()),
        event_id: Set(event.id),
        handled_at: Set(ctx.env.now()),
    };
    // On PostgreSQL a twin's insert waits here until the first commits, then finds the row taken.
    let fresh = inbox::Entity::insert(seen)
        .on_conflict(
            OnConflict::columns([inbox::Column::Consumer, inbox::Column::EventId])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(&tx)
        .await?;
    if fresh == 0 {
        return Ok(());
    }
    consumer.handle(ctx, &tx, event, before).await?;
    ctx.commit(tx).await
}

/// Seconds to wait after the n-th failure: 1, 2, 4 … at most ten minutes.
fn backoff(attempts: i32) -> Duration {
    let exponent = u32::try_from(attempts.clamp(0, 10)).unwrap_or_default();
    Duration::seconds(1_i64 << exponent).min(Duration::minutes(10))
}

async fn failed(
    ctx: &Ctx,
    event: &Delivered,
    attempts: i32,
    consumer: &str,
    error: &AppError,
) -> Result<()> {
    let now = ctx.env.now();
    let attempts = attempts.saturating_add(1);
    // What is away comes back: an outage, however long, buries nothing.
    let away = error.code == Code::Unavailable;
    let dead = !away && attempts >= ctx.config.queue.max_attempts;
    let source = error
        .source
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let tx = ctx.db.begin_write().await?;
    let retry_at = now.checked_add_signed(backoff(attempts - 1));
    let told = format!("{consumer}: {error} {source}");
    // A twin that finished the event in the meantime is right: what is done stays done.
    outbox::Entity::update_many()
        .col_expr(outbox::Column::Attempts, Expr::value(attempts))
        .col_expr(
            outbox::Column::PublishedAt,
            Expr::value(Option::<DateTime<Utc>>::None),
        )
        .col_expr(outbox::Column::RetryAt, Expr::value(retry_at))
        .col_expr(outbox::Column::DeadAt, Expr::value(dead.then_some(now)))
        .col_expr(outbox::Column::LastError, Expr::value(Some(told)))
        .filter(outbox::Column::Id.eq(event.id))
        .filter(outbox::Column::DoneAt.is_null())
        .exec(&tx)
        .await?;
    if dead {
        tracing::error!(event.kind = %event.kind, event.id = %event.id, consumer, "an event was buried as a dead letter");
        metrics::counter!("linjian_dead_letters_total").increment(1);
    }
    Ok(tx.commit().await?)
}
