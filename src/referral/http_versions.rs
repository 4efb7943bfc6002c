//! Marketing's calls about versions: publishing, at once or at a time, rolling back, files, differences.

use super::{
    document,
    http_rules::{NothingIn, RulesetOut, brief},
    publish, ruleset, schedule, tenure,
};
use crate::{
    http::{Idem, Problem, Text, Valid, ValidQuery},
    identity::{Actor, Marketing},
    kernel::{AppError, Result},
    platform::Ctx,
    rule::{Difference, MAX_BYTES},
};
use actix_web::{
    HttpResponse, get,
    http::{StatusCode, header},
    post, web,
};
use chrono::{DateTime, Utc};
use entity::{
    ids::{AccountId, RulesetId},
    ruleset_tenure,
    values::TenureHow,
};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Spans of time shown.
const SPANS: u64 = 100;

/// Registers the calls whose paths would be taken for an id.
pub(super) fn routes_first(cfg: &mut ServiceConfig) {
    cfg.service(rollback).service(import).service(tenures);
}

/// Registers the others.
pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(publish_one)
        .service(unschedule)
        .service(export)
        .service(diff);
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct PublishIn {
    /// When it shall become live; at once when unsaid.
    at: Option<DateTime<Utc>>,
}

/// Put a set in force, at once or at a moment ahead; refused while anything blocks it. A moment ahead makes it
/// `scheduled`; everything is asked again when the moment comes, and what may not be published any more then goes back to
/// what it was, with a task for marketing. Sent again with another moment, it is moved.
#[utoipa::path(tag = "staff", request_body = PublishIn, security(("bearer" = [])),
    responses((status = 200, body = RulesetOut), (status = 409, body = Problem), (status = 422, body = Problem)))]
#[post("/rulesets/{id}/publish")]
async fn publish_one(
    ctx: web::Data<Ctx>,
    actor: Actor<Marketing>,
    id: web::Path<RulesetId>,
    idem: Idem,
    body: Valid<PublishIn>,
) -> Result<HttpResponse> {
    let go = async |tx: &DatabaseTransaction| {
        let row = match body.value.at {
            None => publish::publish(&ctx, tx, *id, actor.id).await?,
            Some(at) => schedule::schedule(&ctx, tx, (*id, actor.id), at).await?,
        };
        Ok(brief(row))
    };
    let answer = idem
        .of(actor.id, &body.hash)
        .run(&ctx, StatusCode::OK, go)
        .await?;
    ctx.bell.ring().await;
    Ok(answer)
}

