//! A payment is paid: by notification or by query, once, in one transaction with everything it causes.

use super::{
    events::PaymentSucceeded,
    incident,
    ledger::{self, Posting},
    prepay::QUERY_DUE,
    refund::{self, Why},
    store,
};
use crate::{
    booking::{self, Received},
    identity,
    kernel::Result,
    outbox::{self, timer},
    platform::{
        Ctx,
        wechat::{TradeState, Transaction},
    },
};
use entity::{
    ids::PaymentId,
    payment,
    values::{BookingStatus, PaymentStatus},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction};
use serde_json::json;

/// Why a verified payment does not count.
struct Mismatch {
    kind: &'static str,
    payment: Option<PaymentId>,
    wanted_fen: Option<i64>,
}

/// What a verified payment did.
enum Settled {
    /// It counts now, or did before.
    Done,
    /// It does not fit its order; nothing was written.
    Refused(Mismatch),
}

/// Checks a verified transaction against its order and counts it. Duplicates change nothing.
async fn paid(ctx: &Ctx, tx: &DatabaseTransaction, told: &Transaction) -> Result<Settled> {
    // Booking before payment, as everywhere: refunds and cancellations take them in this order.
    if let Some(seen) = store::by_number(tx, &told.out_trade_no).await? {
        booking::lock(tx, seen.booking_id).await?;
    }
    let Some(row) = store::lock_by_number(tx, &told.out_trade_no).await? else {
        return Ok(Settled::Refused(Mismatch {
            kind: "unknown_order",
            payment: None,
            wanted_fen: None,
        }));
    };
    let refused = |kind| {
        Ok(Settled::Refused(Mismatch {
            kind,
            payment: Some(row.id),
            wanted_fen: Some(row.amount_fen.0),
        }))
    };
    if told.trade_state != TradeState::Success && told.trade_state != TradeState::Refund {
        return refused("not_paid");
    }
    if told.total_fen != row.amount_fen.0 {
        return refused("amount");
    }
    if told.currency != "CNY" {
        return refused("currency");
    }
    // Who opened the order pays it; another payer's money is not his.
    let payer = identity::openid_of(ctx, tx, row.customer_id).await?;
    if payer.is_some() && told.openid.is_some() && payer != told.openid {
        return refused("payer");
    }
    match (row.status, row.transaction_id.as_deref()) {
        (PaymentStatus::Paid, Some(known)) if known == told.transaction_id => {
            return Ok(Settled::Done);
        }
        (PaymentStatus::Paid, _) => {
            again(ctx, tx, &row, told).await?;
            return Ok(Settled::Done);
        }
        (PaymentStatus::Pending | PaymentStatus::Closed, _) => {}
    }
    count(ctx, tx, &row, told).await?;
    Ok(Settled::Done)
}

/// Money that came beside the order's own payment goes back by its own number, by itself; staff see that it happened.
async fn again(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    row: &payment::Model,
    told: &Transaction,
) -> Result<()> {
    if store::is_going_back(tx, &told.transaction_id).await? {
        return Ok(());
    }
    // Asked for again after a refund that failed: the money came in once.
    if !store::is_known_beside(tx, &told.transaction_id).await? {
        let detail = json!({ "told_fen": told.total_fen, "wanted_fen": 0 });
        incident::write(ctx, tx, Some(row.id), "second_transaction", detail).await?;
        let posting = Posting::simple(
            format!("transaction:{}", told.transaction_id),
            row.booking_id,
            ledger::WECHAT_PAY,
            ledger::SUSPENSE,
            row.amount_fen,
        );
        ledger::post(ctx, tx, &posting).await?;
    }
    let why = Why {
        by: None,
        reason: "重复付款,原路退回",
        counted: false,
        transaction: Some(&told.transaction_id),
    };
    refund::request(ctx, tx, row, row.amount_fen, &why).await?;
    Ok(())
}

async fn count(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    row: &payment::Model,
    told: &Transaction,
) -> Result<()> {
    payment::ActiveModel {
        id: Set(row.id),
        status: Set(PaymentStatus::Paid),
        transaction_id: Set(Some(told.transaction_id.clone())),
        paid_at: Set(Some(ctx.env.now())),
        success_at: Set(Some(told.success_time.unwrap_or_else(|| ctx.env.now()))),
        ..Default::default()
    }
    .update(tx)
    .await?;
    timer::cancel(tx, &ctx.env, QUERY_DUE, row.id).await?;
    // The lock comes before the decision whose account it is: completion takes the same one.
    let visit = booking::lock(tx, row.booking_id).await?;
    let received = booking::receive_payment(ctx, tx, row.booking_id, row.amount_fen).await?;
    let late = received == Received::TooLate;
    let credit = if late {
        ledger::SUSPENSE.to_owned()
    } else if visit.status == BookingStatus::Completed {
        ledger::REVENUE.to_owned()
    } else {
        ledger::prepayment(row.booking_id)
    };
    let posting = Posting::simple(
        format!("payment:{}", row.id),
        row.booking_id,
        ledger::WECHAT_PAY,
        credit,
        row.amount_fen,
    );
    ledger::post(ctx, tx, &posting).await?;
    if late {
        let why = Why {
            by: None,
            reason: "预约已结束,付款原路退回",
            counted: false,
            transaction: None,
        };
        refund::request(ctx, tx, row, row.amount_fen, &why).await?;
        return Ok(());
    }
    let event = PaymentSucceeded {
        payment_id: row.id,
        booking_id: row.booking_id,
        customer_id: row.customer_id,
        amount_fen: row.amount_fen,
    };
    outbox::append(tx, &ctx.env, &event).await?;
    Ok(())
}

/// [`paid`] in a transaction of its own; a mismatch becomes an incident. Says whether the payment counts.
pub(super) async fn paid_or_incident(ctx: &Ctx, told: &Transaction) -> Result<bool> {
    let tx = ctx.db.begin_write().await?;
    match paid(ctx, &tx, told).await? {
        Settled::Done => {
            ctx.commit(tx).await?;
            Ok(true)
        }
        Settled::Refused(mismatch) => {
            tx.rollback().await?;
            let detail = json!({ "told_fen": told.total_fen, "wanted_fen": mismatch.wanted_fen });
            incident::record(ctx, mismatch.payment, mismatch.kind, detail).await?;
            Ok(false)
        }
    }
}
