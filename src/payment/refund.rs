//! Refunds: recorded, asked for under one number, settled by notification or query.

use super::{
    events::{PaymentRefunded, RefundRequested},
    incident,
    ledger::{self, Posting},
    store,
};
use crate::{
    booking,
    kernel::{AppError, Code, Result},
    outbox::{self, timer},
    platform::{
        Ctx, OneByKey,
        wechat::{Refund, RefundAnswer, RefundOf, RefundStatus as Told, pay_code},
    },
};
use chrono::{DateTime, Duration, Utc};
use entity::{
    ids::{AccountId, BookingId, RefundId},
    ledger_entry, payment, refund,
    values::{BookingStatus, Fen, PaymentStatus, RefundStatus},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait,
    PaginatorTrait, QueryFilter, QuerySelect,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Timer: ask WeChat Pay how a refund went, and ask for it again if it never heard of it.
pub(super) const QUERY_DUE: &str = "payment.refund_query_due.v1";

/// How long to wait before asking again: a refund usually ends within a minute, a bank may take days.
fn pause(age: Duration) -> Duration {
    // Every minute at first, then ever more seldom (spec 2.6).
    (age / 4).clamp(Duration::minutes(1), Duration::hours(6))
}

/// Who wants the money back and why.
pub(super) struct Why<'a> {
    pub(super) by: Option<AccountId>,
    pub(super) reason: &'a str,
    /// Whether the money had counted towards its booking.
    pub(super) counted: bool,
    /// The transaction to give back when it is not the payment's own.
    pub(super) transaction: Option<&'a str>,
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
    let now = ctx.env.now();
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
        full: Set(why.transaction.is_none() && left_of(tx, of.booking_id).await? <= amount),
        settled_at: Set(None),
        created_at: Set(now),
        transaction_id: Set(why.transaction.map(str::to_owned)),
        success_at: Set(None),
        billed_on: Set(None),
    };
    let row = row.insert(tx).await?;
    // The row and its timer exist before WeChat Pay is asked: an outage of hours only makes the refund late.
    timer::schedule(tx, &ctx.env, QUERY_DUE, id, now + pause(Duration::zero())).await?;
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

/// What is left of everything paid for a booking once all refunds on their way have arrived.
async fn left_of(tx: &DatabaseTransaction, booking: BookingId) -> Result<Fen> {
    let open = open_payments(tx, booking).await?;
    Ok(open
        .iter()
        .fold(Fen::ZERO, |sum, (_, left)| sum.plus(*left)))
}

/// The paid payments of a booking with what of each can still go back.
async fn open_payments(
    tx: &DatabaseTransaction,
    booking: BookingId,
) -> Result<Vec<(payment::Model, Fen)>> {
    let mut open = Vec::new();
    for row in store::of_booking(tx, booking, PaymentStatus::Paid).await? {
        let left = row.amount_fen.minus(store::given_back(tx, row.id).await?);
        open.push((row, left));
    }
    Ok(open)
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
    let refundable = left_of(tx, booking).await?;
    if refundable <= Fen::ZERO {
        return Err(AppError::invalid_state("这个预约没有可退的款项"));
    }
    let wanted = amount.unwrap_or(refundable);
    if wanted > refundable {
        let detail = format!("最多可退 {}", refundable.yuan());
        return Err(AppError::field("/amount_fen", "range", detail));
    }
    give(ctx, tx, booking, wanted, why).await
}

/// Gives back `wanted` of a booking, or what is left when somebody else was quicker: for causes nobody waits for.
pub(super) async fn up_to(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    booking: BookingId,
    wanted: Fen,
    why: &Why<'_>,
) -> Result<()> {
    booking::lock(tx, booking).await?;
    give(ctx, tx, booking, wanted, why).await.map(drop)
}

async fn give(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    booking: BookingId,
    mut wanted: Fen,
    why: &Why<'_>,
) -> Result<Vec<refund::Model>> {
    let mut made = Vec::new();
    for (row, left) in open_payments(tx, booking).await? {
        let part = wanted.min(left);
        if part > Fen::ZERO {
            made.push(request(ctx, tx, &row, part, why).await?);
            wanted = wanted.minus(part);
        }
    }
    Ok(made)
}

/// What of a booking's counted money is asked back and not settled yet. Hold the booking's lock.
///
/// # Errors
/// A database fault.
pub async fn on_its_way(tx: &DatabaseTransaction, booking: BookingId) -> Result<Fen> {
    let mut sum = Fen::ZERO;
    for row in store::open_refunds(tx, booking).await? {
        if !in_suspense(tx, &row).await? {
            sum = sum.plus(row.amount_fen);
        }
    }
    Ok(sum)
}

