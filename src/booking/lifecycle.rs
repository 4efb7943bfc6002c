//! Moving a booking along. Every function takes the row's lock and refuses steps the state does not allow.

use super::{
    cancel::left,
    create::HOLD_DUE,
    events::{BookingCompleted, BookingConfirmed, BookingExpired},
    model::{Step, confirms, open_balance, step},
    store::{free, has_open_rework, lock, note},
};
use crate::{
    kernel::Result,
    outbox::{self, timer},
    platform::Ctx,
    wallet,
};
use entity::{
    booking,
    ids::BookingId,
    values::{BookingStatus, Fen},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction};

/// Timer: silence counts as acceptance.
pub(super) const ACCEPTANCE_DUE: &str = "booking.acceptance_due.v1";

/// What money that arrived did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Enough is prepaid now; the booking is confirmed.
    Confirmed,
    /// Counted, but not enough yet.
    Partial,
    /// Counted on a booking that was confirmed before.
    AlreadyConfirmed,
    /// The booking is over, or the money is more than its price: give it back.
    TooLate,
}

/// Counts money towards a booking.
///
/// # Errors
/// `not_found`, or a database fault.
pub async fn receive_payment(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: BookingId,
    amount: Fen,
) -> Result<Received> {
    let row = lock(tx, id).await?;
    let over = matches!(
        row.status,
        BookingStatus::Cancelled | BookingStatus::Expired
    );
    if over || amount > open_balance(&row) {
        note(ctx, tx, id, "收到一笔迟到的付款,将原路退回").await?;
        return Ok(Received::TooLate);
    }
    let now = ctx.env.now();
    let prepaid = row.prepaid_fen.plus(amount);
    let pending = row.status == BookingStatus::PendingPayment;
    let enough = pending && confirms(prepaid, row.total_fen, ctx.config.booking.prepay_bp);
    let mut change = booking::ActiveModel {
        id: Set(id),
        prepaid_fen: Set(prepaid),
        updated_at: Set(now),
        ..Default::default()
    };
    note(ctx, tx, id, &format!("收到预存 {}", amount.yuan())).await?;
    if enough {
        change.status = Set(step(row.status, Step::Confirm)?);
        change.confirmed_at = Set(Some(now));
        change.hold_expires_at = Set(None);
        timer::cancel(tx, &ctx.env, HOLD_DUE, id).await?;
        note(ctx, tx, id, "预约已确认").await?;
        let event = BookingConfirmed {
            booking_id: id,
            customer_id: row.customer_id,
            worker_id: row.worker_id,
        };
        outbox::append(tx, &ctx.env, &event).await?;
    }
    change.update(tx).await?;
    Ok(match (pending, enough) {
        (true, true) => Received::Confirmed,
        (true, false) => Received::Partial,
        (false, _) => Received::AlreadyConfirmed,
    })
}

/// Counts money that went back.
///
/// # Errors
/// `not_found`, or a database fault.
pub async fn record_refund(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: BookingId,
    amount: Fen,
) -> Result<booking::Model> {
    let row = lock(tx, id).await?;
    let change = booking::ActiveModel {
        id: Set(id),
        refunded_fen: Set(row.refunded_fen.plus(amount)),
        updated_at: Set(ctx.env.now()),
        ..Default::default()
    };
    note(ctx, tx, id, &format!("已退款 {}", amount.yuan())).await?;
    Ok(change.update(tx).await?)
}

async fn set(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    row: &booking::Model,
    to: Step,
    what: &str,
) -> Result<booking::Model> {
    let change = booking::ActiveModel {
        id: Set(row.id),
        status: Set(step(row.status, to)?),
        updated_at: Set(ctx.env.now()),
        ..Default::default()
    };
    note(ctx, tx, row.id, what).await?;
    Ok(change.update(tx).await?)
}

/// The worker has checked in.
///
/// # Errors
/// `invalid_state` unless confirmed.
pub async fn begin_service(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: BookingId,
) -> Result<booking::Model> {
    let row = lock(tx, id).await?;
    set(ctx, tx, &row, Step::Begin, "家政员已签到,开始服务").await
}

