//! Calling a visit off, by the published policy.

use super::{
    create::HOLD_DUE,
    events::BookingCancelled,
    model::{Step, cancel_fee, step},
    rework,
    store::{free, lock, note, of_customer},
};
use crate::{
    kernel::Result,
    outbox::{self, timer},
    payment,
    platform::Ctx,
    wallet,
};
use entity::{
    booking,
    ids::{AccountId, BookingId},
    values::Fen,
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction};

/// Cancels; what goes back is told to the payment room by an event.
///
/// # Errors
/// `not_found`, or `invalid_state` once the worker is there.
pub(super) async fn cancel(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    customer: AccountId,
    id: BookingId,
) -> Result<booking::Model> {
    of_customer(tx, customer, id).await?;
    let row = lock(tx, id).await?;
    let status = step(row.status, Step::Cancel)?;
    let left = left(tx, &row).await?;
    let fee = cancel_fee(&row, left, ctx.env.now(), &ctx.config.booking);
    let refund = left.minus(fee);
    let change = booking::ActiveModel {
        id: Set(id),
        status: Set(status),
        hold_expires_at: Set(None),
        updated_at: Set(ctx.env.now()),
        ..Default::default()
    };
    let row = change.update(tx).await?;
    free(tx, id).await?;
    wallet::release(tx, id).await?;
    if let Some(root) = row.rework_of {
        rework::called_off(ctx, tx, root).await?;
    }
    timer::cancel(tx, &ctx.env, HOLD_DUE, id).await?;
    let what = format!("已取消,手续费 {},退回 {}", fee.yuan(), refund.yuan());
    note(ctx, tx, id, &what).await?;
    let event = BookingCancelled {
        booking_id: id,
        customer_id: customer,
        refund_fen: refund,
    };
    outbox::append(tx, &ctx.env, &event).await?;
    Ok(row)
}

/// What of the money counted so far neither went back nor is on its way back. Hold the booking's lock.
pub(super) async fn left(tx: &DatabaseTransaction, row: &booking::Model) -> Result<Fen> {
    let gone = row
        .refunded_fen
        .plus(payment::on_its_way(tx, row.id).await?);
    Ok(row.prepaid_fen.minus(gone).max(Fen::ZERO))
}
