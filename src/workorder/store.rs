//! The tables of work orders.

use crate::{kernel::Result, platform::OneByKey};
use entity::{checklist_item, ids::BookingId, work_order};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

pub(super) async fn lock(
    tx: &DatabaseTransaction,
    booking: BookingId,
) -> Result<Option<work_order::Model>> {
    Ok(work_order::Entity::find_by_id(booking)
        .lock_exclusive()
        .one_by_key(tx)
        .await?)
}

/// The items of these jobs, in the order of their checklists.
pub(super) async fn items(
    db: &impl ConnectionTrait,
    bookings: &[BookingId],
) -> Result<Vec<checklist_item::Model>> {
    let rows = checklist_item::Entity::find()
        .filter(checklist_item::Column::BookingId.is_in(bookings.iter().copied()))
        .order_by_asc(checklist_item::Column::Position);
    Ok(rows.all(db).await?)
}

pub(super) async fn item(
    tx: &DatabaseTransaction,
    booking: BookingId,
    key: &str,
) -> Result<Option<checklist_item::Model>> {
    let row = checklist_item::Entity::find_by_id((booking, key.to_owned())).lock_exclusive();
    Ok(row.one_by_key(tx).await?)
}
