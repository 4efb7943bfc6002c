//! The tables of money.

use crate::{
    kernel::{AppError, Result},
    platform::OneByKey,
};
use entity::{
    ids::{BookingId, PaymentId, RefundId},
    payment, refund,
    values::{Fen, PaymentStatus, RefundStatus},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
};

pub(super) async fn by_number(
    db: &impl ConnectionTrait,
    out_trade_no: &str,
) -> Result<Option<payment::Model>> {
    let row = payment::Entity::find().filter(payment::Column::OutTradeNo.eq(out_trade_no));
    Ok(row.one_by_key(db).await?)
}

pub(super) async fn lock_by_number(
    tx: &DatabaseTransaction,
    out_trade_no: &str,
) -> Result<Option<payment::Model>> {
    let row = payment::Entity::find()
        .filter(payment::Column::OutTradeNo.eq(out_trade_no))
        .lock_exclusive();
    Ok(row.one_by_key(tx).await?)
}

pub(super) async fn payment(db: &impl ConnectionTrait, id: PaymentId) -> Result<payment::Model> {
    payment::Entity::find_by_id(id)
        .one_by_key(db)
        .await?
        .ok_or_else(AppError::not_found)
}

pub(super) async fn refund(db: &impl ConnectionTrait, id: RefundId) -> Result<refund::Model> {
    refund::Entity::find_by_id(id)
        .one_by_key(db)
        .await?
        .ok_or_else(AppError::not_found)
}

/// Payments of a booking in this state, oldest first.
pub(super) async fn of_booking(
    db: &impl ConnectionTrait,
    booking: BookingId,
    status: PaymentStatus,
) -> Result<Vec<payment::Model>> {
    let rows = payment::Entity::find()
        .filter(payment::Column::BookingId.eq(booking))
        .filter(payment::Column::Status.eq(status))
        .order_by_asc(payment::Column::Id);
    Ok(rows.all(db).await?)
}

/// What of a payment is back or on its way back.
pub(super) async fn given_back(db: &impl ConnectionTrait, id: PaymentId) -> Result<Fen> {
    let rows = refund::Entity::find()
        .filter(refund::Column::PaymentId.eq(id))
        .filter(refund::Column::Status.ne(RefundStatus::Failed))
        // A payment beside the order's own is given back on its own account.
        .filter(refund::Column::TransactionId.is_null())
        .all(db)
        .await?;
    Ok(rows
        .iter()
        .fold(Fen::ZERO, |sum, row| sum.plus(row.amount_fen)))
}

/// Whether a transaction beside an order's own payment is back or on its way.
pub(super) async fn is_going_back(db: &impl ConnectionTrait, transaction_id: &str) -> Result<bool> {
    let rows = refund::Entity::find()
        .filter(refund::Column::TransactionId.eq(transaction_id))
        .filter(refund::Column::Status.ne(RefundStatus::Failed));
    Ok(rows.count(db).await? > 0)
}

/// Whether a transaction beside an order's own payment was seen before, whatever became of giving it back.
pub(super) async fn is_known_beside(
    db: &impl ConnectionTrait,
    transaction_id: &str,
) -> Result<bool> {
    let rows = refund::Entity::find().filter(refund::Column::TransactionId.eq(transaction_id));
    Ok(rows.count(db).await? > 0)
}

/// Whether an order was paid by more than its own transaction, so that its number names no single payment.
pub(super) async fn is_paid_twice(db: &impl ConnectionTrait, id: PaymentId) -> Result<bool> {
    let rows = refund::Entity::find()
        .filter(refund::Column::PaymentId.eq(id))
        .filter(refund::Column::TransactionId.is_not_null());
    Ok(rows.count(db).await? > 0)
}

/// Refunds of a booking that are asked for and not settled.
pub(super) async fn open_refunds(
    db: &impl ConnectionTrait,
    booking: BookingId,
) -> Result<Vec<refund::Model>> {
    let rows = refund::Entity::find()
        .filter(refund::Column::BookingId.eq(booking))
        .filter(refund::Column::Status.is_in([RefundStatus::Requested, RefundStatus::Processing]));
    Ok(rows.all(db).await?)
}
