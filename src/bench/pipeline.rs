//! Rating → invitation on a running configuration: at a steady rate, and as fast as it goes.

use super::{
    seed::{self, Visit},
    watch::Watch,
};
use crate::{
    demo::Client,
    kernel::{AppError, OrLog, Result},
    outbox,
    platform::Ctx,
    rating::RatingSubmitted,
};
use entity::{
    evaluation,
    ids::{EventId, RatingId},
    invitation, outbox as event, rating,
    values::{CommentStatus, Score},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How much load, bounded.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Ratings per second of the steady part.
    pub rate: u32,
    /// Seconds of the steady part.
    pub seconds: u32,
    /// Ratings of the burst.
    pub burst: u32,
    /// Ratings each customer of the burst gives.
    pub each: u32,
}

/// Longest wait for anything to become of an event.
const PATIENCE: Duration = Duration::from_mins(5);
/// Seconds of the steady part that come before what is measured: connections are opened and statements prepared meanwhile.
const WARM_UP: u32 = 2;
/// Rows of a burst written in one transaction.
const CHUNK: usize = 200;

/// Loads the node at `base` and prints what was seen.
///
/// # Errors
/// `invalid_state` in live mode, on a database with real customers, or when no node handles events.
pub async fn pipeline(ctx: &Ctx, base: String, load: Load) -> Result<()> {
    seed::admit(ctx).await?;
    let knocking = outbox::start_knocking(ctx);
    let loaded = Box::pin(load_node(ctx, base, load)).await;
    knocking.stop(Duration::from_secs(1)).await;
    loaded
}

async fn load_node(ctx: &Ctx, base: String, load: Load) -> Result<()> {
    let node = Client::new(base)?;
    let yes = seed::agreement(ctx, &node).await?;
    let many = |number: u32| usize::try_from(number).unwrap_or(0);
    let seconds = match load.seconds {
        0 => 0,
        measured => measured.saturating_add(WARM_UP),
    };
    let steady = many(load.rate) * many(seconds);
    println!("写入虚构客户与已完成的服务 …");
    let visits = seed::visits(ctx, &yes, (steady, 1)).await?;
    at_rate(ctx, load, visits).await?;
    let each = many(load.each).max(1);
    let visits = seed::visits(ctx, &yes, (many(load.burst) / each, each)).await?;
    at_once(ctx, visits).await
}

async fn rate(tx: &DatabaseTransaction, ctx: &Ctx, visits: &[Visit]) -> Result<Vec<EventId>> {
    let mut rows = Vec::with_capacity(visits.len());
    let mut told = Vec::with_capacity(visits.len());
    for visit in visits {
        let id: RatingId = ctx.env.id();
        rows.push(rating::ActiveModel {
            id: Set(id),
            booking_id: Set(visit.booking),
            customer_id: Set(visit.customer),
            worker_id: Set(None),
            quality: Set(5),
            punctuality: Set(5),
            attitude: Set(5),
            communication: Set(5),
            value: Set(5),
            score: Set(Score(500)),
            comment: Set(None),
            comment_status: Set(CommentStatus::None),
            submitted_at: Set(ctx.env.now()),
        });
        told.push(RatingSubmitted {
            rating_id: id,
            booking_id: visit.booking,
            customer_id: visit.customer,
            worker_id: None,
            score: Score(500),
        });
    }
    rating::Entity::insert_many(rows)
        .exec_without_returning(tx)
        .await?;
    outbox::append_all(tx, &ctx.env, &told).await
}

