//! A day of WeChat's bill beside our rows: what fits, what does not, and what can be made good at once. Reads, and heals
//! through the normal path of payments and refunds; writes nothing of the comparison itself.

use super::{refund as refunds, settle, store};
use crate::{
    kernel::{Code, Result},
    platform::{
        Ctx, OneByKey,
        wechat::{Bill, BillKind, BillRefund, BillRow, TradeState},
    },
};
use entity::{
    ids::{PaymentId, RefundId},
    payment, refund,
    values::{DifferenceKind, DifferenceStatus, Fen, PaymentStatus, RefundStatus, TradeKind},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// Numbers looked up at once.
const CHUNK: usize = 500;

/// What a comparison found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Compared {
    pub(super) payments: i32,
    pub(super) refunds: i32,
    pub(super) paid_fen: Fen,
    pub(super) refunded_fen: Fen,
    /// Ours that the bill lists.
    pub(super) billed_payments: Vec<PaymentId>,
    pub(super) billed_refunds: Vec<RefundId>,
    pub(super) differences: Vec<Difference>,
}

/// One thing bill and rows do not agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Difference {
    pub(super) kind: DifferenceKind,
    pub(super) status: DifferenceStatus,
    pub(super) trade: TradeKind,
    pub(super) number: String,
    pub(super) payment: Option<PaymentId>,
    pub(super) refund: Option<RefundId>,
    pub(super) here_fen: Option<Fen>,
    pub(super) there_fen: Option<Fen>,
}

/// Compares a bill with our rows, from the bill's side; what the bill lacks is found when the result is written.
pub(super) async fn compare(ctx: &Ctx, bill: &Bill) -> Result<Compared> {
    let count = |kind| {
        let rows = bill.rows.iter().filter(|row| row.kind == kind).count();
        i32::try_from(rows).unwrap_or(i32::MAX)
    };
    let mut found = Compared {
        payments: count(BillKind::Payment),
        refunds: count(BillKind::Refund),
        paid_fen: Fen(bill.paid_fen()),
        refunded_fen: Fen(bill.refunded_fen()),
        ..Compared::default()
    };
    for rows in bill.rows.chunks(CHUNK) {
        payments(ctx, rows, &mut found).await?;
        returned(ctx, rows, &mut found).await?;
    }
    Ok(found)
}

type Ours = HashMap<String, payment::Model>;

/// Our payments under these rows' numbers; and the numbers of money that came beside an order's own payment, which the
/// refund that sends it back knows.
async fn known(ctx: &Ctx, rows: &[&BillRow]) -> Result<(Ours, HashSet<String>)> {
    let numbers: Vec<&str> = rows.iter().map(|row| row.transaction_id.as_str()).collect();
    let db = ctx.db.read();
    let ours = payment::Entity::find()
        .filter(payment::Column::TransactionId.is_in(numbers.clone()))
        .all(db)
        .await?;
    let beside = refund::Entity::find()
        .filter(refund::Column::TransactionId.is_in(numbers))
        // What could not be given back is looked at again: nobody else asks for it any more.
        .filter(refund::Column::Status.ne(RefundStatus::Failed))
        .all(db)
        .await?;
    Ok((
        ours.into_iter()
            .filter_map(|row| Some((row.transaction_id.clone()?, row)))
            .collect(),
        beside
            .into_iter()
            .filter_map(|row| row.transaction_id)
            .collect(),
    ))
}

async fn payments(ctx: &Ctx, rows: &[BillRow], found: &mut Compared) -> Result<()> {
    let rows: Vec<&BillRow> = rows
        .iter()
        .filter(|row| row.kind == BillKind::Payment)
        .collect();
    let (mut ours, beside) = known(ctx, &rows).await?;
    for row in rows {
        if beside.contains(&row.transaction_id) {
            continue;
        }
        let mut healed = None;
        if !ours.contains_key(&row.transaction_id) {
            healed = heal_payment(ctx, row).await?;
        }
        let known = ours.remove(&row.transaction_id);
        let difference = |kind, status, here: Option<&payment::Model>| Difference {
            kind,
            status,
            trade: TradeKind::Payment,
            number: row.transaction_id.clone(),
            payment: here.map(|here| here.id),
            refund: None,
            here_fen: here.map(|here| here.amount_fen),
            there_fen: Some(Fen(row.total_fen)),
        };
        match (known, healed) {
            (Some(here), _) => {
                found.billed_payments.push(here.id);
                if here.amount_fen.0 != row.total_fen {
                    let kind = DifferenceKind::Amount;
                    found
                        .differences
                        .push(difference(kind, DifferenceStatus::Open, Some(&here)));
                }
            }
            (None, Some(here)) => {
                let ok = here.transaction_id.as_deref() == Some(row.transaction_id.as_str());
                let status = if ok {
                    found.billed_payments.push(here.id);
                    DifferenceStatus::Healed
                } else if store::is_going_back(ctx.db.read(), &row.transaction_id).await? {
                    DifferenceStatus::Healed
                } else {
                    DifferenceStatus::Open
                };
                let kind = DifferenceKind::MissingHere;
                found
                    .differences
                    .push(difference(kind, status, Some(&here)));
            }
            (None, None) => {
                let kind = DifferenceKind::MissingHere;
                found
                    .differences
                    .push(difference(kind, DifferenceStatus::Open, None));
            }
        }
    }
    Ok(())
}

