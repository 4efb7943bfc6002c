//! Marketing's calls to try a draft on the past.

use super::{
    backtest::{self, BacktestOut, BacktestRun, Order},
    simulate::{self, CaseIn, CaseOut},
};
use crate::{
    http::{Problem, Valid},
    identity::{Actor, Marketing},
    kernel::{AppError, Result},
    platform::Ctx,
};
use actix_web::{HttpRequest, HttpResponse, get, http::header, post, web};
use chrono::{DateTime, NaiveDate, Utc};
use entity::ids::{BacktestId, RulesetId};
use serde::Deserialize;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Registers the calls under `/admin`.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(run)
        .service(one)
        .service(cancel)
        .service(simulate_one);
}

/// A moment or a business date.
#[derive(Deserialize)]
#[serde(untagged)]
enum Bound {
    At(DateTime<Utc>),
    On(NaiveDate),
}

impl Bound {
    fn moment(&self) -> DateTime<Utc> {
        match self {
            Self::At(at) => *at,
            Self::On(day) => crate::kernel::day_bounds(*day).0,
        }
    }
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct BacktestIn {
    /// RFC 3339 or a date.
    #[schema(value_type = String)]
    from: Bound,
    /// RFC 3339 or a date, excluded.
    #[schema(value_type = String)]
    to: Bound,
    /// `live`, or the id of another set.
    against: String,
}

/// Replay recorded events through this set and another, and say what people get more or less for the same event, whichever rule it
/// comes from. The facts are those recorded then: a fact the rules of that time did not read, an event they did not listen to,
/// and whoever had not consented are not in it, so a draft that looks at new facts fires less here than it will; `not_recorded`
/// and `notes` name what is missing. Figures are before limits; `within_limits` is within them, and says which held. Answers when it is
/// through; with `Prefer: respond-async` (RFC 7240) at once, 202, and `Location` says where it tells how far it is. One run at a
/// time.
#[utoipa::path(tag = "staff", request_body = BacktestIn, security(("bearer" = [])),
    params(("Prefer" = Option<String>, Header, description = "`respond-async` to be answered at once")),
    responses((status = 200, body = BacktestOut), (status = 202, body = BacktestRun), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
#[post("/rulesets/{id}/backtest")]
async fn run(
    ctx: web::Data<Ctx>,
    actor: Actor<Marketing>,
    request: HttpRequest,
    id: web::Path<RulesetId>,
    body: Valid<BacktestIn>,
) -> Result<HttpResponse> {
    let against = match body.value.against.as_str() {
        "live" => None,
        other => {
            let id = other.parse::<uuid::Uuid>().map(RulesetId);
            Some(id.map_err(|_| AppError::field("/against", "format", "应为 live 或规则集编号"))?)
        }
    };
    let order = Order {
        draft: *id,
        span: (body.value.from.moment(), body.value.to.moment()),
        against,
        by: actor.id,
    };
    let started = backtest::start(&ctx, order).await?;
    let prefer = request.headers().get("Prefer");
    let prefer = prefer
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if prefer
        .split([',', ';'])
        .any(|part| part.trim() == "respond-async")
    {
        let place = format!("/api/v1/admin/backtests/{}", started.id);
        return Ok(HttpResponse::Accepted()
            .insert_header((header::LOCATION, place))
            .json(backtest::progress(&ctx, started.id).await?));
    }
    match started.task.await.map_err(AppError::internal)?? {
        Some(out) => Ok(HttpResponse::Ok().json(out)),
        None => Err(AppError::invalid_state("回测被取消")),
    }
}

/// How far a run is, and what came out.
#[utoipa::path(tag = "staff", security(("bearer" = [])),
    responses((status = 200, body = BacktestRun), (status = 404, body = Problem)))]
#[get("/backtests/{id}")]
async fn one(
    ctx: web::Data<Ctx>,
    _: Actor<Marketing>,
    id: web::Path<BacktestId>,
) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(backtest::progress(&ctx, *id).await?))
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct StopIn {}

/// Stop a run.
#[utoipa::path(tag = "staff", request_body = StopIn, security(("bearer" = [])),
    responses((status = 200, body = BacktestRun), (status = 404, body = Problem)))]
#[post("/backtests/{id}/cancel")]
async fn cancel(
    ctx: web::Data<Ctx>,
    _: Actor<Marketing>,
    id: web::Path<BacktestId>,
    _: Valid<StopIn>,
) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(backtest::cancel(&ctx, *id).await?))
}

/// One hand-made case through this set, seen by the inviter and by his friend: what each is asked and given, which rules do not
/// fire and the smallest change that would let them. Nothing is written; caps and fatigue are those of real people and not
/// simulated.
#[utoipa::path(tag = "staff", request_body = CaseIn, security(("bearer" = [])),
    responses((status = 200, body = CaseOut), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
#[post("/rulesets/{id}/simulate")]
async fn simulate_one(
    ctx: web::Data<Ctx>,
    _: Actor<Marketing>,
    id: web::Path<RulesetId>,
    body: Valid<CaseIn>,
) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(simulate::run(&ctx, *id, body.value).await?))
}
