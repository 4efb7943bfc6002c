//! Running everything that is due, until nothing is.

use super::{Registry, consume, relay, timer};
use crate::{kernel::Result, platform::Ctx};
use entity::outbox;
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter};
use std::time::Duration;

/// Drives timers, relay and consumers in the caller's task until nothing is due. For tests and offline commands,
/// where no background workers run.
///
/// # Errors
/// The first database or queue fault.
pub async fn drain(ctx: &Ctx, registry: &Registry) -> Result<()> {
    loop {
        let fired = timer::fire_due(ctx).await?;
        let published = relay::once(ctx, false).await?;
        let handled = consume::once(ctx, registry, Duration::from_millis(1)).await?;
        if fired + published + handled == 0 && quiet(ctx).await? {
            return Ok(());
        }
    }
}

/// Waits until background workers have left nothing due, at most `limit`; says whether they have.
///
/// # Errors
/// A database fault.
pub async fn settle(ctx: &Ctx, limit: Duration) -> Result<bool> {
    let start = std::time::Instant::now();
    ctx.wake.notify_one();
    while start.elapsed() < limit {
        if quiet(ctx).await? {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(false)
}

async fn quiet(ctx: &Ctx) -> Result<bool> {
    let now = ctx.env.now();
    let ready = Condition::any()
        .add(outbox::Column::RetryAt.is_null())
        .add(outbox::Column::RetryAt.lte(now));
    let left = outbox::Entity::find()
        .filter(outbox::Column::DoneAt.is_null())
        .filter(outbox::Column::DeadAt.is_null())
        .filter(ready)
        .count(ctx.db.read())
        .await?;
    Ok(left == 0 && timer::due(ctx).await? == 0)
}
