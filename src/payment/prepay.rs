//! Opening a prepayment: our row, then WeChat Pay's order, then the answer. Two steps around a network call.

use super::store;
use crate::{
    booking, identity,
    kernel::{AppError, Result},
    outbox::timer,
    platform::{
        Ctx, OneByKey,
        wechat::{PayParams, Prepay},
    },
};
use chrono::{DateTime, Duration, Utc};
use entity::{
    ids::{AccountId, BookingId, PaymentId},
    payment,
    values::{BookingStatus, Fen, PaymentStatus},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter,
};
use serde::Serialize;

/// Timer: ask WeChat Pay about an order nobody told us about.
pub(super) const QUERY_DUE: &str = "payment.query_due.v1";
/// When to ask about an order, seconds after it was opened (spec 2.5); after the last, in steps of it.
const ASK_AT: [i64; 7] = [5, 30, 60, 180, 300, 600, 1_800];
/// An order whose time is over and that could not be closed yet is asked about after this, later ever more seldom.
const SOON: Duration = Duration::minutes(1);
/// How long an order may be paid when no hold limits it: as long as its prepay id is good (spec 2.3).
const PAYABLE: Duration = Duration::hours(2);
/// WeChat Pay refuses an order that ends in less than this.
const LEAST: Duration = Duration::minutes(1);

/// What a customer needs to pay.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct PrepaymentOut {
    id: PaymentId,
    status: PaymentStatus,
    amount_fen: i64,
    /// What is still missing to confirm the booking once this is paid.
    required_fen: i64,
    wechat_pay: PayParams,
}

/// Whether an order can still be paid with effect: it has time left, and its booking still wants that much.
pub(super) fn payable(
    row: &payment::Model,
    visit: &entity::booking::Model,
    now: DateTime<Utc>,
) -> bool {
    let over = matches!(
        visit.status,
        BookingStatus::Cancelled | BookingStatus::Expired
    );
    let late = row.expires_at.is_some_and(|end| end <= now);
    !over && !late && row.amount_fen <= booking::open_balance(visit)
}

/// When to ask WeChat Pay about an unpaid order next: by the ladder since it was opened, and when its time is over.
pub(super) fn ask_next(row: &payment::Model, now: DateTime<Utc>) -> DateTime<Utc> {
    let longest = Duration::seconds(ASK_AT.last().copied().unwrap_or(1_800));
    match row.expires_at {
        // Closed then, or asked again: WeChat limits how often right at the end.
        Some(end) if end <= now => now + ((now - end) / 4).clamp(SOON, longest),
        end => {
            let steps = ASK_AT
                .iter()
                .map(|step| row.created_at + Duration::seconds(*step));
            let next = steps
                .into_iter()
                .find(|at| *at > now)
                .unwrap_or(now + longest);
            end.map_or(next, |end| next.min(end))
        }
    }
}

/// An order about to be opened at WeChat Pay.
pub(super) struct Order {
    pub(super) id: PaymentId,
    prepay: Prepay,
    required: Fen,
}

/// First transaction: checks the booking and writes (or, after a crash, finds) the payment.
///
/// # Errors
/// `not_found`, `invalid_state`, `validation` on `/amount_fen`.
pub(super) async fn begin(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    customer: AccountId,
    booking: BookingId,
    amount: Fen,
    key: Option<&str>,
) -> Result<Order> {
    booking::of_customer(tx, customer, booking).await?;
    let visit = booking::lock(tx, booking).await?;
    let now = ctx.env.now();
    match visit.status {
        BookingStatus::PendingPayment => match visit.hold_expires_at {
            Some(end) if end <= now + LEAST => {
                return Err(AppError::invalid_state(
                    "预约即将过期,来不及付款,请重新预约",
                ));
            }
            _ => {}
        },
        BookingStatus::Confirmed
        | BookingStatus::InService
        | BookingStatus::AwaitingAcceptance
        | BookingStatus::Completed => {}
        BookingStatus::Cancelled | BookingStatus::Expired => {
            return Err(AppError::invalid_state("这个预约现在不能付款"));
        }
    }
    let balance = booking::open_balance(&visit);
    if balance <= Fen::ZERO {
        return Err(AppError::invalid_state("这个预约已经付清"));
    }
    if amount > balance {
        let detail = format!("最多还可支付 {}", balance.yuan());
        return Err(AppError::field("/amount_fen", "range", detail));
    }
    let openid = identity::openid_of(ctx, tx, customer).await?;
    let openid = openid.ok_or_else(|| AppError::invalid_state("请先用微信登录"))?;
    let row = match known(tx, &visit, amount, key).await? {
        Some(row) => row,
        None => insert(ctx, tx, &visit, amount, key).await?,
    };
    // The order of an interrupted request keeps its end; entering it again needs time left.
    if row.status != PaymentStatus::Pending || row.expires_at.is_some_and(|end| end <= now + LEAST)
    {
        return Err(AppError::invalid_state("这笔付款已失效,请重新发起"));
    }
    let required = booking::needed(visit.total_fen, ctx.config.booking.prepay_bp)
        .minus(visit.prepaid_fen)
        .minus(amount);
    let prepay = Prepay {
        out_trade_no: row.out_trade_no,
        description: "家政服务预存".into(),
        amount_fen: amount.0,
        openid,
        attach: None,
        time_expire: row.expires_at,
    };
    Ok(Order {
        id: row.id,
        prepay,
        required: required.max(Fen::ZERO),
    })
}

