//! Signs of life, metrics, and the sandbox's movable clock.

use crate::{
    http::{Problem, Valid},
    identity::{Actor, Manager},
    kernel::{AppError, Result, Span},
    outbox,
    platform::{Ctx, test_clock},
    referral,
};
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(healthz).service(readyz).service(metrics);
}

pub(super) fn admin_routes(cfg: &mut ServiceConfig) {
    cfg.service(advance);
}

/// The process is alive.
#[utoipa::path(tag = "operations", responses((status = 200)))]
#[get("/healthz")]
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "ok" }))
}

/// Database, queue and blob store answer; `ruleset_version` is the version of the rules this node has ready.
#[utoipa::path(tag = "operations", responses((status = 200), (status = 503, body = Problem)))]
#[get("/readyz")]
async fn readyz(ctx: web::Data<Ctx>, rules: web::Data<referral::Ready>) -> Result<HttpResponse> {
    ctx.db.ping().await?;
    ctx.queue.ping().await?;
    ctx.blobs.ping().await?;
    Ok(HttpResponse::Ok().json(serde_json::json!({
        "database": "ok", "queue": "ok", "blob": "ok", "ruleset_version": rules.version(),
    })))
}

/// Prometheus metrics.
#[utoipa::path(tag = "operations", responses((status = 200, content_type = "text/plain")))]
#[get("/metrics")]
async fn metrics(
    ctx: web::Data<Ctx>,
    prometheus: web::Data<PrometheusHandle>,
) -> Result<HttpResponse> {
    if !ctx.config.http.metrics {
        return Err(AppError::not_found());
    }
    Ok(HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(prometheus.render()))
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct AdvanceIn {
    /// ISO 8601 duration, days to seconds.
    #[schema(value_type = String, example = "PT2H")]
    advance: Span,
}

#[derive(Serialize, utoipa::ToSchema)]
struct AdvanceOut {
    now: DateTime<Utc>,
}

/// Move the deployment's clock forward; sandbox mode only. Answers when timers and their events have run.
#[utoipa::path(tag = "sandbox", security(("bearer" = [])), request_body = AdvanceIn,
    responses((status = 200, body = AdvanceOut), (status = 404, body = Problem)))]
#[post("/test-clock")]
async fn advance(
    ctx: web::Data<Ctx>,
    _: Actor<Manager>,
    body: Valid<AdvanceIn>,
) -> Result<HttpResponse> {
    let clock = ctx.test_clock.as_ref().ok_or_else(AppError::not_found)?;
    let now = test_clock::advance(&ctx.db, clock, body.value.advance.get()).await?;
    // Best effort: a node without workers must not make the caller wait for long.
    outbox::settle(&ctx, Duration::from_secs(5)).await?;
    Ok(HttpResponse::Ok().json(AdvanceOut { now }))
}