/// Take a set back that waits for its moment; it can be edited again.
#[utoipa::path(tag = "staff", request_body = NothingIn, security(("bearer" = [])),
    responses((status = 200, body = RulesetOut), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[post("/rulesets/{id}/unschedule")]
async fn unschedule(
    ctx: web::Data<Ctx>,
    actor: Actor<Marketing>,
    id: web::Path<RulesetId>,
    idem: Idem,
    body: Valid<NothingIn>,
) -> Result<HttpResponse> {
    let take_back =
        async |tx: &DatabaseTransaction| Ok(brief(schedule::unschedule(&ctx, tx, *id).await?));
    let answer = idem
        .of(actor.id, &body.hash)
        .run(&ctx, StatusCode::OK, take_back)
        .await?;
    ctx.bell.ring().await;
    Ok(answer)
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct RollbackIn {
    /// The version the live one replaced, when unsaid.
    version: Option<i32>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct RollbackOut {
    #[serde(flatten)]
    set: RulesetOut,
    /// Sets that waited for a moment and do not any more.
    unscheduled: Vec<RulesetOut>,
}

/// Put an earlier version back in force, now. Sets that wait for a moment are taken back with it and named in the answer:
/// whoever rolls back does not want the next switch by itself.
#[utoipa::path(tag = "staff", request_body = RollbackIn, security(("bearer" = [])),
    responses((status = 200, body = RollbackOut), (status = 404, body = Problem), (status = 422, body = Problem)))]
#[post("/rulesets/rollback")]
async fn rollback(
    ctx: web::Data<Ctx>,
    actor: Actor<Marketing>,
    idem: Idem,
    body: Valid<RollbackIn>,
) -> Result<HttpResponse> {
    let back = async |tx: &DatabaseTransaction| {
        let (set, waited) = publish::rollback(&ctx, tx, actor.id, body.value.version).await?;
        Ok(RollbackOut {
            set: brief(set),
            unscheduled: waited.into_iter().map(brief).collect(),
        })
    };
    let answer = idem
        .of(actor.id, &body.hash)
        .run(&ctx, StatusCode::OK, back)
        .await?;
    ctx.bell.ring().await;
    Ok(answer)
}

#[derive(Serialize, utoipa::ToSchema)]
struct TenureOut {
    ruleset_id: RulesetId,
    version: i32,
    from: DateTime<Utc>,
    /// Excluded; null for the one that goes on.
    until: Option<DateTime<Utc>>,
    made_by: Option<AccountId>,
    how: TenureHow,
}

impl From<ruleset_tenure::Model> for TenureOut {
    fn from(row: ruleset_tenure::Model) -> Self {
        Self {
            ruleset_id: row.ruleset_id,
            version: row.version,
            from: row.from_at,
            until: row.until_at,
            made_by: row.made_by,
            how: row.how,
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct TenuresOut {
    items: Vec<TenureOut>,
}

/// When which version was live, the newest 100 spans: an event is judged by the version whose span holds its moment.
#[utoipa::path(tag = "staff", security(("bearer" = [])), responses((status = 200, body = TenuresOut)))]
#[get("/rulesets/tenures")]
async fn tenures(ctx: web::Data<Ctx>, _: Actor<Marketing>) -> Result<HttpResponse> {
    let spans = tenure::newest(ctx.db.read(), SPANS).await?;
    Ok(HttpResponse::Ok().json(TenuresOut {
        items: spans.into_iter().map(TenureOut::from).collect(),
    }))
}

/// The document as a file: always in the same order, so that two exports of one document are equal byte by byte, also
/// after an import.
#[utoipa::path(tag = "staff", security(("bearer" = [])),
    responses((status = 200, content_type = "application/json", body = Object), (status = 404, body = Problem)))]
#[get("/rulesets/{id}/export")]
async fn export(
    ctx: web::Data<Ctx>,
    _: Actor<Marketing>,
    id: web::Path<RulesetId>,
) -> Result<HttpResponse> {
    let row = ruleset::by_id(ctx.db.read(), *id).await?;
    let name = format!("attachment; filename=\"ruleset-v{}.json\"", row.version);
    let text = document::text(row).await?;
    Ok(HttpResponse::Ok()
        .content_type(header::ContentType::json())
        .insert_header((header::CONTENT_DISPOSITION, name))
        .body(text))
}

/// Keep a file as a new draft. A file with any fault is refused whole, each fault with its pointer into the file.
#[utoipa::path(tag = "staff", request_body(content = Object, content_type = "application/json"),
    security(("bearer" = [])), responses((status = 201, body = RulesetOut), (status = 422, body = Problem)))]
#[post("/rulesets/import")]
async fn import(
    ctx: web::Data<Ctx>,
    actor: Actor<Marketing>,
    idem: Idem,
    body: Text<MAX_BYTES>,
) -> Result<HttpResponse> {
    let draft = document::read(body.value).await?;
    let keep = async |tx: &DatabaseTransaction| {
        Ok(brief(ruleset::create(&ctx, tx, actor.id, draft).await?))
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::CREATED, keep)
        .await
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DiffQuery {
    /// `live` (when unsaid), or the id of another set.
    against: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct DiffOut {
    /// The version compared with.
    against: i32,
    items: Vec<Difference>,
    /// Whether anything gives people less than before.
    lowered: bool,
}

/// What this set changes, compared with another: in plain words, by rule, the order of rules aside.
#[utoipa::path(tag = "staff", params(DiffQuery), security(("bearer" = [])),
    responses((status = 200, body = DiffOut), (status = 404, body = Problem), (status = 422, body = Problem)))]
#[get("/rulesets/{id}/diff")]
async fn diff(
    ctx: web::Data<Ctx>,
    _: Actor<Marketing>,
    id: web::Path<RulesetId>,
    query: ValidQuery<DiffQuery>,
) -> Result<HttpResponse> {
    let db = ctx.db.read();
    let base = match query.0.against.as_deref() {
        None | Some("live") => document::live_row(db).await?,
        Some(other) => {
            let other = other.parse::<uuid::Uuid>().map_err(|_| {
                AppError::field("/query/against", "format", "应为 live 或规则集编号")
            })?;
            ruleset::by_id(db, RulesetId(other)).await?
        }
    };
    let against = base.version;
    let items = document::compare(base, ruleset::by_id(db, *id).await?).await?;
    Ok(HttpResponse::Ok().json(DiffOut {
        against,
        lowered: items.iter().any(Difference::lowers),
        items,
    }))
}
