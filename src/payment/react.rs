//! What money does when others tell something.

use super::{
    events::RefundRequested,
    ledger, payout, prepay, reconcile,
    refund::{self, Why},
    settle, shipping, store,
};
use crate::{
    booking::{self, BookingCancelled, BookingCompleted, BookingExpired},
    kernel::{Code, Result},
    outbox::{Consumer, Delivered, Event, Registry, timer},
    platform::{Ctx, OneByKey, wechat::TradeState},
};
use chrono::{DateTime, Duration, Utc};
use entity::{
    ids::{BookingId, PaymentId, RefundId},
    payment,
    values::{Fen, PaymentStatus},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, EntityTrait, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An order that could not be closed is looked at after this.
const SOON: Duration = Duration::minutes(1);

/// Registers the payment room's consumers.
pub fn consumers(registry: Registry) -> Registry {
    registry
        .with(Bookings)
        .with(Refunds)
        .with(Queries)
        .with(Closing)
        .with(reconcile::Daily)
        .with(reconcile::Runs)
        .with(shipping::Completions)
        .with(shipping::Reports)
        .with(payout::Transfers)
}

/// Bookings that end: refunds of cancelled ones, revenue of completed ones.
struct Bookings;

#[async_trait::async_trait]
impl Consumer for Bookings {
    fn name(&self) -> &'static str {
        "payment.bookings"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[BookingCancelled::KIND, BookingCompleted::KIND]
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        if event.kind == BookingCancelled::KIND {
            let cancelled: BookingCancelled = event.read()?;
            return ended(ctx, tx, &cancelled).await;
        }
        let done: BookingCompleted = event.read()?;
        // What the account holds now, not what was prepaid at completion: refunds may have come between.
        booking::lock(tx, done.booking_id).await?;
        ledger::earn(ctx, tx, done.booking_id, "completion", Fen::ZERO).await
    }
}

/// Gives back what the policy says, less what is on its way already; the fee that is kept is earned.
async fn ended(ctx: &Ctx, tx: &DatabaseTransaction, cancelled: &BookingCancelled) -> Result<()> {
    let id = cancelled.booking_id;
    let why = Why {
        by: None,
        reason: "预约取消",
        counted: true,
        transaction: None,
    };
    refund::up_to(ctx, tx, id, cancelled.refund_fen, &why).await?;
    let owed = refund::on_its_way(tx, id).await?;
    ledger::earn(ctx, tx, id, "cancellation", owed).await
}

/// Refunds to be asked for, and those whose notification has not come.
struct Refunds;

#[async_trait::async_trait]
impl Consumer for Refunds {
    fn name(&self) -> &'static str {
        "payment.refunds"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[RefundRequested::KIND, refund::QUERY_DUE]
    }

    async fn before(&self, ctx: &Ctx, event: &Delivered) -> Result<Value> {
        Ok(json!(refund::ask(ctx, id_of(event)?).await?))
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        said: Value,
    ) -> Result<()> {
        let said: refund::Asked = serde_json::from_value(said)?;
        refund::told(ctx, tx, id_of(event)?, &said).await
    }
}

fn id_of(event: &Delivered) -> Result<RefundId> {
    if event.kind == RefundRequested::KIND {
        return Ok(event.read::<RefundRequested>()?.refund_id);
    }
    event.subject::<RefundId>()
}

/// Orders nobody told us about.
struct Queries;

#[async_trait::async_trait]
impl Consumer for Queries {
    fn name(&self) -> &'static str {
        "payment.queries"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[prepay::QUERY_DUE]
    }

    async fn before(&self, ctx: &Ctx, event: &Delivered) -> Result<Value> {
        let row = store::payment(ctx.db.read(), event.subject::<PaymentId>()?).await?;
        if row.status != PaymentStatus::Pending {
            return Ok(json!(Found::Settled));
        }
        Ok(json!(look(ctx, &row).await?))
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        found: Value,
    ) -> Result<()> {
        let id = event.subject::<PaymentId>()?;
        match serde_json::from_value(found)? {
            Found::Settled => Ok(()),
            Found::Dead => close(ctx, tx, id).await,
            Found::Open => {
                let row = store::payment(tx, id).await?;
                let due = prepay::ask_next(&row, ctx.env.now());
                ask_again(ctx, tx, &row, due).await
            }
        }
    }
}

/// What a query found.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Found {
    /// Paid and counted, or an incident for staff: nothing is left to ask.
    Settled,
    /// Nobody can pay it any more.
    Dead,
    /// It may still be paid, or nobody knows.
    Open,
}

