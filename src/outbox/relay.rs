//! Handing unpublished events to the queue.
//!
//! A row is due when it was never published, when its retry moment has come, when it was published long ago and is not
//! finished, when it was published a moment ago and the queue is empty, or when the queue lost its memory: then every unfinished
//! row is due again. Publishing twice is harmless, because consumers keep an inbox.

use crate::{kernel::Result, platform::Ctx};
use chrono::{DateTime, Duration, Utc};
use entity::outbox::{Column, Entity};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, QueryFilter,
    sea_query::{Expr, LockBehavior, LockType, Order, Query},
};
use uuid::Uuid;

/// Rows handed over at once.
pub(super) const FULL: usize = 256;
/// An event that was handed over so many claim times ago and is not finished is handed over again, whatever became of it.
const STALE_AFTER: i32 = 10;
/// An event that was marked so long ago and is not in the queue is handed over again: its relay died between marking and
/// publishing. A relay that only paused hands it over as well, which is harmless.
const ORPHANED_AFTER: Duration = Duration::seconds(2);

/// Publishes one batch and says how many rows it held. Under a load that never pauses nobody would look for what is stale, so
/// the caller asks for it now and then.
///
/// # Errors
/// A database or queue fault; the rows stay due.
pub async fn once(ctx: &Ctx, also_stale: bool) -> Result<usize> {
    if !ctx.queue.intact().await? {
        refill(ctx).await?;
    }
    let now = ctx.env.now();
    let ids = claim(ctx, now, also_stale).await?;
    if !ids.is_empty()
        && let Err(error) = ctx.queue.publish(&ids).await
    {
        unclaim(ctx, &ids).await?;
        return Err(error);
    }
    Ok(ids.len())
}

/// The queue forgot: everything unfinished is unpublished again.
async fn refill(ctx: &Ctx) -> Result<()> {
    tracing::info!("the queue has no memory of this deployment; republishing unfinished events");
    let tx = ctx.db.begin_write().await?;
    Entity::update_many()
        .col_expr(
            Column::PublishedAt,
            Expr::value(Option::<DateTime<Utc>>::None),
        )
        .filter(unfinished().add(Column::PublishedAt.is_not_null()))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    ctx.queue.mark_refilled().await
}

fn unfinished() -> Condition {
    Condition::all()
        .add(Column::DoneAt.is_null())
        .add(Column::DeadAt.is_null())
}

/// What was never handed over; when there is none, or on demand, also what is stale.
async fn claim(ctx: &Ctx, now: DateTime<Utc>, also_stale: bool) -> Result<Vec<Uuid>> {
    let mut ids = take(ctx, now, Column::PublishedAt.is_null()).await?;
    if also_stale || ids.is_empty() {
        match stale(ctx, now).await {
            Ok(stale) => ids.extend(stale),
            Err(error) => {
                unclaim(ctx, &ids).await?;
                return Err(error);
            }
        }
    }
    ids.sort_unstable();
    Ok(ids)
}

/// What was handed over long ago and is not finished, or is in nobody's hands.
async fn stale(ctx: &Ctx, now: DateTime<Utc>) -> Result<Vec<Uuid>> {
    // Whether one event is in the queue nobody can ask, but none is in an empty one.
    let patience = if ctx.queue.surely_empty().await? {
        ORPHANED_AFTER
    } else {
        ctx.config.queue.claim_after.get() * STALE_AFTER
    };
    let line = now.checked_sub_signed(patience);
    let old = Column::PublishedAt.lt(line.unwrap_or(DateTime::<Utc>::MIN_UTC));
    take(ctx, now, old).await
}

/// Marks as published what is due of these, and says which rows that were.
async fn take(ctx: &Ctx, now: DateTime<Utc>, which: Expr) -> Result<Vec<Uuid>> {
    let ready = Condition::any()
        .add(Column::RetryAt.is_null())
        .add(Column::RetryAt.lte(now));
    let mut pick = Query::select()
        .column(Column::Id)
        .from(Entity)
        .cond_where(unfinished().add(which).add(ready))
        // The order of the index of what is on its way. By id alone, statistics that lag behind lead PostgreSQL to look through
        // everything that is done, from the oldest row on.
        .order_by(Column::PublishedAt, Order::Asc)
        .order_by(Column::Id, Order::Asc)
        .limit(u64::try_from(FULL).unwrap_or(u64::MAX))
        .to_owned();
    if ctx.db.backend() == DbBackend::Sqlite {
        // A cheap look first: an idle relay must not take the writer.
        if ctx.db.read().query_all(&pick).await?.is_empty() {
            return Ok(Vec::new());
        }
    } else {
        pick.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    }
    let update = Query::update()
        .table(Entity)
        .value(Column::PublishedAt, now)
        .and_where(Expr::col(Column::Id).in_subquery(pick))
        .returning_col(Column::Id)
        .to_owned();
    // A mark that is lost lets the event be published again, which is harmless.
    let rows = ctx.db.mark(update).await?;
    let ids = rows
        .iter()
        .map(|row| row.try_get::<Uuid>("", "id"))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(ids)
}

async fn unclaim(ctx: &Ctx, ids: &[Uuid]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let tx = ctx.db.begin_write().await?;
    Entity::update_many()
        .col_expr(
            Column::PublishedAt,
            Expr::value(Option::<DateTime<Utc>>::None),
        )
        .filter(Column::Id.is_in(ids.iter().copied()))
        .exec(&tx)
        .await?;
    Ok(tx.commit().await?)
}
