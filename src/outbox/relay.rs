//! Handing unpublished events to the queue.
//!
//! A row is due when it was never published, when its retry moment has come, when it was published long ago and is not
//! finished, or when the queue lost its memory: then every unfinished row is due again. Publishing twice is harmless, because consumers keep an inbox.

use crate::{kernel::Result, platform::Ctx};
use chrono::{DateTime, Utc};
use entity::outbox::{Column, Entity};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter,
    sea_query::{Expr, LockBehavior, LockType, Order, Query},
};
use uuid::Uuid;

/// Rows handed over at once.
const BATCH: u64 = 256;
/// An event that was handed over so many claim times ago and is not finished is handed over again: its relay may have
/// died between marking and publishing, or its consumer with the queue's only copy.
const STALE_AFTER: i32 = 10;

/// Publishes one batch and says how many rows it held.
///
/// # Errors
/// A database or queue fault; the rows stay due.
pub async fn once(ctx: &Ctx) -> Result<usize> {
    if !ctx.queue.intact().await? {
        refill(ctx).await?;
    }
    let now = ctx.env.now();
    let ids = claim(ctx, now).await?;
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

async fn claim(ctx: &Ctx, now: DateTime<Utc>) -> Result<Vec<Uuid>> {
    // A cheap look first: an idle relay must not take the writer.
    let stale = now.checked_sub_signed(ctx.config.queue.claim_after.get() * STALE_AFTER);
    let unpublished = Condition::any()
        .add(Column::PublishedAt.is_null())
        .add(Column::PublishedAt.lt(stale.unwrap_or(DateTime::<Utc>::MIN_UTC)));
    let ready = Condition::any()
        .add(Column::RetryAt.is_null())
        .add(Column::RetryAt.lte(now));
    let due = unfinished().add(unpublished).add(ready);
    let pick = Query::select()
        .column(Column::Id)
        .from(Entity)
        .cond_where(due)
        .order_by(Column::Id, Order::Asc)
        .limit(BATCH)
        .to_owned();
    if ctx.db.read().query_all(&pick).await?.is_empty() {
        return Ok(Vec::new());
    }
    let mut pick = pick;
    pick.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    let update = Query::update()
        .table(Entity)
        .value(Column::PublishedAt, now)
        .and_where(Expr::col(Column::Id).in_subquery(pick))
        .returning_col(Column::Id)
        .to_owned();
    let tx = ctx.db.begin_write().await?;
    let rows = tx.query_all(&update).await?;
    tx.commit().await?;
    let mut ids = rows
        .iter()
        .map(|row| row.try_get::<Uuid>("", "id"))
        .collect::<Result<Vec<_>, _>>()?;
    ids.sort_unstable();
    Ok(ids)
}

async fn unclaim(ctx: &Ctx, ids: &[Uuid]) -> Result<()> {
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
