//! Handling events: each consumer in its own transaction with its inbox row.

use crate::{
    kernel::{AppError, Code, Result},
    platform::Ctx,
};
use chrono::{DateTime, Duration, Utc};
use entity::{ids::EventId, inbox, outbox};
use futures_util::FutureExt;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};
use serde_json::Value;
use std::{collections::HashMap, sync::Arc};
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
}

/// All consumers of the house, filled by `app.rs`.
#[derive(Clone, Default)]
pub struct Registry(Vec<Arc<dyn Consumer>>);

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
        .filter(outbox::Column::Id.is_in(ids.clone()))
        .all(ctx.db.read())
        .await?;
    let mut rows: HashMap<EventId, outbox::Model> =
        rows.into_iter().map(|row| (row.id, row)).collect();
    for id in &ids {
        // An id without a row is from a database that was replaced: there is nothing to do for it.
        if let Some(row) = rows.remove(id)
            && row.done_at.is_none()
            && row.dead_at.is_none()
        {
            Box::pin(one(ctx, registry, row)).await?;
        }
    }
    ctx.queue.ack(&messages).await?;
    Ok(messages.len())
}

async fn one(ctx: &Ctx, registry: &Registry, row: outbox::Model) -> Result<()> {
    let attempts = row.attempts;
    let event = Delivered::from(row);
    // One consumer's trouble is not another's: all get their turn, then the event waits for those that failed.
    let mut trouble: Option<(&'static str, AppError)> = None;
    for consumer in registry.of_kind(&event.kind) {
        if let Err(error) = guarded(ctx, consumer.as_ref(), &event).await {
            tracing::warn!(event.kind = %event.kind, event.id = %event.id, consumer = consumer.name(), error = ?error, "an event failed");
            trouble.get_or_insert((consumer.name(), error));
        }
    }
    if let Some((consumer, error)) = trouble {
        return failed(ctx, &event, attempts, consumer, &error).await;
    }
    let tx = ctx.db.begin_write().await?;
    outbox::ActiveModel {
        id: Set(event.id),
        done_at: Set(Some(ctx.env.now())),
        ..Default::default()
    }
    .update(&tx)
    .await?;
    ctx.commit(tx).await
}

/// A consumer that panics has failed like any other; the loop that called it lives on.
async fn guarded(ctx: &Ctx, consumer: &dyn Consumer, event: &Delivered) -> Result<()> {
    let handled = std::panic::AssertUnwindSafe(handle(ctx, consumer, event)).catch_unwind();
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
