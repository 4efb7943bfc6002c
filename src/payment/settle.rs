//! A payment is paid: by notification or by query, once, in one transaction with everything it causes.

use super::{
    events::PaymentSucceeded,
    ledger::{self, Posting},
    prepay::QUERY_DUE,
    refund::{self, Why},
    store,
};
use crate::{
    booking::{self, Received},
    kernel::{AppError, Code, Result},
    outbox::{self, timer},
    platform::{
        Ctx,
        wechat::{TradeState, Transaction},
    },
};
use entity::{payment, values::PaymentStatus};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction};

/// Why a verified payment does not count.
pub(super) struct Mismatch {
    pub(super) kind: &'static str,
    pub(super) payment: Option<payment::Model>,
}

/// What a verified payment did.
pub(super) enum Settled {
    /// It counts now, or did before.
    Done,
    /// It does not fit its order; nothing was written.
    Refused(Mismatch),
}

/// Checks a verified transaction against its order and counts it. Duplicates change nothing.
pub(super) async fn paid(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    told: &Transaction,
) -> Result<Settled> {
    let Some(row) = store::lock_by_number(tx, &told.out_trade_no).await? else {
        return Ok(Settled::Refused(Mismatch {
            kind: "unknown_order",
            payment: None,
        }));
    };
    let refused = |kind| {
        Ok(Settled::Refused(Mismatch {
            kind,
            payment: Some(row.clone()),
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
    match (row.status, row.transaction_id.as_deref()) {
        (PaymentStatus::Paid, Some(known)) if known == told.transaction_id => {
            return Ok(Settled::Done);
        }
        (PaymentStatus::Paid, _) => return refused("second_transaction"),
        (PaymentStatus::Pending | PaymentStatus::Closed, _) => {}
    }
    count(ctx, tx, &row, told).await?;
    Ok(Settled::Done)
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
        ..Default::default()
    }
    .update(tx)
    .await?;
    timer::cancel(tx, &ctx.env, QUERY_DUE, row.id).await?;
    let received = booking::receive_payment(ctx, tx, row.booking_id, row.amount_fen).await?;
    let late = received == Received::TooLate;
    let credit = if late {
        ledger::SUSPENSE.to_owned()
    } else {
        ledger::prepayment(row.booking_id)
    };
    let posting = Posting {
        cause: format!("payment:{}", row.id),
        booking: Some(row.booking_id),
        debit: ledger::WECHAT_PAY.into(),
        credit,
        amount: row.amount_fen,
    };
    ledger::post(ctx, tx, &posting).await?;
    if late {
        let why = Why {
            by: None,
            reason: "预约已结束,付款原路退回",
            counted: false,
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

/// [`paid`] for callers that have nobody to answer: a mismatch is an incident.
pub(super) async fn paid_or_incident(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    told: &Transaction,
) -> Result<()> {
    match paid(ctx, tx, told).await? {
        Settled::Done => Ok(()),
        Settled::Refused(mismatch) => {
            tracing::error!(
                incident.kind = mismatch.kind,
                "a queried payment does not fit its order"
            );
            Err(AppError::new(
                Code::PaymentMismatch,
                "查询到的付款与订单不符",
            ))
        }
    }
}
