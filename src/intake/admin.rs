//! The officer registers who may tell what, under which contract and on whose permission.

use super::source::{self, New};
use crate::{
    http::{Paging, Problem, Valid, ValidQuery, paging},
    identity::{Actor, Pipo, Staff},
    kernel::{AppError, Page, Result},
    platform::Ctx,
    rule::{PartnerDef, PartnerKind},
};
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use entity::{
    event_source,
    ids::{AccountId, EventSourceId},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Registers the calls under `/admin`.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(kinds)
        .service(list)
        .service(register)
        .service(rotate)
        .service(revoke);
}

#[derive(Serialize, utoipa::ToSchema)]
struct KindsOut {
    items: Vec<&'static PartnerDef>,
}

/// The kinds of events third parties may send, with their fields: what a rule can listen to.
#[utoipa::path(tag = "staff", security(("bearer" = [])), responses((status = 200, body = KindsOut)))]
#[get("/event-kinds")]
async fn kinds(_: Actor<Staff>) -> HttpResponse {
    HttpResponse::Ok().json(KindsOut {
        items: PartnerKind::all().filter_map(PartnerKind::def).collect(),
    })
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct SourceIn {
    /// The company.
    #[validate(length(min = 1, max = 100))]
    name: String,
    /// A short name: a–z, 0–9, hyphens.
    #[validate(length(min = 1, max = 40))]
    slug: String,
    /// The kinds it may send.
    #[validate(length(min = 1, max = 50))]
    kinds: Vec<String>,
    /// Where it has its data from (REF-L40).
    #[validate(length(min = 1, max = 1000))]
    provenance: String,
    /// The contract it sends under (PIPL 21, 23).
    #[validate(length(min = 1, max = 100))]
    contract_id: String,
    /// How its customers give it permission to tell us.
    #[validate(length(min = 1, max = 1000))]
    authorisation: String,
}

/// A sender.
#[derive(Serialize, utoipa::ToSchema)]
struct SourceOut {
    id: EventSourceId,
    name: String,
    slug: String,
    #[schema(value_type = Vec<String>)]
    kinds: Value,
    provenance: String,
    contract_id: String,
    authorisation: String,
    created_by: AccountId,
    created_at: DateTime<Utc>,
    rotated_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

/// A sender with its key, shown this once.
#[derive(Serialize, utoipa::ToSchema)]
struct KeyedOut {
    source: SourceOut,
    /// To be sent as `X-Api-Key`. Only its hash is kept here.
    key: String,
}

fn out(row: event_source::Model) -> SourceOut {
    SourceOut {
        id: row.id,
        name: row.name,
        slug: row.slug,
        kinds: row.kinds,
        provenance: row.provenance,
        contract_id: row.contract_id,
        authorisation: row.authorisation,
        created_by: row.created_by,
        created_at: row.created_at,
        rotated_at: row.rotated_at,
        revoked_at: row.revoked_at,
    }
}

/// Who may send events, newest first. For the personal-information officer.
#[utoipa::path(tag = "staff", params(Paging), security(("bearer" = [])),
    responses((status = 200, body = Page<SourceOut>)))]
#[get("/event-sources")]
async fn list(
    ctx: web::Data<Ctx>,
    _: Actor<Pipo>,
    query: ValidQuery<Paging>,
) -> Result<HttpResponse> {
    let cursor = paging(&query.0)?;
    let rows = source::page(ctx.db.read(), cursor).await?;
    Ok(HttpResponse::Ok().json(cursor.page(rows, |row| row.id.0, out)))
}

/// Register a sender. Its key is shown in this answer and never again, so this call is not repeated from memory: a lost
/// answer is mended by rotating the key.
#[utoipa::path(tag = "staff", security(("bearer" = [])),
    responses((status = 201, body = KeyedOut), (status = 409, body = Problem), (status = 422, body = Problem)))]
#[post("/event-sources")]
async fn register(
    ctx: web::Data<Ctx>,
    actor: Actor<Pipo>,
    body: Valid<SourceIn>,
) -> Result<HttpResponse> {
    let body = body.value;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !body.slug.bytes().all(plain) {
        return Err(AppError::field(
            "/slug",
            "format",
            "只能用小写字母、数字和连字符",
        ));
    }
    for (index, kind) in body.kinds.iter().enumerate() {
        if PartnerKind::parse(kind).is_none() {
            let place = format!("/kinds/{index}");
            return Err(AppError::field(place, "unknown", "没有登记这种事件"));
        }
    }
    let new = New {
        name: body.name,
        slug: body.slug,
        kinds: body.kinds,
        provenance: body.provenance,
        contract_id: body.contract_id,
        authorisation: body.authorisation,
        by: actor.id,
    };
    let tx = ctx.db.begin_write().await?;
    let (row, key) = source::register(&ctx, &tx, new).await?;
    ctx.commit(tx).await?;
    let source = out(row);
    Ok(HttpResponse::Created().json(KeyedOut { source, key }))
}

/// Give a sender a new key. The old one ends at once.
#[utoipa::path(tag = "staff", security(("bearer" = [])),
    responses((status = 200, body = KeyedOut), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[post("/event-sources/{id}/rotate")]
async fn rotate(
    ctx: web::Data<Ctx>,
    _: Actor<Pipo>,
    id: web::Path<EventSourceId>,
) -> Result<HttpResponse> {
    let tx = ctx.db.begin_write().await?;
    let (row, key) = source::rotate(&ctx, &tx, *id).await?;
    ctx.commit(tx).await?;
    let source = out(row);
    Ok(HttpResponse::Ok().json(KeyedOut { source, key }))
}

/// Hear a sender no more. Saying so again changes nothing.
#[utoipa::path(tag = "staff", security(("bearer" = [])),
    responses((status = 200, body = SourceOut), (status = 404, body = Problem)))]
#[post("/event-sources/{id}/revoke")]
async fn revoke(
    ctx: web::Data<Ctx>,
    _: Actor<Pipo>,
    id: web::Path<EventSourceId>,
) -> Result<HttpResponse> {
    let tx = ctx.db.begin_write().await?;
    let row = source::revoke(&ctx, &tx, *id).await?;
    ctx.commit(tx).await?;
    Ok(HttpResponse::Ok().json(out(row)))
}
