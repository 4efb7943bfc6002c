//! Trying a draft on the past: the same engine, the recorded facts, nobody is written to.
//!
//! A run is a row, so that any node can tell how far it is and stop it. Its node reads pages of recorded events in the order
//! they happened and shares each among as many threads as there are processors. What they find to be given goes to one more, which
//! keeps the limits.

mod coverage;
mod gift;
mod limits;
mod outcome;
mod programme;
mod promises;
mod shard;
mod source;
mod table;

pub(super) use outcome::BacktestOut;
pub(super) use table::{BacktestRun, cancel, progress};

use super::{
    live::{aside, compile, live},
    ruleset::by_id,
};
use crate::{
    kernel::{AppError, OrLog, Result},
    platform::Ctx,
    rule::CompiledRuleSet,
};
use chrono::{DateTime, Utc};
use entity::{
    ids::{AccountId, BacktestId, RulesetId},
    values::BacktestState,
};
use limits::{BothLimits, Wish};
use shard::{Shard, Sides};
use source::Source;
use std::sync::Arc;
use tokio::task::{JoinHandle, spawn_blocking};

/// Events between two words about how far a run is.
const TELL_EVERY: i64 = 5_000;

/// What is asked for.
pub(super) struct Order {
    pub(super) draft: RulesetId,
    pub(super) span: (DateTime<Utc>, DateTime<Utc>),
    /// Another set; the live one when unsaid.
    pub(super) against: Option<RulesetId>,
    pub(super) by: AccountId,
}

/// A run that is under way, with the task that does it.
pub(super) struct Started {
    pub(super) id: BacktestId,
    pub(super) task: JoinHandle<Result<Option<BacktestOut>>>,
}

/// Starts a run.
///
/// # Errors
/// `not_found` for an unknown set; `validation` for a span out of bounds; a draft that does not compile is
/// `invalid_state`, and so is a second run while one is under way.
pub(super) async fn start(ctx: &Ctx, order: Order) -> Result<Started> {
    if order.span.1 <= order.span.0 {
        return Err(AppError::field("/to", "range", "结束须晚于开始"));
    }
    let db = ctx.db.read();
    let draft = ready(ctx, order.draft, "草稿还不能运行,请先看检查结果").await?;
    let base = match order.against {
        Some(other) => ready(ctx, other, "对照的规则集还不能运行,请先看检查结果").await?,
        None => live(ctx, db).await?.rules.clone(),
    };
    let sides = Arc::new(Sides { draft, base });
    let source = Source::open(ctx, order.span, sides.most_rules()).await?;
    let id = table::begin(ctx, &order, source.total).await?;
    let ctx = ctx.clone();
    let task = tokio::spawn(async move {
        let ran = Box::pin(run(&ctx, id, source, sides)).await;
        if let Err(error) = &ran {
            tracing::warn!(backtest.id = %id, error = ?error, "a back-test failed");
            let end = table::end(&ctx, id, BacktestState::Failed, None).await;
            end.or_log("the end of a failed back-test was not written");
        }
        ran
    });
    Ok(Started { id, task })
}

/// A stored set, ready to run; `otherwise` says what is wrong when it is not.
async fn ready(ctx: &Ctx, id: RulesetId, otherwise: &'static str) -> Result<CompiledRuleSet> {
    let row = by_id(ctx.db.read(), id).await?;
    let compiled = aside(move || compile(&row.document)).await?;
    compiled.map_err(|_| AppError::invalid_state(otherwise))
}

/// Who hears how far a run is: its row, or whoever runs a command.
enum Hearer<'a> {
    Row(BacktestId),
    Told(&'a mut (dyn FnMut(i64, i64) + Send)),
}

impl Hearer<'_> {
    /// Says how far it is; true when somebody wants it to stop.
    async fn hear(&mut self, ctx: &Ctx, replayed: i64, total: i64) -> Result<bool> {
        match self {
            Self::Row(id) => table::report(ctx, *id, replayed).await,
            Self::Told(tell) => {
                tell(replayed, total);
                Ok(false)
            }
        }
    }
}

/// Replays a span through two sets that need not be stored; `tell` hears how many of how many are through.
///
/// # Errors
/// `validation` for a span out of bounds; a database fault.
pub async fn backtest_sets(
    ctx: &Ctx,
    (draft, base): (CompiledRuleSet, CompiledRuleSet),
    span: (DateTime<Utc>, DateTime<Utc>),
    tell: &mut (dyn FnMut(i64, i64) + Send),
) -> Result<serde_json::Value> {
    if span.1 <= span.0 {
        return Err(AppError::field("/to", "range", "结束须晚于开始"));
    }
    let sides = Arc::new(Sides { draft, base });
    let source = Source::open(ctx, span, sides.most_rules()).await?;
    let out = replayed(ctx, Hearer::Told(tell), source, sides).await?;
    Ok(serde_json::to_value(out.unwrap_or_default())?)
}

