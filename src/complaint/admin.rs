//! Customer service answers.

use super::{
    service,
    view::{ComplaintOut, out},
};
use crate::{
    http::{Idem, Problem, Valid, ValidQuery},
    identity::{Actor, Operations, Service},
    kernel::{Cursor, Page, Result},
    platform::Ctx,
};
use actix_web::{HttpResponse, get, http::StatusCode, post, web};
use entity::{complaint, ids::ComplaintId, values::ComplaintStatus};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde::Deserialize;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Registers the calls under `/admin`.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list).service(respond).service(resolve);
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Only this state.
    status: Option<ComplaintStatus>,
    limit: Option<u64>,
    cursor: Option<String>,
}

/// Complaints, newest first.
#[utoipa::path(tag = "staff", params(ListQuery), security(("bearer" = [])),
    responses((status = 200, body = Page<ComplaintOut>)))]
#[get("/complaints")]
async fn list(
    ctx: web::Data<Ctx>,
    _: Actor<Operations>,
    query: ValidQuery<ListQuery>,
) -> Result<HttpResponse> {
    let cursor = Cursor::parse(query.0.limit, query.0.cursor.as_deref())?;
    let mut rows = complaint::Entity::find()
        .order_by_desc(complaint::Column::Id)
        .limit(cursor.fetch());
    if let Some(status) = query.0.status {
        rows = rows.filter(complaint::Column::Status.eq(status));
    }
    if let Some(before) = cursor.before {
        rows = rows.filter(complaint::Column::Id.lt(ComplaintId(before)));
    }
    Ok(HttpResponse::Ok().json(cursor.page(rows.all(ctx.db.read()).await?, |row| row.id.0, out)))
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct TextIn {
    #[validate(length(min = 1, max = 2000))]
    text: String,
}

/// Answer a complaint; the first-response clock stops.
#[utoipa::path(tag = "staff", request_body = TextIn, security(("bearer" = [])),
    responses((status = 200, body = ComplaintOut), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[post("/complaints/{id}/respond")]
async fn respond(
    ctx: web::Data<Ctx>,
    actor: Actor<Service>,
    id: web::Path<ComplaintId>,
    idem: Idem,
    body: Valid<TextIn>,
) -> Result<HttpResponse> {
    let answer = async |tx: &DatabaseTransaction| {
        Ok(out(service::respond(&ctx, tx, *id, body.value.text).await?))
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::OK, answer)
        .await
}

/// Settle a complaint; both clocks stop.
#[utoipa::path(tag = "staff", request_body = TextIn, security(("bearer" = [])),
    responses((status = 200, body = ComplaintOut), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[post("/complaints/{id}/resolve")]
async fn resolve(
    ctx: web::Data<Ctx>,
    actor: Actor<Service>,
    id: web::Path<ComplaintId>,
    idem: Idem,
    body: Valid<TextIn>,
) -> Result<HttpResponse> {
    let settle = async |tx: &DatabaseTransaction| {
        Ok(out(service::resolve(&ctx, tx, *id, body.value.text).await?))
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::OK, settle)
        .await
}
