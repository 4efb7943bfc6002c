//! The background loops of a node that works: timers, relay, consumers.

use super::{Registry, consume, relay, timer};
use crate::{
    kernel::{OrLog, Result},
    platform::{Ctx, test_clock},
};
use futures_util::FutureExt;
use sea_orm::DbBackend;
use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle};

/// How often an unwoken relay looks: other nodes' events and retries come this late at most.
const POLL: Duration = Duration::from_millis(200);
/// How long a relay that found little waits for more.
const GATHER: Duration = Duration::from_millis(4);
/// Pause after a fault, so that a dead database is not hammered.
const PAUSE: Duration = Duration::from_millis(500);

/// The running loops.
pub struct Workers {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Lets events in flight finish, at most `grace`, then stops.
    pub async fn stop(self, grace: Duration) {
        self.stop
            .send(true)
            .or_log("the workers had stopped by themselves");
        // One deadline for all of them, not one each.
        let deadline = tokio::time::Instant::now() + grace;
        for task in self.tasks {
            let abort = task.abort_handle();
            if tokio::time::timeout_at(deadline, task).await.is_err() {
                abort.abort();
            }
        }
    }
}

/// Starts the loops.
pub fn start(ctx: &Ctx, registry: &Registry) -> Workers {
    let (stop, stopped) = watch::channel(false);
    // SQLite has one writer: more consumers would only queue for it.
    let consumers = if ctx.db.backend() == DbBackend::Sqlite {
        1
    } else {
        4
    };
    let rounds = Arc::new(AtomicU32::new(0));
    let mut tasks = vec![
        spawn(stopped.clone(), ctx.clone(), move |ctx| {
            relaying(ctx, Arc::clone(&rounds))
        }),
        spawn(stopped.clone(), ctx.clone(), timing),
    ];
    tasks.extend(listening(ctx, &stopped));
    for _ in 0..consumers {
        let registry = registry.clone();
        tasks.push(spawn(stopped.clone(), ctx.clone(), move |ctx| {
            consuming(ctx, registry.clone())
        }));
    }
    Workers { stop, tasks }
}

/// Starts what a node does that only writes events: it knocks at the door of those that work.
pub fn start_knocking(ctx: &Ctx) -> Workers {
    let (stop, stopped) = watch::channel(false);
    let tasks = vec![spawn(stopped, ctx.clone(), knocking)];
    Workers { stop, tasks }
}

/// Knocks in a row are one.
const KNOCK: Duration = Duration::from_millis(4);

async fn knocking(ctx: Ctx) -> Result<()> {
    if tokio::time::timeout(POLL, ctx.wake.notified())
        .await
        .is_ok()
    {
        ctx.door.ring().await;
        tokio::time::sleep(KNOCK).await;
    }
    Ok(())
}

/// Hears the knocks of other nodes and wakes the relay; without Redis there are none.
fn listening(ctx: &Ctx, stopped: &watch::Receiver<bool>) -> [JoinHandle<()>; 2] {
    let (bell, mut end) = (Arc::clone(&ctx.door), stopped.clone());
    let hearing = tokio::spawn(async move {
        let ended = async { while !*end.borrow_and_update() && end.changed().await.is_ok() {} };
        tokio::select! {
            () = bell.relay() => {}
            () = ended => {}
        }
    });
    let mut ears = ctx.door.ears();
    let (wake, mut end) = (Arc::clone(&ctx.wake), stopped.clone());
    let waking = tokio::spawn(async move {
        while !*end.borrow_and_update() {
            tokio::select! {
                heard = ears.changed() => match heard {
                    Ok(()) => wake.notify_one(),
                    Err(_) => return,
                },
                _ = end.changed() => {}
            }
        }
    });
    [hearing, waking]
}

fn spawn<F, Fut>(mut stopped: watch::Receiver<bool>, ctx: Ctx, step: F) -> JoinHandle<()>
where
    F: Fn(Ctx) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send,
{
    tokio::spawn(async move {
        while !*stopped.borrow_and_update() {
            // A step is never cut short: what it began it finishes, then the flag is read.
            match AssertUnwindSafe(step(ctx.clone())).catch_unwind().await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => {
                    tracing::warn!(error = ?error, "a background step failed; it will be repeated");
                }
                Err(_) => tracing::error!("a background step panicked; it will be repeated"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    })
}

/// Rounds of a relay between two looks for what is stale.
const STALE_EVERY: u32 = 64;

async fn relaying(ctx: Ctx, rounds: Arc<AtomicU32>) -> Result<()> {
    let round = rounds.fetch_add(1, Ordering::Relaxed);
    match relay::once(&ctx, round.is_multiple_of(STALE_EVERY)).await? {
        0 => drop(tokio::time::timeout(POLL, ctx.wake.notified()).await),
        // Those who write keep writing: what comes in the next moment goes together, instead of each by itself.
        few if few < relay::FULL => tokio::time::sleep(GATHER).await,
        _ => {}
    }
    Ok(())
}

async fn timing(ctx: Ctx) -> Result<()> {
    if let Some(clock) = &ctx.test_clock {
        test_clock::follow(&ctx.db, clock).await?;
    }
    if timer::fire_due(&ctx).await? == 0 {
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

async fn consuming(ctx: Ctx, registry: Registry) -> Result<()> {
    consume::once(&ctx, &registry, POLL).await.map(drop)
}
