//! Refunds: recorded, asked for under one number, settled by notification or query.

use super::{
    events::{PaymentRefunded, RefundRequested},
    ledger::{self, Posting},
    store,
};
use crate::{
    booking,
    kernel::{AppError, Result},
    outbox::{self, timer},
    platform::{
        Ctx, OneByKey,
        wechat::{Refund, RefundStatus as Told},
    },
};
use chrono::Duration;
use entity::{
    ids::{AccountId, BookingId, RefundId},
    ledger_entry, payment, refund,
    values::{Fen, PaymentStatus, RefundStatus},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait,
    PaginatorTrait, QueryFilter, QuerySelect,
};

/// Timer: ask WeChat Pay how a refund went.
pub(super) const QUERY_DUE: &str = "payment.refund_query_due.v1";
/// A refund's notification usually comes within a minute.
const FIRST_QUERY: Duration = Duration::minutes(1);

/// Who wants the money back and why.
pub(super) struct Why<'a> {
    pub(super) by: Option<AccountId>,
    pub(super) reason: &'a str,
    /// Whether the money had counted towards its booking.
    pub(super) counted: bool,
}

/// Records one refund of one payment; the consumer asks WeChat Pay for it.
pub(super) async fn request(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    of: &payment::Model,
    amount: Fen,
    why: &Why<'_>,
) -> Result<refund::Model> {
    let id: RefundId = ctx.env.id();
    let row = refund::ActiveModel {
        id: Set(id),
        payment_id: Set(of.id),
        booking_id: Set(of.booking_id),
        amount_fen: Set(amount),
        reason: Set(why.reason.to_owned()),
        status: Set(RefundStatus::Requested),
        out_refund_no: Set(format!("r{}", id.0.simple())),
        refund_id: Set(None),
        requested_by: Set(why.by),
        full: Set(amount == of.amount_fen),
        settled_at: Set(None),
        created_at: Set(ctx.env.now()),
    };
    let row = row.insert(tx).await?;
    outbox::append(
        tx,
        &ctx.env,
        &RefundRequested {
            refund_id: id,
            customer_id: of.customer_id,
        },
    )
    .await?;
    if why.counted {
        booking::note(
            ctx,
            tx,
            of.booking_id,
            &format!("退款 {} 已受理", amount.yuan()),
        )
        .await?;
    }
    Ok(row)
}

/// Gives back `amount` of a booking (everything when `None`), from its payments in their order.
///
/// # Errors
/// `validation` on `/amount_fen` when it is more than can go back; `invalid_state` when nothing can.
pub(super) async fn of_booking(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    booking: BookingId,
    amount: Option<Fen>,
    why: &Why<'_>,
) -> Result<Vec<refund::Model>> {
    // The booking's lock puts parallel refunds of it in order.
    booking::lock(tx, booking).await?;
    let mut open = Vec::new();
    let mut refundable = Fen::ZERO;
    for row in store::of_booking(tx, booking, PaymentStatus::Paid).await? {
        let left = row.amount_fen.minus(store::given_back(tx, row.id).await?);
        refundable = refundable.plus(left);
        open.push((row, left));
    }
    let mut wanted = amount.unwrap_or(refundable);
    if refundable <= Fen::ZERO {
        return Err(AppError::invalid_state("这个预约没有可退的款项"));
    }
    if wanted > refundable {
        let detail = format!("最多可退 {}", refundable.yuan());
        return Err(AppError::field("/amount_fen", "range", detail));
    }
    let mut made = Vec::new();
    for (row, left) in open {
        let part = wanted.min(left);
        if part > Fen::ZERO {
            made.push(request(ctx, tx, &row, part, why).await?);
            wanted = wanted.minus(part);
        }
    }
    Ok(made)
}