/// What came of asking WeChat Pay for a refund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Asked {
    /// It is on its way.
    Processing(String),
    /// The customer has it, since then as WeChat says.
    Paid(String, Option<DateTime<Utc>>),
    /// WeChat Pay took it and could not pay it out.
    Returned(String),
    /// WeChat Pay refused it for good, with this code; under this number it will never be paid.
    Refused(String),
    /// Nobody knows: ask again.
    Unknown,
}

impl Asked {
    /// What a verified message says.
    pub(super) fn told(status: Told, refund_id: String, at: Option<DateTime<Utc>>) -> Self {
        match status {
            Told::Success => Self::Paid(refund_id, at),
            Told::Closed | Told::Abnormal => Self::Returned(refund_id),
            Told::Processing | Told::Other => Self::Processing(refund_id),
        }
    }

    fn refund_id(&self) -> Option<&str> {
        match self {
            Self::Processing(id) | Self::Paid(id, _) | Self::Returned(id) => Some(id),
            Self::Refused(_) | Self::Unknown => None,
        }
    }
}

impl From<RefundAnswer> for Asked {
    fn from(answer: RefundAnswer) -> Self {
        Self::told(answer.status, answer.refund_id, answer.success_time)
    }
}

/// Asks WeChat Pay, outside any transaction. An unknown outcome is queried first; the number never changes.
pub(super) async fn ask(ctx: &Ctx, id: RefundId) -> Result<Asked> {
    let row = store::refund(ctx.db.read(), id).await?;
    if matches!(row.status, RefundStatus::Succeeded | RefundStatus::Failed) {
        return Ok(Asked::Unknown);
    }
    let of = store::payment(ctx.db.read(), row.payment_id).await?;
    match ctx.wechat.query_refund(&row.out_refund_no).await {
        Ok(answer) => return Ok(answer.into()),
        Err(error) if error.code == Code::NotFound => {}
        Err(error) => {
            tracing::warn!(refund.id = %id, error = ?error, "nobody knows yet how a refund stands");
            return Ok(Asked::Unknown);
        }
    }
    let order = Refund {
        of: named(ctx, &row, &of).await?,
        out_refund_no: row.out_refund_no.clone(),
        refund_fen: row.amount_fen.0,
        total_fen: of.amount_fen.0,
        reason: Some(row.reason),
    };
    match ctx.wechat.refund(&order).await {
        Ok(answer) => Ok(answer.into()),
        Err(error) if is_final(&error) => {
            let code = pay_code(&error).unwrap_or_default().to_owned();
            // A refusal alone is no proof: an earlier call whose answer was lost may have been taken (spec 2.6, 2.10).
            match ctx.wechat.query_refund(&row.out_refund_no).await {
                Ok(answer) => Ok(answer.into()),
                Err(error) if error.code == Code::NotFound => Ok(Asked::Refused(code)),
                Err(_) => Ok(Asked::Unknown),
            }
        }
        Err(error) => {
            tracing::warn!(refund.id = %id, error = ?error, "WeChat Pay has not taken a refund yet; it will be asked again");
            Ok(Asked::Unknown)
        }
    }
}

/// How the payment is named: by its order, unless the order was paid by more than one transaction.
async fn named(ctx: &Ctx, row: &refund::Model, of: &payment::Model) -> Result<RefundOf> {
    if let Some(beside) = &row.transaction_id {
        return Ok(RefundOf::Transaction(beside.clone()));
    }
    match &of.transaction_id {
        Some(own) if store::is_paid_twice(ctx.db.read(), of.id).await? => {
            Ok(RefundOf::Transaction(own.clone()))
        }
        _ => Ok(RefundOf::Order(of.out_trade_no.clone())),
    }
}

/// Whether asking again under the same number cannot help. Lack of funds, a lost answer or the merchant's own wrong
/// settings pass; what WeChat Pay says about this very refund does not.
fn is_final(error: &AppError) -> bool {
    match error.code {
        Code::Conflict | Code::InvalidState | Code::NotFound => true,
        _ => matches!(pay_code(error), Some("PARAM_ERROR" | "RULE_LIMIT")),
    }
}

