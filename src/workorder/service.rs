//! Checking in, ticking off, completing.

use super::{
    model::{distance_m, late_minutes},
    store,
};
use crate::{
    booking, catalog,
    consent::{self, Scope},
    kernel::{AppError, Result},
    photo,
    platform::Ctx,
};
use chrono::Duration;
use entity::{
    booking::Model as Booking,
    checklist_item,
    ids::{BookingId, WorkerId},
    values::{BookingStatus, PhotoKind},
    work_order,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, EntityTrait, sea_query::OnConflict,
};
use serde::Serialize;

/// How early a worker may check in.
const EARLIEST: Duration = Duration::hours(2);

/// Writes the work order and its checklist, unless they exist.
///
/// # Errors
/// A database fault.
pub async fn ensure(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    row: &Booking,
    worker: WorkerId,
) -> Result<()> {
    let order = work_order::ActiveModel {
        booking_id: Set(row.id),
        worker_id: Set(worker),
        checked_in_at: Set(None),
        late_minutes: Set(None),
        within_geofence: Set(None),
        completed_at: Set(None),
        created_at: Set(ctx.env.now()),
    };
    let made = work_order::Entity::insert(order)
        .on_conflict(
            OnConflict::column(work_order::Column::BookingId)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    if made == 0 {
        return Ok(());
    }
    let entries = catalog::checklist(&catalog::by_id(tx, row.service_id).await?)?;
    let items = entries
        .into_iter()
        .zip(0..)
        .map(|(entry, position)| checklist_item::ActiveModel {
            booking_id: Set(row.id),
            key: Set(entry.key),
            position: Set(position),
            label: Set(entry.label),
            required: Set(entry.required),
            photo_required: Set(entry.photo_required),
            done_at: Set(None),
        });
    let items: Vec<_> = items.collect();
    if !items.is_empty() {
        checklist_item::Entity::insert_many(items)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

/// What a check-in answers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct CheckInOut {
    /// Minutes after the agreed start; 0 when on time.
    late_minutes: i32,
    /// Null when the customer gave no point on the map.
    within_geofence: Option<bool>,
}

/// A worker's own job under lock. The booking's lock is the first one every room takes, so that a tick, a photo and the
/// end of the job neither wait for each other in a ring nor pass each other by.
async fn own(tx: &DatabaseTransaction, worker: WorkerId, id: BookingId) -> Result<Booking> {
    booking::of_worker(tx, worker, id).await?;
    booking::lock(tx, id).await
}

/// The worker is there. A second check-in answers the first.
pub(super) async fn check_in(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    worker: WorkerId,
    id: BookingId,
    here: (f64, f64),
) -> Result<CheckInOut> {
    let row = own(tx, worker, id).await?;
    ensure(ctx, tx, &row, worker).await?;
    let order = store::lock(tx, id).await?.ok_or_else(AppError::not_found)?;
    if order.checked_in_at.is_some() {
        return Ok(CheckInOut {
            late_minutes: order.late_minutes.unwrap_or_default(),
            within_geofence: order.within_geofence,
        });
    }
    let now = ctx.env.now();
    if now < row.start_at - EARLIEST {
        return Err(AppError::invalid_state("还没到签到时间(最早提前两小时)"));
    }
    booking::begin_service(ctx, tx, id).await?;
    let address = booking::address_of(ctx, &row)?;
    let limit = f64::from(ctx.config.booking.geofence_m);
    let within_geofence = address
        .lat
        .zip(address.lng)
        .map(|there| distance_m(here, there) <= limit);
    let late_minutes = late_minutes(row.start_at, now);
    work_order::ActiveModel {
        booking_id: Set(id),
        checked_in_at: Set(Some(now)),
        late_minutes: Set(Some(late_minutes)),
        within_geofence: Set(within_geofence),
        ..Default::default()
    }
    .update(tx)
    .await?;
    Ok(CheckInOut {
        late_minutes,
        within_geofence,
    })
}

/// Ticks an item, or takes the tick back, while the job is open.
pub(super) async fn tick(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    worker: WorkerId,
    id: BookingId,
    (key, done): (&str, bool),
) -> Result<checklist_item::Model> {
    let row = own(tx, worker, id).await?;
    if row.status != BookingStatus::InService {
        return Err(AppError::invalid_state("签到之后、完成之前才能勾选清单"));
    }
    // PostgreSQL cannot store NUL, so no key has one; it is no item rather than a fault of ours.
    if key.chars().any(char::is_control) {
        return Err(AppError::not_found());
    }
    ensure(ctx, tx, &row, worker).await?;
    let item = store::item(tx, id, key)
        .await?
        .ok_or_else(AppError::not_found)?;
    let change = checklist_item::ActiveModel {
        booking_id: Set(id),
        key: Set(item.key.clone()),
        done_at: Set(done.then(|| item.done_at.unwrap_or_else(|| ctx.env.now()))),
        ..Default::default()
    };
    Ok(change.update(tx).await?)
}

/// The job is done, if everything required is.
pub(super) async fn complete(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    worker: WorkerId,
    id: BookingId,
) -> Result<Booking> {
    let row = own(tx, worker, id).await?;
    if row.status != BookingStatus::InService {
        return Err(AppError::invalid_state("签到之后才能完成"));
    }
    ensure(ctx, tx, &row, worker).await?;
    let open = open_items(ctx, tx, &row).await?;
    if !open.is_empty() {
        let labels = open.join("、");
        let error = AppError::invalid_state(format!("还有必做项目没有完成:{labels}"));
        return Err(error.with("open_items", open.into()));
    }
    work_order::ActiveModel {
        booking_id: Set(id),
        completed_at: Set(Some(ctx.env.now())),
        ..Default::default()
    }
    .update(tx)
    .await?;
    booking::finish_service(ctx, tx, id).await
}

/// Whether a job's checklist has this item. Call [`ensure`] before.
///
/// # Errors
/// A database fault.
pub async fn has_item(tx: &DatabaseTransaction, id: BookingId, key: &str) -> Result<bool> {
    Ok(store::item(tx, id, key).await?.is_some())
}

/// Labels of required items that are not done. Where the customer did not agree to photos, the checklist alone suffices.
async fn open_items(ctx: &Ctx, tx: &DatabaseTransaction, row: &Booking) -> Result<Vec<String>> {
    let may_photograph = consent::holds(
        ctx,
        tx,
        row.customer_id,
        "photo_capture",
        Some(Scope::booking(row.id)),
    )
    .await?;
    let photos = photo::keys_of_booking(tx, row.id, PhotoKind::After).await?;
    let open = store::items(tx, &[row.id])
        .await?
        .into_iter()
        .filter(|item| {
            let wants_photo = item.photo_required && may_photograph && !photos.contains(&item.key);
            item.required && (item.done_at.is_none() || wants_photo)
        });
    Ok(open.map(|item| item.label).collect())
}