/// One rating a transaction, at a steady rate.
async fn at_rate(ctx: &Ctx, load: Load, visits: Vec<Visit>) -> Result<()> {
    if visits.is_empty() {
        return Ok(());
    }
    let watch = Arc::new(Watch::default());
    let looking = {
        let (ctx, watch) = (ctx.clone(), Arc::clone(&watch));
        tokio::spawn(async move {
            loop {
                watch
                    .look(&ctx)
                    .await
                    .or_log("one look at what became of the ratings");
            }
        })
    };
    let warm = usize::try_from(load.rate.saturating_mul(WARM_UP)).unwrap_or(0);
    let total = visits.len().saturating_sub(warm);
    let mut began = Instant::now();
    let mut pace = tokio::time::interval(Duration::from_secs(1) / load.rate.max(1));
    let mut writers = tokio::task::JoinSet::new();
    for (place, visit) in visits.into_iter().enumerate() {
        pace.tick().await;
        let measured = place >= warm;
        if place == warm {
            began = Instant::now();
        }
        let (ctx, watch) = (ctx.clone(), Arc::clone(&watch));
        writers.spawn(async move {
            let tx = ctx.db.begin_write().await?;
            let events = rate(&tx, &ctx, &[visit]).await?;
            ctx.commit(tx).await?;
            for event in events {
                watch.begin(event, measured);
            }
            Ok::<(), AppError>(())
        });
    }
    while let Some(written) = writers.join_next().await {
        written.map_err(AppError::internal)??;
    }
    let offered = began.elapsed();
    let patience = Instant::now();
    while watch.left() > 0 && patience.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    looking.abort();
    let (invited, others) = watch.result(ctx).await?;
    println!(
        "匀速:预热 {WARM_UP} s 不计;{total} 条评分,用时 {:.1} s({:.0} 条/秒);生成邀约 {},按规则不邀约 {others},未处理 {}",
        offered.as_secs_f64(),
        per_second(total, offered),
        invited.len(),
        watch.left()
    );
    for (name, share) in [("p50", 500), ("p95", 950), ("p99", 990), ("p99.9", 999)] {
        let nth = (invited.len() * share / 1_000).min(invited.len().saturating_sub(1));
        if let Some(took) = invited.get(nth) {
            println!(
                "评分提交 → 邀约可见 {name:>6} {:8.1} ms",
                took.as_secs_f64() * 1_000.0
            );
        }
    }
    lost(watch.left())
}

fn lost(left: usize) -> Result<()> {
    if left == 0 {
        Ok(())
    } else {
        Err(AppError::internal(format!(
            "{left} events were not handled"
        )))
    }
}

fn per_second(many: usize, took: Duration) -> f64 {
    let many = u32::try_from(many).map_or(f64::MAX, f64::from);
    many / took.as_secs_f64().max(0.001)
}

/// All ratings as fast as they can be written; measured from the first commit to the last event done.
async fn at_once(ctx: &Ctx, visits: Vec<Visit>) -> Result<()> {
    if visits.is_empty() {
        return Ok(());
    }
    let total = visits.len();
    let before = handled(ctx).await?;
    let invitations = invitation::Entity::find().count(ctx.db.read()).await?;
    let began = Instant::now();
    let mut ids = Vec::with_capacity(total);
    for chunk in visits.chunks(CHUNK) {
        let tx = ctx.db.begin_write().await?;
        ids.extend(rate(&tx, ctx, chunk).await?);
        ctx.commit(tx).await?;
    }
    let written = began.elapsed();
    let wanted = before.saturating_add(u64::try_from(total).unwrap_or(u64::MAX));
    let mut done = before;
    while done < wanted && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(250)).await;
        done = handled(ctx).await?;
    }
    let took = began.elapsed();
    let asked = invitation::Entity::find().count(ctx.db.read()).await?;
    let dead = event::Entity::find()
        .filter(event::Column::DeadAt.is_not_null())
        .count(ctx.db.read())
        .await?;
    println!(
        "突发:{total} 条评分,写入 {:.1} s,全部处理完 {:.1} s = {:.0} 条/秒;新邀约 {},死信 {dead},未处理 {}",
        written.as_secs_f64(),
        took.as_secs_f64(),
        per_second(total, took),
        asked.saturating_sub(invitations),
        wanted.saturating_sub(done)
    );
    lost(usize::try_from(wanted.saturating_sub(done)).unwrap_or(usize::MAX))
}

/// Events judged so far.
async fn handled(ctx: &Ctx) -> Result<u64> {
    Ok(evaluation::Entity::find().count(ctx.db.read()).await?)
}