/// The worker says it is done; the customer has `booking.acceptance_window` to look.
///
/// # Errors
/// `invalid_state` unless in service.
pub async fn finish_service(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: BookingId,
) -> Result<booking::Model> {
    let row = lock(tx, id).await?;
    let row = set(ctx, tx, &row, Step::Finish, "服务完成,等待验收").await?;
    await_acceptance(ctx, tx, id).await?;
    Ok(row)
}

/// Starts (again) the time after which silence counts as acceptance.
pub(super) async fn await_acceptance(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: BookingId,
) -> Result<()> {
    let due = ctx.env.now() + ctx.config.booking.acceptance_window.get();
    timer::schedule(tx, &ctx.env, ACCEPTANCE_DUE, id, due).await
}

/// The customer accepts, or his silence does. A rework that is accepted completes the visit it repaired, too.
pub(super) async fn complete(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: BookingId,
    what: &str,
) -> Result<booking::Model> {
    let row = lock(tx, id).await?;
    let done = completed(ctx, tx, &row, what).await?;
    if let Some(first) = row.rework_of {
        let first = lock(tx, first).await?;
        if first.status == BookingStatus::AwaitingAcceptance {
            completed(ctx, tx, &first, "返工已验收,本次服务完成").await?;
        }
    }
    Ok(done)
}

/// The visit is over. Hold its lock.
pub(super) async fn completed(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    row: &booking::Model,
    what: &str,
) -> Result<booking::Model> {
    let done = set(ctx, tx, row, Step::Complete, what).await?;
    timer::cancel(tx, &ctx.env, ACCEPTANCE_DUE, row.id).await?;
    wallet::spend(tx, row.id).await?;
    let stamp = booking::ActiveModel {
        id: Set(row.id),
        completed_at: Set(Some(ctx.env.now())),
        ..Default::default()
    };
    let done = booking::Model {
        completed_at: stamp.update(tx).await?.completed_at,
        ..done
    };
    // A free rework is part of the visit it repairs: only that visit counts as completed.
    if row.rework_of.is_none() {
        let event = BookingCompleted {
            booking_id: row.id,
            customer_id: row.customer_id,
            worker_id: row.worker_id,
            total_fen: row.total_fen,
            prepaid_fen: row.prepaid_fen,
        };
        outbox::append(tx, &ctx.env, &event).await?;
    }
    Ok(done)
}

/// The customer has kept silent for the whole window. While a rework is open he is not silent: he waits for it.
pub(super) async fn silence(ctx: &Ctx, tx: &DatabaseTransaction, id: BookingId) -> Result<()> {
    let row = lock(tx, id).await?;
    if row.status != BookingStatus::AwaitingAcceptance
        || (row.rework_of.is_none() && has_open_rework(tx, id).await?)
    {
        return Ok(());
    }
    complete(ctx, tx, id, "超过验收期限,视为已验收").await?;
    Ok(())
}

/// The hold ran out: an unpaid booking ends and its cells are free.
pub(super) async fn expire(ctx: &Ctx, tx: &DatabaseTransaction, id: BookingId) -> Result<()> {
    let row = lock(tx, id).await?;
    let Some(end) = row.hold_expires_at else {
        return Ok(());
    };
    if row.status != BookingStatus::PendingPayment {
        return Ok(());
    }
    if end > ctx.env.now() {
        // Another node's clock runs ahead of ours: the timer is spent, the hold is not.
        return timer::schedule(tx, &ctx.env, HOLD_DUE, id, end).await;
    }
    set(ctx, tx, &row, Step::Expire, "未在时限内预存,预约已释放").await?;
    free(tx, id).await?;
    wallet::release(tx, id).await?;
    let refund_fen = left(tx, &row).await?;
    if refund_fen > Fen::ZERO {
        // Part of the half arrived in time: it goes back like that of a cancelled visit.
        let event = super::events::BookingCancelled {
            booking_id: id,
            customer_id: row.customer_id,
            refund_fen,
        };
        outbox::append(tx, &ctx.env, &event).await?;
    }
    outbox::append(
        tx,
        &ctx.env,
        &BookingExpired {
            booking_id: id,
            customer_id: row.customer_id,
        },
    )
    .await?;
    Ok(())
}
