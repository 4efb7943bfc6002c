//! Calling a visit off, by the published policy.

use super::{
    create::HOLD_DUE,
    events::BookingCancelled,
    model::{Step, cancel_fee, step},
    store::{free, lock, note, of_customer},
};
use crate::{
    kernel::Result,
    outbox::{self, timer},
    platform::Ctx,
};
use entity::{
    booking,
    ids::{AccountId, BookingId},
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
    let fee = cancel_fee(&row, ctx.env.now(), &ctx.config.booking);
    let refund = row.prepaid_fen.minus(row.refunded_fen).minus(fee);
    let change = booking::ActiveModel {
        id: Set(id),
        status: Set(status),
        hold_expires_at: Set(None),
        updated_at: Set(ctx.env.now()),
        ..Default::default()
    };
    let row = change.update(tx).await?;
    free(tx, id).await?;
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