/// A payment the bill knows and we do not count: if the order is ours, WeChat Pay is asked and what it says is counted
/// like any other payment. Answers our order as it stands afterwards.
async fn heal_payment(ctx: &Ctx, row: &BillRow) -> Result<Option<payment::Model>> {
    let by_number =
        payment::Entity::find().filter(payment::Column::OutTradeNo.eq(&row.out_trade_no));
    let Some(ours) = by_number.one_by_key(ctx.db.read()).await? else {
        return Ok(None);
    };
    match ctx.wechat.query_transaction(&row.transaction_id).await {
        Ok(answer) => {
            if let (TradeState::Success | TradeState::Refund, Some(paid)) =
                (answer.state, answer.transaction)
            {
                // Money that came a second time for the same order is sent back on this path, too.
                settle::paid_or_incident(ctx, &paid).await?;
            }
        }
        Err(error) if error.code == Code::Unavailable => return Err(error),
        Err(error) => {
            tracing::warn!(payment.id = %ours.id, error = ?error, "a billed order could not be asked about");
        }
    }
    Ok(Some(store::payment(ctx.db.read(), ours.id).await?))
}

async fn returned(ctx: &Ctx, rows: &[BillRow], found: &mut Compared) -> Result<()> {
    let rows: Vec<(&BillRow, &str)> = rows
        .iter()
        .filter(|row| row.kind == BillKind::Refund)
        .filter_map(|row| Some((row, row.out_refund_no.as_deref()?)))
        .collect();
    let ours = refund::Entity::find()
        .filter(refund::Column::OutRefundNo.is_in(rows.iter().map(|(_, number)| *number)))
        .all(ctx.db.read())
        .await?;
    let mut ours: HashMap<String, refund::Model> = ours
        .into_iter()
        .map(|row| (row.out_refund_no.clone(), row))
        .collect();
    for (row, number) in rows {
        let here = ours.remove(number);
        let difference = |kind, status| Difference {
            kind,
            status,
            trade: TradeKind::Refund,
            number: number.to_owned(),
            payment: here.as_ref().map(|here| here.payment_id),
            refund: here.as_ref().map(|here| here.id),
            here_fen: here.as_ref().map(|here| here.amount_fen),
            there_fen: Some(Fen(row.refund_fen)),
        };
        let Some(known) = here.as_ref() else {
            let one = difference(DifferenceKind::MissingHere, DifferenceStatus::Open);
            found.differences.push(one);
            continue;
        };
        found.billed_refunds.push(known.id);
        if known.amount_fen.0 != row.refund_fen {
            let one = difference(DifferenceKind::Amount, DifferenceStatus::Open);
            found.differences.push(one);
        }
        let here_done = known.status == RefundStatus::Succeeded;
        match row.refund {
            Some(BillRefund::Success) if !here_done => {
                let status = heal_refund(ctx, known).await?;
                found
                    .differences
                    .push(difference(DifferenceKind::State, status));
            }
            Some(BillRefund::Failed) if here_done => {
                let one = difference(DifferenceKind::State, DifferenceStatus::Open);
                found.differences.push(one);
            }
            _ => {}
        }
    }
    Ok(())
}

/// A refund the bill says has arrived: WeChat Pay is asked, and what it says is written like any other answer.
async fn heal_refund(ctx: &Ctx, row: &refund::Model) -> Result<DifferenceStatus> {
    match ctx.wechat.query_refund(&row.out_refund_no).await {
        Ok(answer) => {
            let of = store::payment(ctx.db.read(), row.payment_id).await?;
            if of.status == PaymentStatus::Paid {
                let tx = ctx.db.begin_write().await?;
                refunds::told(ctx, &tx, row.id, &answer.into()).await?;
                ctx.commit(tx).await?;
            }
        }
        Err(error) if error.code == Code::Unavailable => return Err(error),
        Err(error) => {
            tracing::warn!(refund.id = %row.id, error = ?error, "a billed refund could not be asked about");
        }
    }
    let now = store::refund(ctx.db.read(), row.id).await?;
    Ok(if now.status == RefundStatus::Succeeded {
        DifferenceStatus::Healed
    } else {
        DifferenceStatus::Open
    })
}
