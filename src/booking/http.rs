//! The booking calls of a customer.

use super::{
    cancel, create,
    lifecycle::complete,
    model::Address,
    rework, slots, store,
    view::{self, BookingOut},
};
use crate::{
    catalog,
    http::{Idem, Paging, Problem, Valid, ValidQuery, paging},
    identity::{Actor, Customer},
    kernel::{AppError, Page, Result, normalise_phone},
    photo::Eyes,
    platform::Ctx,
};
use actix_web::{HttpResponse, get, http::StatusCode, post, web};
use chrono::{DateTime, NaiveDate, Utc};
use entity::{
    booking,
    ids::{BookingId, ServiceId, WorkerId},
};
use sea_orm::{ColumnTrait, DatabaseTransaction, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Registers the calls.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(free_slots)
        .service(book)
        .service(list)
        .service(one)
        .service(cancel_one)
        .service(accept);
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct SlotQuery {
    /// Business date, `YYYY-MM-DD`.
    date: NaiveDate,
    area: String,
    /// From the quote; the service's base minutes when unsaid.
    minutes: Option<i64>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct SlotsOut {
    items: Vec<slots::Slot>,
}

/// Free starts of a day.
#[utoipa::path(tag = "booking", params(SlotQuery),
    responses((status = 200, body = SlotsOut), (status = 404, body = Problem), (status = 422, body = Problem)))]
#[get("/services/{id}/slots")]
async fn free_slots(
    ctx: web::Data<Ctx>,
    id: web::Path<ServiceId>,
    query: ValidQuery<SlotQuery>,
) -> Result<HttpResponse> {
    let service = catalog::on_sale(ctx.db.read(), *id).await?;
    let minutes = query
        .0
        .minutes
        .unwrap_or_else(|| i64::from(service.base_minutes));
    if !(1..=720).contains(&minutes) {
        return Err(AppError::field(
            "/query/minutes",
            "range",
            "minutes 应在 1 到 720 之间",
        ));
    }
    let items = slots::of_day(&ctx, &service.skill, &query.0.area, query.0.date, minutes).await?;
    Ok(HttpResponse::Ok().json(SlotsOut { items }))
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct AddressIn {
    #[validate(length(min = 1, max = 200))]
    line: String,
    #[validate(range(min = -90.0, max = 90.0))]
    lat: Option<f64>,
    #[validate(range(min = -180.0, max = 180.0))]
    lng: Option<f64>,
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct BookingIn {
    service_id: ServiceId,
    start_at: DateTime<Utc>,
    #[validate(length(min = 1, max = 64))]
    area: String,
    #[validate(nested)]
    address: AddressIn,
    #[validate(length(min = 11, max = 20))]
    contact_phone: String,
    /// Answers by question of the service; what is left out counts as the plain case.
    #[schema(value_type = Object)]
    answers: Map<String, Value>,
    /// A wished worker; anybody able when unsaid.
    worker_id: Option<WorkerId>,
    /// Whether my best price benefit or coupon is taken off; yes when unsaid.
    use_voucher: Option<bool>,
}

/// Book a visit. The slot is held until enough is prepaid.
#[utoipa::path(tag = "booking", request_body = BookingIn, security(("bearer" = [])),
    responses((status = 201, body = BookingOut), (status = 409, body = Problem), (status = 422, body = Problem)))]
#[post("/bookings")]
async fn book(
    ctx: web::Data<Ctx>,
    actor: Actor<Customer>,
    idem: Idem,
    body: Valid<BookingIn>,
) -> Result<HttpResponse> {
    let input = body.value;
    let contact_phone = normalise_phone(&input.contact_phone);
    let contact_phone = contact_phone
        .ok_or_else(|| AppError::field("/contact_phone", "phone", "应为 11 位大陆手机号码"))?;
    let make = async |tx: &DatabaseTransaction| {
        let wish = create::Wish {
            customer: actor.id,
            service_id: input.service_id,
            start_at: input.start_at,
            area: &input.area,
            address: Address {
                line: input.address.line,
                lat: input.address.lat,
                lng: input.address.lng,
            },
            contact_phone,
            answers: &input.answers,
            worker_id: input.worker_id,
            use_voucher: input.use_voucher.unwrap_or(true),
        };
        let row = create::create(&ctx, tx, wish).await?;
        view::one(&ctx, tx, row).await
    };
    idem.required(actor.id, &body.hash)?
        .run(&ctx, StatusCode::CREATED, make)
        .await
}

