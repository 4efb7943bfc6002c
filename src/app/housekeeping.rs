//! What a node does on the side: metrics are folded, old answers and pushes forgotten, the shared test clock followed.

use crate::{
    http,
    kernel::OrLog,
    platform::{Ctx, test_clock},
    push,
};
use metrics_exporter_prometheus::PrometheusHandle;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How often metrics are folded; without it a histogram that nobody scrapes would grow for ever.
const UPKEEP: Duration = Duration::from_secs(5);
/// How often old idempotency answers and pushes are looked for.
const FORGET: Duration = Duration::from_hours(1);
/// How late a node without workers may learn that the sandbox's clock was moved.
const FOLLOW: Duration = Duration::from_millis(200);

/// The running chores; dropping it ends them, none holds a transaction for long.
pub struct Housekeeping(Vec<JoinHandle<()>>);

impl Drop for Housekeeping {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// Starts the chores of a node. `follow`: it has no timer loop that would follow the clock.
pub(super) fn start(ctx: &Ctx, prometheus: PrometheusHandle, follow: bool) -> Housekeeping {
    let mut tasks = vec![tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            prometheus.run_upkeep();
        }
    })];
    let owned = ctx.clone();
    tasks.push(tokio::spawn(async move {
        loop {
            tokio::time::sleep(FORGET).await;
            http::forget_answers(&owned)
                .await
                .or_log("old idempotency answers stay another hour");
            push::forget_old(&owned)
                .await
                .or_log("old pushes of WeChat stay another hour");
        }
    }));
    if let (true, Some(clock)) = (follow, ctx.test_clock.clone()) {
        let db = ctx.db.clone();
        tasks.push(tokio::spawn(async move {
            loop {
                tokio::time::sleep(FOLLOW).await;
                test_clock::follow(&db, &clock)
                    .await
                    .or_log("one look at the shared test clock");
            }
        }));
    }
    Housekeeping(tasks)
}
