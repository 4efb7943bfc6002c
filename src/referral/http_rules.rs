//! Marketing's calls: facts, drafts, checks, publishing.

use super::{
    http_versions, lawful, publish,
    ruleset::{self, Brief},
};
use crate::{
    http::{Idem, Paging, Problem, Valid, ValidQuery, paging},
    identity::{Actor, Marketing},
    kernel::{Page, Result},
    platform::Ctx,
    rule::{FactDef, Finding, MAX_BYTES, catalogue},
};
use actix_web::{HttpResponse, get, http::StatusCode, post, put, web};
use chrono::{DateTime, Utc};
use entity::{
    ids::{AccountId, RulesetId},
    ruleset as table,
    values::RulesetStatus,
};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Room for the name around the largest document.
const BODY_LIMIT: usize = MAX_BYTES + 64 * 1024;

/// Registers the calls under `/admin`.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(facts)
        .configure(http_versions::routes_first)
        .service(list)
        .service(create)
        .service(one)
        .service(rewrite)
        .service(check)
        .service(approve)
        .configure(http_versions::routes);
}

#[derive(Serialize, utoipa::ToSchema)]
struct FactsOut {
    items: Vec<FactDef>,
}

/// The fact catalogue: what a condition may read.
#[utoipa::path(tag = "staff", security(("bearer" = [])), responses((status = 200, body = FactsOut)))]
#[get("/facts")]
async fn facts(_: Actor<Marketing>) -> HttpResponse {
    HttpResponse::Ok().json(FactsOut {
        items: catalogue().copied().collect(),
    })
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct RulesetIn {
    #[validate(length(min = 1, max = 100))]
    name: String,
    /// The document of rules.md.
    #[schema(value_type = Object)]
    document: Value,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct RulesetOut {
    id: RulesetId,
    version: i32,
    name: String,
    status: RulesetStatus,
    created_by: Option<AccountId>,
    /// Who wrote the document last; he cannot approve it either.
    updated_by: Option<AccountId>,
    approved_by: Option<AccountId>,
    /// When it shall become live, while it is `scheduled`.
    publish_at: Option<DateTime<Utc>>,
    /// Since when it was live last.
    published_at: Option<DateTime<Utc>>,
    retired_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    /// Left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    document: Option<Value>,
}

pub(super) fn brief(row: impl Into<Brief>) -> RulesetOut {
    let row = row.into();
    RulesetOut {
        id: row.id,
        version: row.version,
        name: row.name,
        status: row.status,
        created_by: row.created_by,
        updated_by: row.updated_by,
        approved_by: row.approved_by,
        publish_at: row.publish_at,
        published_at: row.published_at,
        retired_at: row.retired_at,
        created_at: row.created_at,
        document: None,
    }
}

fn whole(mut row: table::Model) -> RulesetOut {
    let document = std::mem::take(&mut row.document);
    RulesetOut {
        document: Some(document),
        ..brief(row)
    }
}

/// Drafts and versions, newest first.
#[utoipa::path(tag = "staff", params(Paging), security(("bearer" = [])),
    responses((status = 200, body = Page<RulesetOut>)))]
#[get("/rulesets")]
async fn list(
    ctx: web::Data<Ctx>,
    _: Actor<Marketing>,
    query: ValidQuery<Paging>,
) -> Result<HttpResponse> {
    let cursor = paging(&query.0)?;
    let rows = ruleset::page(ctx.db.read(), cursor).await?;
    Ok(HttpResponse::Ok().json(cursor.page(rows, |row| row.id.0, brief)))
}

/// Keep a draft.
#[utoipa::path(tag = "staff", request_body = RulesetIn, security(("bearer" = [])),
    responses((status = 201, body = RulesetOut), (status = 422, body = Problem)))]
#[post("/rulesets")]
async fn create(
    ctx: web::Data<Ctx>,
    actor: Actor<Marketing>,
    idem: Idem,
    body: Valid<RulesetIn, BODY_LIMIT>,
) -> Result<HttpResponse> {
    let draft = (body.value.name, body.value.document);
    let keep = async |tx: &DatabaseTransaction| {
        Ok(whole(ruleset::create(&ctx, tx, actor.id, draft).await?))
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::CREATED, keep)
        .await
}

/// One set with its document.
#[utoipa::path(tag = "staff", security(("bearer" = [])),
    responses((status = 200, body = RulesetOut), (status = 404, body = Problem)))]
#[get("/rulesets/{id}")]
async fn one(
    ctx: web::Data<Ctx>,
    _: Actor<Marketing>,
    id: web::Path<RulesetId>,
) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(whole(ruleset::by_id(ctx.db.read(), *id).await?)))
}

/// Rewrite a draft.
#[utoipa::path(tag = "staff", request_body = RulesetIn, security(("bearer" = [])),
    responses((status = 200, body = RulesetOut), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[put("/rulesets/{id}")]
async fn rewrite(
    ctx: web::Data<Ctx>,
    actor: Actor<Marketing>,
    id: web::Path<RulesetId>,
    body: Valid<RulesetIn, BODY_LIMIT>,
) -> Result<HttpResponse> {
    let draft = (body.value.name, body.value.document);
    let tx = ctx.db.begin_write().await?;
    let row = ruleset::rewrite(&ctx, &tx, (*id, actor.id), draft).await?;
    ctx.commit(tx).await?;
    Ok(HttpResponse::Ok().json(whole(row)))
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NothingIn {}

#[derive(Serialize, utoipa::ToSchema)]
struct FindingsOut {
    findings: Vec<Finding>,
}

/// Everything that can be said about a set before publishing.
#[utoipa::path(tag = "staff", request_body = NothingIn, security(("bearer" = [])),
    responses((status = 200, body = FindingsOut), (status = 404, body = Problem)))]
#[post("/rulesets/{id}/check")]
async fn check(
    ctx: web::Data<Ctx>,
    _: Actor<Marketing>,
    id: web::Path<RulesetId>,
    _: Valid<NothingIn>,
) -> Result<HttpResponse> {
    let row = ruleset::by_id(ctx.db.read(), *id).await?;
    Ok(HttpResponse::Ok().json(FindingsOut {
        findings: lawful::findings(&ctx, ctx.db.read(), &row).await?,
    }))
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ApproveIn {
    /// Why; needed when the check finds something of severity `approve`.
    #[validate(length(min = 10, max = 1000))]
    reason: Option<String>,
}

/// Say yes to somebody else's draft, and to the findings it has now. Once approved, a set that comes to have a new one of
/// severity `approve` (another policy, an opinion that ended) is asked about again.
#[utoipa::path(tag = "staff", request_body = ApproveIn, security(("bearer" = [])),
    responses((status = 200, body = RulesetOut), (status = 403, body = Problem), (status = 409, body = Problem)))]
#[post("/rulesets/{id}/approve")]
async fn approve(
    ctx: web::Data<Ctx>,
    actor: Actor<Marketing>,
    id: web::Path<RulesetId>,
    idem: Idem,
    body: Valid<ApproveIn>,
) -> Result<HttpResponse> {
    let reason = body.value.reason;
    let say_yes = async |tx: &DatabaseTransaction| {
        let yes = (actor.id, reason);
        Ok(brief(publish::approve(&ctx, tx, *id, yes).await?))
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::OK, say_yes)
        .await
}
