//! The tables of bookings.

use super::model::Address;
use crate::{
    kernel::{AppError, Cursor, Result, day_bounds},
    platform::{
        Ctx, OneByKey,
        sealed::{Column, unseal},
    },
};
use chrono::NaiveDate;
use entity::{
    booking, booking_event,
    ids::{AccountId, BookingEventId, BookingId, WorkerId},
    reservation,
    values::BookingStatus,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

/// A customer's own booking.
///
/// # Errors
/// `not_found`, also for another's.
pub async fn of_customer(
    db: &impl ConnectionTrait,
    customer: AccountId,
    id: BookingId,
) -> Result<booking::Model> {
    let row = booking::Entity::find_by_id(id).filter(booking::Column::CustomerId.eq(customer));
    row.one_by_key(db).await?.ok_or_else(AppError::not_found)
}

/// A worker's own job.
///
/// # Errors
/// `not_found`, also for another's.
pub async fn of_worker(
    db: &impl ConnectionTrait,
    worker: WorkerId,
    id: BookingId,
) -> Result<booking::Model> {
    let row = booking::Entity::find_by_id(id).filter(booking::Column::WorkerId.eq(worker));
    row.one_by_key(db).await?.ok_or_else(AppError::not_found)
}

/// Any booking: for consumers and reports alone.
///
/// # Errors
/// `not_found`.
pub async fn by_id_unscoped(db: &impl ConnectionTrait, id: BookingId) -> Result<booking::Model> {
    booking::Entity::find_by_id(id)
        .one_by_key(db)
        .await?
        .ok_or_else(AppError::not_found)
}

/// A booking whose row stays locked until `tx` ends. Scope it before, or be a consumer.
///
/// # Errors
/// `not_found`.
pub async fn lock(tx: &DatabaseTransaction, id: BookingId) -> Result<booking::Model> {
    booking::Entity::find_by_id(id)
        .lock_exclusive()
        .one_by_key(tx)
        .await?
        .ok_or_else(AppError::not_found)
}

/// Whether a rework of this visit is agreed, under way or waits for acceptance. Hold the visit's lock.
pub(super) async fn has_open_rework(tx: &DatabaseTransaction, root: BookingId) -> Result<bool> {
    let open = booking::Entity::find()
        .filter(booking::Column::ReworkOf.eq(root))
        .filter(booking::Column::Status.is_in([
            BookingStatus::Confirmed,
            BookingStatus::InService,
            BookingStatus::AwaitingAcceptance,
        ]));
    Ok(open.count(tx).await? > 0)
}

/// A worker's jobs of a business day, in their order.
///
/// # Errors
/// A database fault.
pub async fn jobs_of_worker(
    db: &impl ConnectionTrait,
    worker: WorkerId,
    day: NaiveDate,
) -> Result<Vec<booking::Model>> {
    let (from, to) = day_bounds(day);
    let rows = booking::Entity::find()
        .filter(booking::Column::WorkerId.eq(worker))
        .filter(booking::Column::StartAt.gte(from))
        .filter(booking::Column::StartAt.lt(to))
        .filter(booking::Column::Status.is_in([
            BookingStatus::Confirmed,
            BookingStatus::InService,
            BookingStatus::AwaitingAcceptance,
            BookingStatus::Completed,
        ]))
        .order_by_asc(booking::Column::StartAt);
    Ok(rows.all(db).await?)
}

/// A page of bookings, newest first; `narrow` adds its own conditions.
pub(super) async fn page(
    db: &impl ConnectionTrait,
    cursor: Cursor,
    narrow: impl FnOnce(sea_orm::Select<booking::Entity>) -> sea_orm::Select<booking::Entity>,
) -> Result<Vec<booking::Model>> {
    let mut query = narrow(booking::Entity::find())
        .order_by_desc(booking::Column::Id)
        .limit(cursor.fetch());
    if let Some(before) = cursor.before {
        query = query.filter(booking::Column::Id.lt(BookingId(before)));
    }
    Ok(query.all(db).await?)
}

/// Adds a sentence to the timeline.
///
/// # Errors
/// A database fault.
pub async fn note(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    booking: BookingId,
    what: &str,
) -> Result<()> {
    let row = booking_event::ActiveModel {
        id: Set(ctx.env.id::<BookingEventId>()),
        booking_id: Set(booking),
        at: Set(ctx.env.now()),
        what: Set(what.to_owned()),
    };
    booking_event::Entity::insert(row)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

pub(super) async fn timeline(
    db: &impl ConnectionTrait,
    bookings: &[BookingId],
) -> Result<Vec<booking_event::Model>> {
    let rows = booking_event::Entity::find()
        .filter(booking_event::Column::BookingId.is_in(bookings.iter().copied()))
        .order_by_asc(booking_event::Column::Id);
    Ok(rows.all(db).await?)
}

/// Frees the cells of a booking.
pub(super) async fn free(tx: &DatabaseTransaction, booking: BookingId) -> Result<()> {
    reservation::Entity::delete_many()
        .filter(reservation::Column::BookingId.eq(booking))
        .exec(tx)
        .await?;
    Ok(())
}

/// Where the visit takes place, in clear.
///
/// # Errors
/// `internal` when the column does not open.
pub fn address_of(ctx: &Ctx, row: &booking::Model) -> Result<Address> {
    let text = unseal(&ctx.vault, Column::BookingAddress, row.id, &row.address)?;
    Ok(serde_json::from_str(&text)?)
}

/// The phone to call about the visit, in clear.
///
/// # Errors
/// `internal` when the column does not open.
pub fn contact_phone_of(ctx: &Ctx, row: &booking::Model) -> Result<String> {
    unseal(&ctx.vault, Column::BookingPhone, row.id, &row.contact_phone)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use chrono::{DateTime, Duration, Utc};
    use entity::{
        ids::ServiceId,
        values::{Fen, Sealed},
    };

    /// A booking as far as pure decisions look at it.
    pub(in crate::booking) fn row(
        total: Fen,
        prepaid: Fen,
        start: DateTime<Utc>,
    ) -> booking::Model {
        let mut envelope = vec![0; 40];
        envelope[0] = 1;
        let sealed = Sealed::from_envelope(envelope).unwrap();
        booking::Model {
            id: BookingId(uuid::Uuid::nil()),
            customer_id: AccountId(uuid::Uuid::nil()),
            service_id: ServiceId(uuid::Uuid::nil()),
            worker_id: None,
            status: BookingStatus::Confirmed,
            start_at: start,
            end_at: start + Duration::hours(2),
            area: String::new(),
            address: sealed.clone(),
            contact_phone: sealed,
            answers: serde_json::json!({}),
            quote: serde_json::json!([]),
            total_fen: total,
            prepaid_fen: prepaid,
            refunded_fen: Fen::ZERO,
            hold_expires_at: None,
            rework_of: None,
            confirmed_at: None,
            completed_at: None,
            created_at: start,
            updated_at: start,
        }
    }
}