/// Asks WeChat Pay, outside any transaction. An unknown outcome is queried first; the number never changes.
pub(super) async fn ask(ctx: &Ctx, id: RefundId) -> Result<(Told, Option<String>)> {
    let row = store::refund(ctx.db.read(), id).await?;
    if matches!(row.status, RefundStatus::Succeeded | RefundStatus::Failed) {
        return Ok((Told::Other, None));
    }
    let of = store::payment(ctx.db.read(), row.payment_id).await?;
    let known = ctx.wechat.query_refund(&row.out_refund_no).await;
    let answer = match known {
        Ok(answer) => answer,
        Err(_) => {
            let order = Refund {
                out_trade_no: of.out_trade_no,
                out_refund_no: row.out_refund_no,
                refund_fen: row.amount_fen.0,
                total_fen: of.amount_fen.0,
                reason: Some(row.reason),
            };
            ctx.wechat.refund(&order).await?
        }
    };
    Ok((answer.status, Some(answer.refund_id)))
}

/// Writes what WeChat Pay said. Saying it again changes nothing.
pub(super) async fn told(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: RefundId,
    status: Told,
    refund_id: Option<String>,
) -> Result<()> {
    let row = refund::Entity::find_by_id(id)
        .lock_exclusive()
        .one_by_key(tx)
        .await?
        .ok_or_else(AppError::not_found)?;
    if matches!(row.status, RefundStatus::Succeeded | RefundStatus::Failed) {
        return Ok(());
    }
    let to = match status {
        Told::Success => RefundStatus::Succeeded,
        Told::Closed | Told::Abnormal => RefundStatus::Failed,
        Told::Processing | Told::Other => RefundStatus::Processing,
    };
    let over = to != RefundStatus::Processing;
    refund::ActiveModel {
        id: Set(id),
        status: Set(to),
        refund_id: Set(refund_id.or_else(|| row.refund_id.clone())),
        settled_at: Set(over.then(|| ctx.env.now())),
        ..Default::default()
    }
    .update(tx)
    .await?;
    match to {
        RefundStatus::Succeeded => succeeded(ctx, tx, &row).await?,
        RefundStatus::Processing => {
            timer::schedule(tx, &ctx.env, QUERY_DUE, id, ctx.env.now() + FIRST_QUERY).await?;
        }
        RefundStatus::Failed | RefundStatus::Requested => {
            tracing::error!(refund.id = %id, "WeChat Pay did not pay a refund out; a person must act");
        }
    }
    if over {
        timer::cancel(tx, &ctx.env, QUERY_DUE, id).await?;
    }
    Ok(())
}

async fn succeeded(ctx: &Ctx, tx: &DatabaseTransaction, row: &refund::Model) -> Result<()> {
    let of = store::payment(tx, row.payment_id).await?;
    let suspended = in_suspense(tx, &of).await?;
    let debit = match suspended {
        true => ledger::SUSPENSE.to_owned(),
        false if is_revenue(tx, row.booking_id).await? => ledger::REVENUE.to_owned(),
        false => ledger::prepayment(row.booking_id),
    };
    let posting = Posting {
        cause: format!("refund:{}", row.id),
        booking: Some(row.booking_id),
        debit,
        credit: ledger::WECHAT_PAY.into(),
        amount: row.amount_fen,
    };
    ledger::post(ctx, tx, &posting).await?;
    if suspended {
        return Ok(());
    }
    let visit = booking::record_refund(ctx, tx, row.booking_id, row.amount_fen).await?;
    let event = PaymentRefunded {
        refund_id: row.id,
        booking_id: row.booking_id,
        customer_id: visit.customer_id,
        amount_fen: row.amount_fen,
        full: visit.refunded_fen >= visit.prepaid_fen,
    };
    outbox::append(tx, &ctx.env, &event).await?;
    Ok(())
}

/// Whether the payment never counted towards its booking.
async fn in_suspense(tx: &DatabaseTransaction, of: &payment::Model) -> Result<bool> {
    let entries = ledger_entry::Entity::find()
        .filter(ledger_entry::Column::Cause.eq(format!("payment:{}", of.id)))
        .filter(ledger_entry::Column::Account.eq(ledger::SUSPENSE));
    Ok(entries.count(tx).await? > 0)
}

/// Whether the booking's prepayment has become revenue.
async fn is_revenue(tx: &DatabaseTransaction, booking: BookingId) -> Result<bool> {
    let entries = ledger_entry::Entity::find()
        .filter(ledger_entry::Column::Cause.eq(format!("completion:{booking}")));
    Ok(entries.count(tx).await? > 0)
}