/// Asks WeChat Pay about an order. An outage is no answer: the order is asked about again.
async fn look(ctx: &Ctx, row: &payment::Model) -> Result<Found> {
    let visit = booking::by_id_unscoped(ctx.db.read(), row.booking_id).await?;
    let payable = prepay::payable(row, &visit, ctx.env.now());
    let answer = match ctx.wechat.query_order(&row.out_trade_no).await {
        Ok(answer) => answer,
        // Never opened there: the customer may be on his way to it, until its time is over.
        Err(error) if error.code == Code::NotFound => {
            return Ok(if payable { Found::Open } else { Found::Dead });
        }
        Err(error) => {
            tracing::warn!(payment.id = %row.id, error = ?error, "nobody knows yet whether an order is paid");
            return Ok(Found::Open);
        }
    };
    match (answer.state, answer.transaction) {
        (TradeState::Success | TradeState::Refund, Some(paid)) => {
            // Settled in a transaction of its own; saying it twice changes nothing.
            settle::paid_or_incident(ctx, &paid).await?;
            Ok(Found::Settled)
        }
        (TradeState::Closed | TradeState::Revoked | TradeState::Payerror, _) => Ok(Found::Dead),
        (TradeState::Notpay, _) if !payable => shut(ctx, row).await,
        _ => Ok(Found::Open),
    }
}

/// Closes an order at WeChat Pay, so that nobody pays it any more.
async fn shut(ctx: &Ctx, row: &payment::Model) -> Result<Found> {
    match ctx.wechat.close_order(&row.out_trade_no).await {
        Ok(()) => Ok(Found::Dead),
        Err(error) if error.code == Code::NotFound => Ok(Found::Dead),
        // Paid in the last moment, or no answer: asking once more tells which (spec 2.5).
        Err(error) => {
            tracing::info!(payment.id = %row.id, error = ?error, "an order could not be closed yet");
            match ctx.wechat.query_order(&row.out_trade_no).await {
                Ok(answer) => match (answer.state, answer.transaction) {
                    (TradeState::Success | TradeState::Refund, Some(paid)) => {
                        settle::paid_or_incident(ctx, &paid).await?;
                        Ok(Found::Settled)
                    }
                    (TradeState::Closed | TradeState::Revoked, _) => Ok(Found::Dead),
                    _ => Ok(Found::Open),
                },
                Err(_) => Ok(Found::Open),
            }
        }
    }
}

async fn close(ctx: &Ctx, tx: &DatabaseTransaction, id: PaymentId) -> Result<()> {
    let row = payment::Entity::find_by_id(id)
        .lock_exclusive()
        .one_by_key(tx)
        .await?;
    if row.is_some_and(|row| row.status == PaymentStatus::Pending) {
        let change = payment::ActiveModel {
            id: Set(id),
            status: Set(PaymentStatus::Closed),
            ..Default::default()
        };
        change.update(tx).await?;
        timer::cancel(tx, &ctx.env, prepay::QUERY_DUE, id).await?;
    }
    Ok(())
}

async fn ask_again(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    row: &payment::Model,
    due: DateTime<Utc>,
) -> Result<()> {
    if row.status == PaymentStatus::Pending {
        timer::schedule(tx, &ctx.env, prepay::QUERY_DUE, row.id, due).await?;
    }
    Ok(())
}

/// Bookings that ended: open orders nobody can use any more are closed at WeChat Pay.
struct Closing;

#[async_trait::async_trait]
impl Consumer for Closing {
    fn name(&self) -> &'static str {
        "payment.closing"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[
            BookingExpired::KIND,
            BookingCancelled::KIND,
            BookingCompleted::KIND,
        ]
    }

    async fn before(&self, ctx: &Ctx, event: &Delivered) -> Result<Value> {
        let db = ctx.db.read();
        let visit = booking::by_id_unscoped(db, booking_of(event)?).await?;
        let mut found: Vec<(PaymentId, Found)> = Vec::new();
        for row in store::of_booking(db, visit.id, PaymentStatus::Pending).await? {
            if !prepay::payable(&row, &visit, ctx.env.now()) {
                found.push((row.id, shut(ctx, &row).await?));
            }
        }
        Ok(json!(found))
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        _: &Delivered,
        found: Value,
    ) -> Result<()> {
        let found: Vec<(PaymentId, Found)> = serde_json::from_value(found)?;
        for (id, found) in found {
            match found {
                Found::Dead => close(ctx, tx, id).await?,
                Found::Open => {
                    let row = store::payment(tx, id).await?;
                    ask_again(ctx, tx, &row, ctx.env.now() + SOON).await?;
                }
                Found::Settled => {}
            }
        }
        Ok(())
    }
}

fn booking_of(event: &Delivered) -> Result<BookingId> {
    match event.kind.as_str() {
        BookingExpired::KIND => Ok(event.read::<BookingExpired>()?.booking_id),
        BookingCompleted::KIND => Ok(event.read::<BookingCompleted>()?.booking_id),
        _ => Ok(event.read::<BookingCancelled>()?.booking_id),
    }
}