/// My bookings, newest first.
#[utoipa::path(tag = "booking", params(Paging), security(("bearer" = [])),
    responses((status = 200, body = Page<BookingOut>)))]
#[get("/bookings")]
async fn list(
    ctx: web::Data<Ctx>,
    actor: Actor<Customer>,
    query: ValidQuery<Paging>,
) -> Result<HttpResponse> {
    let cursor = paging(&query.0)?;
    let db = ctx.db.read();
    let rows = store::page(db, cursor, |all| {
        all.filter(booking::Column::CustomerId.eq(actor.id))
    })
    .await?;
    let page = cursor.page(rows, |row| row.id.0, |row| row);
    let items = view::many(&ctx, db, page.items, Eyes::Customer).await?;
    Ok(HttpResponse::Ok().json(Page {
        items,
        next_cursor: page.next_cursor,
    }))
}

/// One of my bookings.
#[utoipa::path(tag = "booking", security(("bearer" = [])),
    responses((status = 200, body = BookingOut), (status = 404, body = Problem)))]
#[get("/bookings/{id}")]
async fn one(
    ctx: web::Data<Ctx>,
    actor: Actor<Customer>,
    id: web::Path<BookingId>,
) -> Result<HttpResponse> {
    let db = ctx.db.read();
    let row = store::of_customer(db, actor.id, *id).await?;
    Ok(HttpResponse::Ok().json(view::one(&ctx, db, row).await?))
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct CancelIn {
    #[validate(length(min = 1, max = 200))]
    reason: String,
}

/// Call a visit off. What goes back follows the published policy.
#[utoipa::path(tag = "booking", request_body = CancelIn, security(("bearer" = [])),
    responses((status = 200, body = BookingOut), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[post("/bookings/{id}/cancel")]
async fn cancel_one(
    ctx: web::Data<Ctx>,
    actor: Actor<Customer>,
    id: web::Path<BookingId>,
    idem: Idem,
    body: Valid<CancelIn>,
) -> Result<HttpResponse> {
    let end = async |tx: &DatabaseTransaction| {
        let row = cancel::cancel(&ctx, tx, actor.id, *id).await?;
        store::note(&ctx, tx, *id, &format!("取消原因:{}", body.value.reason)).await?;
        view::one(&ctx, tx, row).await
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::OK, end)
        .await
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct AcceptIn {
    accepted: bool,
    /// Why not; needed when not accepted.
    #[validate(length(min = 1, max = 500))]
    reason: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct AcceptOut {
    #[serde(flatten)]
    booking: BookingOut,
    /// The free rework, when not accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    rework: Option<BookingOut>,
}

/// Accept a visit, or have it repaired free of charge.
#[utoipa::path(tag = "booking", request_body = AcceptIn, security(("bearer" = [])),
    responses((status = 200, body = AcceptOut), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[post("/bookings/{id}/acceptance")]
async fn accept(
    ctx: web::Data<Ctx>,
    actor: Actor<Customer>,
    id: web::Path<BookingId>,
    idem: Idem,
    body: Valid<AcceptIn>,
) -> Result<HttpResponse> {
    let reason = match (&body.value.reason, body.value.accepted) {
        (None, false) => return Err(AppError::field("/reason", "required", "请说明哪里不满意")),
        (reason, _) => reason.clone().unwrap_or_default(),
    };
    let look = async |tx: &DatabaseTransaction| {
        store::of_customer(tx, actor.id, *id).await?;
        if body.value.accepted {
            let row = complete(&ctx, tx, *id, "客户已验收").await?;
            return Ok(AcceptOut {
                booking: view::one(&ctx, tx, row).await?,
                rework: None,
            });
        }
        let rework = rework::open(&ctx, tx, actor.id, *id, &reason).await?;
        let rework = Some(view::one(&ctx, tx, rework).await?);
        let row = store::of_customer(tx, actor.id, *id).await?;
        Ok(AcceptOut {
            booking: view::one(&ctx, tx, row).await?,
            rework,
        })
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::OK, look)
        .await
}
