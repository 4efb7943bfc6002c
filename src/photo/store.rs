//! The `photo` table.

use crate::kernel::Result;
use entity::{
    ids::BookingId,
    photo,
    values::{PhotoKind, PhotoStatus},
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use std::collections::HashSet;

/// Checklist items of a booking that have a photo of this kind: a hidden one proves nothing, one that waits for its
/// content check does, for the worker has done his part.
///
/// # Errors
/// A database fault.
pub async fn keys_of_booking(
    db: &impl ConnectionTrait,
    booking: BookingId,
    kind: PhotoKind,
) -> Result<HashSet<String>> {
    let rows = of(db, &[booking]).await?;
    Ok(rows
        .into_iter()
        .filter(|row| row.kind == kind && row.status != PhotoStatus::Hidden)
        .filter_map(|row| row.checklist_key)
        .collect())
}

pub(super) async fn of(
    db: &impl ConnectionTrait,
    bookings: &[BookingId],
) -> Result<Vec<photo::Model>> {
    let rows = photo::Entity::find()
        .filter(photo::Column::BookingId.is_in(bookings.iter().copied()))
        .order_by_asc(photo::Column::Id);
    Ok(rows.all(db).await?)
}

pub(super) async fn count(db: &impl ConnectionTrait, booking: BookingId) -> Result<u64> {
    Ok(photo::Entity::find()
        .filter(photo::Column::BookingId.eq(booking))
        .filter(photo::Column::Status.ne(PhotoStatus::Hidden))
        .count(db)
        .await?)
}
