//! The calls of a worker's device.

use super::{
    service::{self, CheckInOut},
    store,
};
use crate::{
    booking, catalog,
    http::{Idem, Problem, Valid, ValidQuery},
    identity::{Actor, Worker},
    kernel::{Result, business_date, mask_phone},
    platform::Ctx,
    worker,
};
use actix_web::{HttpResponse, get, http::StatusCode, post, web};
use chrono::{DateTime, NaiveDate, Utc};
use entity::{
    booking::Model as Booking,
    checklist_item,
    ids::{BookingId, ServiceId},
    values::BookingStatus,
};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Registers the calls.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(jobs)
        .service(check_in)
        .service(tick)
        .service(complete);
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct JobsQuery {
    /// Business date; today when unsaid.
    date: Option<NaiveDate>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct ItemOut {
    key: String,
    label: String,
    done: bool,
    required: bool,
    photo_required: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
struct ServiceRef {
    id: ServiceId,
    name: String,
}

#[derive(Serialize, utoipa::ToSchema)]
struct JobOut {
    booking_id: BookingId,
    start_at: DateTime<Utc>,
    end_at: DateTime<Utc>,
    service: ServiceRef,
    area: String,
    /// Only while the job is open (SEC-15).
    address: Option<String>,
    customer_phone_masked: String,
    status: BookingStatus,
    checklist: Vec<ItemOut>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct JobsOut {
    items: Vec<JobOut>,
}

/// My jobs of a day.
#[utoipa::path(tag = "worker", params(JobsQuery), security(("bearer" = [])),
    responses((status = 200, body = JobsOut), (status = 403, body = Problem)))]
#[get("/worker/jobs")]
async fn jobs(
    ctx: web::Data<Ctx>,
    actor: Actor<Worker>,
    query: ValidQuery<JobsQuery>,
) -> Result<HttpResponse> {
    let db = ctx.db.read();
    let me = worker::of_account(db, actor.id).await?;
    let day = query.0.date.unwrap_or_else(|| business_date(ctx.env.now()));
    let rows = booking::jobs_of_worker(db, me.id, day).await?;
    let ids: Vec<BookingId> = rows.iter().map(|row| row.id).collect();
    let mut lists: HashMap<BookingId, Vec<checklist_item::Model>> = HashMap::new();
    for item in store::items(db, &ids).await? {
        lists.entry(item.booking_id).or_default().push(item);
    }
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        let list = lists.remove(&row.id).unwrap_or_default();
        items.push(job(&ctx, row, list).await?);
    }
    Ok(HttpResponse::Ok().json(JobsOut { items }))
}

async fn job(ctx: &Ctx, row: Booking, list: Vec<checklist_item::Model>) -> Result<JobOut> {
    let service = catalog::by_id(ctx.db.read(), row.service_id).await?;
    // Before the first touch the service's own checklist stands for the job's.
    let checklist = if list.is_empty() {
        let fresh = |entry: catalog::ChecklistEntry| ItemOut {
            key: entry.key,
            label: entry.label,
            done: false,
            required: entry.required,
            photo_required: entry.photo_required,
        };
        catalog::checklist(&service)?
            .into_iter()
            .map(fresh)
            .collect()
    } else {
        list.into_iter().map(item_out).collect()
    };
    let open = matches!(
        row.status,
        BookingStatus::Confirmed | BookingStatus::InService | BookingStatus::AwaitingAcceptance
    );
    Ok(JobOut {
        booking_id: row.id,
        start_at: row.start_at,
        end_at: row.end_at,
        service: ServiceRef {
            id: service.id,
            name: service.name,
        },
        area: row.area.clone(),
        address: if open {
            Some(booking::address_of(ctx, &row)?.line)
        } else {
            None
        },
        customer_phone_masked: mask_phone(&booking::contact_phone_of(ctx, &row)?),
        status: row.status,
        checklist,
    })
}

fn item_out(item: checklist_item::Model) -> ItemOut {
    ItemOut {
        key: item.key,
        label: item.label,
        done: item.done_at.is_some(),
        required: item.required,
        photo_required: item.photo_required,
    }
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct PlaceIn {
    #[validate(range(min = -90.0, max = 90.0))]
    lat: f64,
    #[validate(range(min = -180.0, max = 180.0))]
    lng: f64,
}

/// Say that I am there. The place is compared with the address and forgotten.
#[utoipa::path(tag = "worker", request_body = PlaceIn, security(("bearer" = [])),
    responses((status = 200, body = CheckInOut), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[post("/worker/jobs/{booking_id}/check-in")]
async fn check_in(
    ctx: web::Data<Ctx>,
    actor: Actor<Worker>,
    id: web::Path<BookingId>,
    idem: Idem,
    body: Valid<PlaceIn>,
) -> Result<HttpResponse> {
    let me = worker::of_account(ctx.db.read(), actor.id).await?;
    let here = (body.value.lat, body.value.lng);
    let arrive =
        async |tx: &DatabaseTransaction| service::check_in(&ctx, tx, me.id, *id, here).await;
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::OK, arrive)
        .await
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct TickIn {
    done: bool,
}

/// Tick an item of the checklist.
#[utoipa::path(tag = "worker", request_body = TickIn, security(("bearer" = [])),
    responses((status = 200, body = ItemOut), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[post("/worker/jobs/{booking_id}/checklist/{key}")]
async fn tick(
    ctx: web::Data<Ctx>,
    actor: Actor<Worker>,
    path: web::Path<(BookingId, String)>,
    idem: Idem,
    body: Valid<TickIn>,
) -> Result<HttpResponse> {
    let me = worker::of_account(ctx.db.read(), actor.id).await?;
    let (id, key) = path.into_inner();
    let done = body.value.done;
    let mark = async |tx: &DatabaseTransaction| {
        Ok(item_out(
            service::tick(&ctx, tx, me.id, id, (&key, done)).await?,
        ))
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::OK, mark)
        .await
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NothingIn {}

#[derive(Serialize, utoipa::ToSchema)]
struct CompletedOut {
    booking_id: BookingId,
    status: BookingStatus,
}

/// Say that the job is done; refused while required items are open.
#[utoipa::path(tag = "worker", request_body = NothingIn, security(("bearer" = [])),
    responses((status = 200, body = CompletedOut), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[post("/worker/jobs/{booking_id}/complete")]
async fn complete(
    ctx: web::Data<Ctx>,
    actor: Actor<Worker>,
    id: web::Path<BookingId>,
    idem: Idem,
    body: Valid<NothingIn>,
) -> Result<HttpResponse> {
    let me = worker::of_account(ctx.db.read(), actor.id).await?;
    let finish = async |tx: &DatabaseTransaction| {
        let row = service::complete(&ctx, tx, me.id, *id).await?;
        Ok(CompletedOut {
            booking_id: row.id,
            status: row.status,
        })
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::OK, finish)
        .await
}