/// Writes what WeChat Pay said. Saying it again changes nothing.
pub(super) async fn told(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: RefundId,
    said: &Asked,
) -> Result<()> {
    let row = refund::Entity::find_by_id(id)
        .lock_exclusive()
        .one_by_key(tx)
        .await?
        .ok_or_else(AppError::not_found)?;
    let to = match (row.status, said) {
        (RefundStatus::Succeeded, _) => return Ok(()),
        // What failed may still be paid out by hand at WeChat Pay: the ledger follows the money.
        (RefundStatus::Failed, said) if !matches!(said, Asked::Paid(..)) => return Ok(()),
        (status, Asked::Unknown) => status,
        (_, Asked::Processing(_)) => RefundStatus::Processing,
        (_, Asked::Paid(..)) => RefundStatus::Succeeded,
        (_, Asked::Returned(_) | Asked::Refused(_)) => RefundStatus::Failed,
    };
    let now = ctx.env.now();
    let over = matches!(to, RefundStatus::Succeeded | RefundStatus::Failed);
    let refund_id = said.refund_id().map(str::to_owned);
    let arrived = match said {
        Asked::Paid(_, at) => Some(at.unwrap_or(now)),
        _ => None,
    };
    refund::ActiveModel {
        id: Set(id),
        status: Set(to),
        refund_id: Set(refund_id.or_else(|| row.refund_id.clone())),
        settled_at: Set(over.then_some(now)),
        success_at: Set(arrived),
        ..Default::default()
    }
    .update(tx)
    .await?;
    if !over {
        let next = now + pause(now - row.created_at);
        return timer::schedule(tx, &ctx.env, QUERY_DUE, id, next).await;
    }
    timer::cancel(tx, &ctx.env, QUERY_DUE, id).await?;
    match to {
        RefundStatus::Succeeded => succeeded(ctx, tx, &row).await,
        RefundStatus::Failed => failed(ctx, tx, &row, said).await,
        RefundStatus::Requested | RefundStatus::Processing => Ok(()),
    }
}

/// A refund that will not arrive: staff look at it and can give the money back under another number.
async fn failed(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    row: &refund::Model,
    said: &Asked,
) -> Result<()> {
    let word = match said {
        Asked::Refused(code) => code.as_str(),
        _ => "returned",
    };
    let detail = json!({ "refund_id": row.id, "refund_fen": row.amount_fen, "answer": word });
    incident::write(ctx, tx, Some(row.payment_id), "refund_failed", detail).await?;
    let what = format!("退款 {} 未成功,客服会跟进", row.amount_fen.yuan());
    booking::note(ctx, tx, row.booking_id, &what).await
}

async fn succeeded(ctx: &Ctx, tx: &DatabaseTransaction, row: &refund::Model) -> Result<()> {
    // The lock comes before the decision whose account it is: completion and cancellation take the same one.
    let visit = booking::lock(tx, row.booking_id).await?;
    let suspended = in_suspense(tx, row).await?;
    let posting = Posting {
        cause: format!("refund:{}", row.id),
        booking: Some(row.booking_id),
        debits: debits(tx, &visit, row.amount_fen, suspended).await?,
        credit: ledger::WECHAT_PAY.into(),
    };
    ledger::post(ctx, tx, &posting).await?;
    if row.status == RefundStatus::Failed {
        let detail = json!({ "refund_id": row.id, "refund_fen": row.amount_fen });
        incident::write(
            ctx,
            tx,
            Some(row.payment_id),
            "refund_after_failure",
            detail,
        )
        .await?;
    }
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

/// Whose money goes back: the customer's own while the visit has not earned it, then what we earned.
async fn debits(
    tx: &DatabaseTransaction,
    visit: &entity::booking::Model,
    amount: Fen,
    suspended: bool,
) -> Result<Vec<(String, Fen)>> {
    if suspended {
        return Ok(vec![(ledger::SUSPENSE.to_owned(), amount)]);
    }
    let prepaid = ledger::prepayment(visit.id);
    let held = if visit.status == BookingStatus::Completed {
        Fen::ZERO
    } else {
        ledger::held(tx, &prepaid).await?.max(Fen::ZERO).min(amount)
    };
    let parts = [
        (prepaid, held),
        (ledger::REVENUE.to_owned(), amount.minus(held)),
    ];
    Ok(parts
        .into_iter()
        .filter(|(_, part)| *part > Fen::ZERO)
        .collect())
}

/// Whether the money never counted towards its booking.
async fn in_suspense(tx: &DatabaseTransaction, row: &refund::Model) -> Result<bool> {
    if row.transaction_id.is_some() {
        return Ok(true);
    }
    let entries = ledger_entry::Entity::find()
        .filter(ledger_entry::Column::Cause.eq(format!("payment:{}", row.payment_id)))
        .filter(ledger_entry::Column::Account.eq(ledger::SUSPENSE));
    Ok(entries.count(tx).await? > 0)
}
