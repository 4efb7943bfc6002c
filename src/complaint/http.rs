//! The complaint calls of a customer.

use super::{
    service,
    view::{ComplaintOut, out},
};
use crate::{
    http::{Idem, Paging, Problem, Valid, ValidQuery, paging},
    identity::{Actor, Customer},
    kernel::{Page, Result},
    platform::Ctx,
};
use actix_web::{HttpResponse, get, http::StatusCode, post, web};
use entity::{
    complaint,
    ids::{BookingId, ComplaintId},
    values::ComplaintKind,
};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde::Deserialize;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Registers the calls.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(complain).service(mine);
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ComplaintIn {
    kind: ComplaintKind,
    #[validate(length(min = 1, max = 2000))]
    text: String,
}

/// Complain about a visit. Both due times are promised in the answer.
#[utoipa::path(tag = "complaint", request_body = ComplaintIn, security(("bearer" = [])),
    responses((status = 201, body = ComplaintOut), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[post("/bookings/{id}/complaints")]
async fn complain(
    ctx: web::Data<Ctx>,
    actor: Actor<Customer>,
    id: web::Path<BookingId>,
    idem: Idem,
    body: Valid<ComplaintIn>,
) -> Result<HttpResponse> {
    let what = (body.value.kind, body.value.text);
    let open = async |tx: &DatabaseTransaction| {
        Ok(out(service::open(&ctx, tx, actor.id, *id, what).await?))
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::CREATED, open)
        .await
}

/// My complaints, newest first.
#[utoipa::path(tag = "complaint", params(Paging), security(("bearer" = [])),
    responses((status = 200, body = Page<ComplaintOut>)))]
#[get("/me/complaints")]
async fn mine(
    ctx: web::Data<Ctx>,
    actor: Actor<Customer>,
    query: ValidQuery<Paging>,
) -> Result<HttpResponse> {
    let cursor = paging(&query.0)?;
    let mut rows = complaint::Entity::find()
        .filter(complaint::Column::CustomerId.eq(actor.id))
        .order_by_desc(complaint::Column::Id)
        .limit(cursor.fetch());
    if let Some(before) = cursor.before {
        rows = rows.filter(complaint::Column::Id.lt(ComplaintId(before)));
    }
    Ok(HttpResponse::Ok().json(cursor.page(rows.all(ctx.db.read()).await?, |row| row.id.0, out)))
}