/// A run with a row; `None` when somebody stopped it.
async fn run(
    ctx: &Ctx,
    id: BacktestId,
    source: Source,
    sides: Arc<Sides>,
) -> Result<Option<BacktestOut>> {
    let Some(out) = Box::pin(replayed(ctx, Hearer::Row(id), source, sides)).await? else {
        table::end(ctx, id, BacktestState::Cancelled, None).await?;
        return Ok(None);
    };
    let stored = serde_json::to_value(&out)?;
    table::end(ctx, id, BacktestState::Done, Some(stored)).await?;
    Ok(Some(out))
}

/// Reads, replays and sums up; `None` when somebody wants it to stop.
async fn replayed(
    ctx: &Ctx,
    mut hearer: Hearer<'_>,
    mut source: Source,
    sides: Arc<Sides>,
) -> Result<Option<BacktestOut>> {
    let span = source.span;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut idle: Vec<Shard> = (0..threads)
        .map(|_| Shard::new(Arc::clone(&sides)))
        .collect();
    let mut busy: Vec<JoinHandle<Shard>> = Vec::new();
    let limits = BothLimits::new(&sides, ctx.config.referral.per_quarter);
    let mut giving = spawn_blocking(move || limits);
    let (mut replayed, mut told): (i64, i64) = (0, 0);
    // The next page is read while this one is judged, and what the one before gives is kept within limits meanwhile. A page waits
    // for the one before, because limits are kept in the order things happened.
    while let Some(page) = source.next(ctx).await? {
        replayed = replayed.saturating_add(i64::try_from(page.len()).unwrap_or(i64::MAX));
        idle.extend(joined(std::mem::take(&mut busy)).await?);
        giving = given(giving, &mut idle).await?;
        let parts = page.parts(threads);
        for (mut shard, part) in idle.drain(..).zip(parts) {
            // Rules over thousands of events are work for a thread of its own: those that serve others must not wait for it.
            busy.push(spawn_blocking(move || {
                shard.replay(part);
                shard
            }));
        }
        // Small pages are not each worth a word.
        if replayed - told >= TELL_EVERY {
            told = replayed;
            if hearer.hear(ctx, replayed, source.total).await? {
                return Ok(None);
            }
        }
    }
    if replayed > told && hearer.hear(ctx, replayed, source.total).await? {
        return Ok(None);
    }
    idle.extend(joined(busy).await?);
    let giving = given(giving, &mut idle).await?;
    let programme = programme::count(ctx, span, &sides).await?;
    let limits = giving.await.map_err(AppError::internal)?;
    let (mut out, coverage) = outcome::sum_up(idle, &limits, programme, &sides);
    let held = (&coverage, &*source.shapes);
    out.not_recorded = coverage::not_recorded(ctx.db.read(), &sides, held).await?;
    out.note();
    source::count_blocked(ctx, span, &mut out).await?;
    Ok(Some(out))
}

/// Hands on what the threads found in a page to be given, once the page before it is given: beside the judging of the next.
async fn given(
    before: JoinHandle<BothLimits>,
    shards: &mut [Shard],
) -> Result<JoinHandle<BothLimits>> {
    let mut limits = before.await.map_err(AppError::internal)?;
    let mut wishes: [Vec<Wish>; 2] = Default::default();
    for shard in shards {
        for (all, some) in wishes.iter_mut().zip(&mut shard.wishes) {
            all.append(some);
        }
    }
    Ok(spawn_blocking(move || {
        limits.give(wishes);
        limits
    }))
}

/// The shards of threads that are through, in the order they were sent off.
async fn joined(busy: Vec<JoinHandle<Shard>>) -> Result<Vec<Shard>> {
    let mut shards = Vec::with_capacity(busy.len());
    for one in busy {
        shards.push(one.await.map_err(AppError::internal)?);
    }
    Ok(shards)
}

/// Both sides ready to run; shared by all threads.
impl Sides {
    fn most_rules(&self) -> usize {
        let [draft, base] = self.each().map(|set| set.rules.len());
        draft.max(base)
    }

    fn each(&self) -> [&CompiledRuleSet; 2] {
        [&self.draft, &self.base]
    }
}