/// The order an earlier, interrupted request with this key made. Keys are forgotten after some days and may come again:
/// an order of another visit or amount gives its key up.
async fn known(
    tx: &DatabaseTransaction,
    visit: &entity::booking::Model,
    amount: Fen,
    key: Option<&str>,
) -> Result<Option<payment::Model>> {
    let Some(key) = key else { return Ok(None) };
    let row = payment::Entity::find()
        .filter(payment::Column::CustomerId.eq(visit.customer_id))
        .filter(payment::Column::RequestKey.eq(key));
    let Some(row) = row.one_by_key(tx).await? else {
        return Ok(None);
    };
    if row.booking_id == visit.id && row.amount_fen == amount {
        return Ok(Some(row));
    }
    let freed = payment::ActiveModel {
        id: Set(row.id),
        request_key: Set(None),
        ..Default::default()
    };
    freed.update(tx).await?;
    Ok(None)
}

async fn insert(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    visit: &entity::booking::Model,
    amount: Fen,
    key: Option<&str>,
) -> Result<payment::Model> {
    let id: PaymentId = ctx.env.id();
    let row = payment::ActiveModel {
        id: Set(id),
        booking_id: Set(visit.id),
        customer_id: Set(visit.customer_id),
        amount_fen: Set(amount),
        status: Set(PaymentStatus::Pending),
        // 32 letters and digits, as WeChat Pay wants them.
        out_trade_no: Set(id.0.simple().to_string()),
        transaction_id: Set(None),
        prepay_id: Set(None),
        request_key: Set(key.map(str::to_owned)),
        expires_at: Set(Some(
            visit
                .hold_expires_at
                .unwrap_or_else(|| ctx.env.now() + PAYABLE),
        )),
        paid_at: Set(None),
        created_at: Set(ctx.env.now()),
        success_at: Set(None),
        billed_on: Set(None),
    };
    let row = row.insert(tx).await?;
    let due = ask_next(&row, ctx.env.now());
    timer::schedule(tx, &ctx.env, QUERY_DUE, id, due).await?;
    Ok(row)
}

/// The network call between the two transactions; safe to repeat, because the number stays the same.
pub(super) async fn call(ctx: &Ctx, order: &Order) -> Result<(String, PayParams)> {
    let prepay_id = ctx.wechat.prepay_jsapi(&order.prepay).await?;
    let params = ctx.wechat.pay_params(&prepay_id)?;
    Ok((prepay_id, params))
}

/// Second transaction: keeps the prepay id; its answer is stored with the key, so the order need not know it any more.
pub(super) async fn finish(
    tx: &DatabaseTransaction,
    order: &Order,
    prepay_id: String,
    wechat_pay: PayParams,
) -> Result<PrepaymentOut> {
    let change = payment::ActiveModel {
        id: Set(order.id),
        prepay_id: Set(Some(prepay_id)),
        request_key: Set(None),
        ..Default::default()
    };
    change.update(tx).await?;
    let row = store::payment(tx, order.id).await?;
    Ok(PrepaymentOut {
        id: row.id,
        status: row.status,
        amount_fen: row.amount_fen.0,
        required_fen: order.required.0,
        wechat_pay,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(expires_at: Option<DateTime<Utc>>) -> payment::Model {
        payment::Model {
            id: PaymentId(uuid::Uuid::nil()),
            booking_id: BookingId(uuid::Uuid::nil()),
            customer_id: AccountId(uuid::Uuid::nil()),
            amount_fen: Fen(1),
            status: PaymentStatus::Pending,
            out_trade_no: String::new(),
            transaction_id: None,
            prepay_id: None,
            request_key: None,
            expires_at,
            paid_at: None,
            created_at: DateTime::UNIX_EPOCH,
            success_at: None,
            billed_on: None,
        }
    }

    /// The seconds at which an order that stays unpaid is asked about.
    fn asked(expires_at: Option<i64>, times: usize) -> Vec<i64> {
        let end = expires_at.map(|end| DateTime::UNIX_EPOCH + Duration::seconds(end));
        let order = order(end);
        let mut at = vec![DateTime::UNIX_EPOCH];
        for _ in 0..times {
            at.push(ask_next(&order, at[at.len() - 1]));
        }
        at[1..].iter().map(DateTime::timestamp).collect()
    }

    #[test]
    fn an_unpaid_order_is_asked_about_ever_more_seldom_and_at_its_end() {
        assert_eq!(
            asked(None, 9),
            [5, 30, 60, 180, 300, 600, 1_800, 3_600, 5_400]
        );
        assert_eq!(
            asked(Some(900), 9),
            [5, 30, 60, 180, 300, 600, 900, 960, 1_020]
        );
        assert_eq!(asked(Some(7_200), 10)[6..], [1_800, 3_600, 5_400, 7_200]);
    }
}
