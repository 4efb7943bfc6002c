//! What a node does on the side: metrics are folded, old answers and pushes forgotten, the shared test clock followed.

use crate::{
    config::WechatMode,
    http, intake,
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

/// How often platform certificates are fetched; WeChat announces new ones a day before they sign (spec 2.2).
const RENEW: Duration = Duration::from_hours(12);
/// How soon after a failure.
const RENEW_AGAIN: Duration = Duration::from_mins(1);

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
            intake::forget_old(&owned)
                .await
                .or_log("old events of third parties stay another hour");
        }
    }));
    if ctx.config.wechat.mode == WechatMode::Live && ctx.config.wechat.platform_certificates {
        tasks.push(tokio::spawn(renew_certificates(ctx.clone())));
    }
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

async fn renew_certificates(ctx: Ctx) {
    loop {
        let renewed = ctx.wechat.renew_certificates().await;
        let done = renewed.or_log("platform certificates; the old ones stay");
        tokio::time::sleep(if done.is_some() { RENEW } else { RENEW_AGAIN }).await;
    }
}
