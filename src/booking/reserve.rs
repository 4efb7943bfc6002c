//! Taking a worker's cells, all or none.

use super::model::cells;
use crate::{kernel::Result, platform::Ctx};
use chrono::{DateTime, Utc};
use entity::{
    booking,
    ids::{BookingId, WorkerId},
    reservation,
    values::BookingStatus,
    worker,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QuerySelect, TransactionOptions, TransactionTrait, sea_query::OnConflict,
};
use std::collections::{HashMap, HashSet};

/// Takes the cells of a visit for `booking`; `false` when one is somebody else's. A savepoint makes it all or none and
/// gives up its locks at once, so two bookings that try the same workers in another order never wait for each other.
pub(super) async fn take(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    worker: WorkerId,
    booking: BookingId,
    (start, end): (DateTime<Utc>, DateTime<Utc>),
) -> Result<bool> {
    let cells = cells(start, end, ctx.config.booking.travel_buffer.get());
    let wanted = u64::try_from(cells.len()).unwrap_or(u64::MAX);
    let rows = cells.into_iter().map(|cell| reservation::ActiveModel {
        worker_id: Set(worker),
        cell_at: Set(cell),
        booking_id: Set(booking),
    });
    let savepoint = tx.begin_with_options(TransactionOptions::default()).await?;
    let taken = reservation::Entity::insert_many(rows)
        .on_conflict(
            OnConflict::columns([reservation::Column::WorkerId, reservation::Column::CellAt])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(&savepoint)
        .await?;
    if taken == wanted {
        savepoint.commit().await?;
        return Ok(true);
    }
    savepoint.rollback().await?;
    Ok(false)
}

/// Of `workers`, who is free for the whole visit, the least busy of that day first.
pub(super) async fn free_workers(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    workers: Vec<worker::Model>,
    (start, end): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<worker::Model>> {
    let busy = busy(
        db,
        &workers,
        &cells(start, end, ctx.config.booking.travel_buffer.get()),
    )
    .await?;
    let load = load(db, &workers, start).await?;
    let mut free: Vec<worker::Model> = workers
        .into_iter()
        .filter(|worker| !busy.contains(&worker.id))
        .collect();
    free.sort_by_key(|worker| (load.get(&worker.id).copied().unwrap_or_default(), worker.id));
    Ok(free)
}

async fn busy(
    db: &impl ConnectionTrait,
    workers: &[worker::Model],
    cells: &[DateTime<Utc>],
) -> Result<HashSet<WorkerId>> {
    let (Some(first), Some(last)) = (cells.first(), cells.last()) else {
        return Ok(HashSet::new());
    };
    let rows = reservation::Entity::find()
        .filter(reservation::Column::WorkerId.is_in(workers.iter().map(|worker| worker.id)))
        .filter(reservation::Column::CellAt.gte(*first))
        .filter(reservation::Column::CellAt.lte(*last))
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| row.worker_id).collect())
}

/// Visits of each worker within half a day of `start`.
async fn load(
    db: &impl ConnectionTrait,
    workers: &[worker::Model],
    start: DateTime<Utc>,
) -> Result<HashMap<WorkerId, usize>> {
    let half_day = chrono::Duration::hours(12);
    let rows: Vec<Option<WorkerId>> = booking::Entity::find()
        .select_only()
        .column(booking::Column::WorkerId)
        .filter(booking::Column::WorkerId.is_in(workers.iter().map(|worker| worker.id)))
        .filter(booking::Column::StartAt.gt(start - half_day))
        .filter(booking::Column::StartAt.lt(start + half_day))
        .filter(
            booking::Column::Status.is_not_in([BookingStatus::Cancelled, BookingStatus::Expired]),
        )
        .into_tuple()
        .all(db)
        .await?;
    let mut load = HashMap::new();
    for worker in rows.into_iter().flatten() {
        *load.entry(worker).or_insert(0_usize) += 1;
    }
    Ok(load)
}
