//! A booking as its customer and the staff see it.

use super::{
    model::{open_balance, ratio},
    store,
};
use crate::{
    kernel::Result,
    photo::{self, Eyes, PhotoOut},
    platform::Ctx,
    worker,
};
use chrono::{DateTime, Utc};
use entity::{
    booking, booking_event,
    ids::{AccountId, BookingId, ServiceId, WorkerId},
    values::BookingStatus,
    worker::{Column, Entity},
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use serde::Serialize;
use serde_json::{Number, Value};
use std::collections::HashMap;

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct WorkerRef {
    id: WorkerId,
    name: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Moment {
    at: DateTime<Utc>,
    what: String,
}

/// The booking of api.md.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct BookingOut {
    id: BookingId,
    status: BookingStatus,
    customer_id: AccountId,
    service_id: ServiceId,
    worker: Option<WorkerRef>,
    start_at: DateTime<Utc>,
    end_at: DateTime<Utc>,
    area: String,
    total_fen: i64,
    prepaid_fen: i64,
    refunded_fen: i64,
    balance_fen: i64,
    #[schema(value_type = f64)]
    prepaid_ratio: Number,
    #[schema(value_type = Vec<Object>)]
    lines: Value,
    hold_expires_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
    timeline: Vec<Moment>,
    photos: Vec<PhotoOut>,
    rework_of: Option<BookingId>,
}

/// Rows with their workers, timelines and the photos these eyes see: three queries, however many rows.
pub(super) async fn many(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    rows: Vec<booking::Model>,
    eyes: Eyes,
) -> Result<Vec<BookingOut>> {
    let ids: Vec<BookingId> = rows.iter().map(|row| row.id).collect();
    let names = names(ctx, db, &rows).await?;
    let mut timelines: HashMap<BookingId, Vec<Moment>> = HashMap::new();
    for booking_event::Model {
        booking_id,
        at,
        what,
        ..
    } in store::timeline(db, &ids).await?
    {
        timelines
            .entry(booking_id)
            .or_default()
            .push(Moment { at, what });
    }
    let mut photos = photo::of_bookings(ctx, db, &ids, eyes).await?;
    let out = rows.into_iter().map(|row| {
        let timeline = timelines.remove(&row.id).unwrap_or_default();
        let photos = photos.remove(&row.id).unwrap_or_default();
        let worker = row.worker_id.and_then(|id| {
            names.get(&id).map(|name| WorkerRef {
                id,
                name: name.clone(),
            })
        });
        one_out(row, worker, timeline, photos)
    });
    Ok(out.collect())
}

/// One row, in full, for its customer.
pub(super) async fn one(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    row: booking::Model,
) -> Result<BookingOut> {
    let mut all = many(ctx, db, vec![row], Eyes::Customer).await?;
    all.pop().ok_or_else(crate::kernel::AppError::not_found)
}

fn one_out(
    row: booking::Model,
    worker: Option<WorkerRef>,
    timeline: Vec<Moment>,
    photos: Vec<PhotoOut>,
) -> BookingOut {
    BookingOut {
        balance_fen: open_balance(&row).0,
        prepaid_ratio: ratio(row.prepaid_fen, row.total_fen),
        id: row.id,
        status: row.status,
        customer_id: row.customer_id,
        service_id: row.service_id,
        worker,
        start_at: row.start_at,
        end_at: row.end_at,
        area: row.area,
        total_fen: row.total_fen.0,
        prepaid_fen: row.prepaid_fen.0,
        refunded_fen: row.refunded_fen.0,
        lines: row.quote,
        hold_expires_at: row.hold_expires_at,
        completed_at: row.completed_at,
        timeline,
        photos,
        rework_of: row.rework_of,
    }
}

async fn names(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    rows: &[booking::Model],
) -> Result<HashMap<WorkerId, String>> {
    let ids: Vec<WorkerId> = rows.iter().filter_map(|row| row.worker_id).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let workers = Entity::find().filter(Column::Id.is_in(ids)).all(db).await?;
    workers
        .into_iter()
        .map(|row| Ok((row.id, worker::name_of(ctx, &row)?)))
        .collect()
}
