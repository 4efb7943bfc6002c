//! Each node keeps the version in force compiled before the first event needs it, and the ones that wait.
//!
//! No node judges by what it remembers: which version counts is asked of the database each time ([`super::live_at`]). So
//! all of this is about being ready, and any of it may fail.

use super::{live, schedule, tenure};
use crate::{
    kernel::{OrLog, Result},
    platform::Ctx,
};
use chrono::{DateTime, Utc};
use entity::ids::RulesetId;
use std::{
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinHandle;

/// How late a node learns of a switch when no bell tells it.
const POLL: Duration = Duration::from_millis(500);

/// Shortest pause.
const SOON: Duration = Duration::from_millis(20);

/// Which version a node has ready.
#[derive(Clone, Default)]
pub struct Ready(Arc<AtomicI32>);

impl Ready {
    /// The version in force that is compiled here; `None` before the first look.
    pub fn version(&self) -> Option<i32> {
        Some(self.0.load(Ordering::Acquire)).filter(|version| *version > 0)
    }
}

/// The running watch of a node; dropping it ends it.
pub struct Watch(Vec<JoinHandle<()>>);

impl Drop for Watch {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// Makes the version in force ready, then keeps watching: woken by the bell, by the next moment a version waits for, and
/// twice a second.
pub async fn watch(ctx: &Ctx, ready: &Ready) -> Watch {
    let mut seen = Seen::default();
    first(ctx, ready, &mut seen).await;
    let (ringing, owned, ready) = (ctx.bell.clone(), ctx.clone(), ready.clone());
    let relay = tokio::spawn(async move { ringing.relay().await });
    let looking = tokio::spawn(async move {
        let mut ears = owned.bell.ears();
        loop {
            let pause = seen.pause(owned.env.now());
            // Rung or slept: both mean "look again".
            tokio::time::timeout(pause, ears.changed()).await.ok();
            first(&owned, &ready, &mut seen).await;
        }
    });
    Watch(vec![relay, looking])
}

/// One look, for nodes on which nothing happens by itself.
pub async fn look_once(ctx: &Ctx, ready: &Ready) {
    first(ctx, ready, &mut Seen::default()).await;
}

async fn first(ctx: &Ctx, ready: &Ready, seen: &mut Seen) {
    look(ctx, ready, seen)
        .await
        .or_log("one look at the rules in force");
}

/// What a watch has made ready.
#[derive(Default)]
struct Seen {
    live: Option<RulesetId>,
    waiting: Vec<(RulesetId, DateTime<Utc>)>,
    next: Option<DateTime<Utc>>,
}

impl Seen {
    fn pause(&self, now: DateTime<Utc>) -> Duration {
        let left = self.next.and_then(|at| (at - now).to_std().ok());
        // A moment that has come and is not settled yet is looked at again a little later.
        left.map_or(POLL, |left| left.clamp(SOON, POLL))
    }
}

async fn look(ctx: &Ctx, ready: &Ready, seen: &mut Seen) -> Result<()> {
    let db = ctx.db.read();
    if let Some(open) = tenure::open(db).await?
        && seen.live != Some(open.ruleset_id)
    {
        let set = live::published(db, open.ruleset_id).await?;
        ready.0.store(set.version, Ordering::Release);
        metrics::gauge!("linjian_ruleset_version").set(f64::from(set.version));
        seen.live = Some(open.ruleset_id);
    }
    let expected = schedule::expected(db).await?;
    seen.next = expected.iter().find_map(|(_, _, at)| *at);
    let expected: Vec<(RulesetId, DateTime<Utc>)> =
        expected.into_iter().map(|(id, at, _)| (id, at)).collect();
    for one in &expected {
        if !seen.waiting.contains(one) {
            live::prepare(db, one.0).await?;
        }
    }
    seen.waiting = expected;
    Ok(())
}
