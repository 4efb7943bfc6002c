//! The public catalogue.

use super::{model, store};
use crate::{
    http::{Problem, Valid},
    kernel::Result,
    platform::Ctx,
};
use actix_web::{HttpResponse, get, post, web};
use entity::{ids::ServiceId, service};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Registers the calls.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list).service(one).service(quote);
}

/// A service as everybody sees it.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ServiceOut {
    id: ServiceId,
    slug: String,
    name: String,
    base_minutes: i32,
    base_price_fen: i64,
    price_rules: Vec<String>,
    skill: String,
    questionnaire: Vec<model::Question>,
    checklist: Vec<model::ChecklistEntry>,
    areas: Vec<String>,
    active: bool,
}

pub(super) fn service_out(row: service::Model) -> Result<ServiceOut> {
    Ok(ServiceOut {
        questionnaire: model::questions(&row)?,
        checklist: model::checklist(&row)?,
        price_rules: serde_json::from_value(row.price_rules)?,
        areas: serde_json::from_value(row.areas)?,
        id: row.id,
        slug: row.slug,
        name: row.name,
        base_minutes: row.base_minutes,
        base_price_fen: row.base_price_fen.0,
        skill: row.skill,
        active: row.active,
    })
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ServicesOut {
    pub(super) items: Vec<ServiceOut>,
}

/// Services on sale, with their prices in the open (REF-41).
#[utoipa::path(tag = "catalogue", responses((status = 200, body = ServicesOut)))]
#[get("/services")]
async fn list(ctx: web::Data<Ctx>) -> Result<HttpResponse> {
    let rows = store::all(ctx.db.read(), true).await?;
    let items = rows
        .into_iter()
        .map(service_out)
        .collect::<Result<Vec<_>>>()?;
    Ok(HttpResponse::Ok().json(ServicesOut { items }))
}

/// One service.
#[utoipa::path(tag = "catalogue", responses((status = 200, body = ServiceOut), (status = 404, body = Problem)))]
#[get("/services/{id}")]
async fn one(ctx: web::Data<Ctx>, id: web::Path<ServiceId>) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(service_out(store::on_sale(ctx.db.read(), *id).await?)?))
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct QuoteIn {
    /// Answers by question; what is left out counts as the plain case.
    #[schema(value_type = Object)]
    answers: Map<String, Value>,
    #[validate(length(min = 1, max = 64))]
    area: String,
}

/// What a visit would take and cost.
#[utoipa::path(tag = "catalogue", request_body = QuoteIn,
    responses((status = 200, body = model::Quote), (status = 404, body = Problem), (status = 422, body = Problem)))]
#[post("/services/{id}/quote")]
async fn quote(
    ctx: web::Data<Ctx>,
    id: web::Path<ServiceId>,
    body: Valid<QuoteIn>,
) -> Result<HttpResponse> {
    let service = store::on_sale(ctx.db.read(), *id).await?;
    Ok(HttpResponse::Ok().json(model::quote(
        &service,
        &body.value.answers,
        &body.value.area,
    )?))
}
