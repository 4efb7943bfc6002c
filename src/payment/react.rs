//! What money does when others tell something.

use super::{
    events::RefundRequested,
    ledger::{self, Posting},
    prepay,
    refund::{self, Why},
    settle, store,
};
use crate::{
    booking::{BookingCancelled, BookingCompleted, BookingExpired},
    kernel::{AppError, Code, Result},
    outbox::{Consumer, Delivered, Event, Registry, timer},
    platform::{
        Ctx, OneByKey,
        wechat::{RefundStatus as Told, TradeState},
    },
};
use chrono::Duration;
use entity::{
    ids::{BookingId, PaymentId, RefundId},
    payment,
    values::{Fen, PaymentStatus},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, EntityTrait, QuerySelect};
use serde_json::{Value, json};

/// An unpaid order is asked about this often, until it can no longer be paid.
const QUERY_AGAIN: Duration = Duration::minutes(10);

/// Registers the payment room's consumers.
pub fn consumers(registry: Registry) -> Registry {
    registry
        .with(Bookings)
        .with(Refunds)
        .with(Queries)
        .with(Closing)
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
            if cancelled.refund_fen > Fen::ZERO {
                let why = Why {
                    by: None,
                    reason: "预约取消",
                    counted: true,
                };
                refund::of_booking(
                    ctx,
                    tx,
                    cancelled.booking_id,
                    Some(cancelled.refund_fen),
                    &why,
                )
                .await?;
            }
            return Ok(());
        }
        let done: BookingCompleted = event.read()?;
        if done.prepaid_fen <= Fen::ZERO {
            return Ok(());
        }
        let posting = Posting {
            cause: format!("completion:{}", done.booking_id),
            booking: Some(done.booking_id),
            debit: ledger::prepayment(done.booking_id),
            credit: ledger::REVENUE.into(),
            amount: done.prepaid_fen,
        };
        ledger::post(ctx, tx, &posting).await
    }
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
        let (status, refund_id) = refund::ask(ctx, id_of(event)?).await?;
        let word = match status {
            Told::Success => "success",
            Told::Closed => "closed",
            Told::Abnormal => "abnormal",
            Told::Processing | Told::Other => "processing",
        };
        Ok(json!({ "status": word, "refund_id": refund_id }))
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        told: Value,
    ) -> Result<()> {
        let status = match told["status"].as_str() {
            Some("success") => Told::Success,
            Some("closed") => Told::Closed,
            Some("abnormal") => Told::Abnormal,
            _ => Told::Processing,
        };
        let refund_id = told["refund_id"].as_str().map(str::to_owned);
        refund::told(ctx, tx, id_of(event)?, status, refund_id).await
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
            return Ok(Value::Null);
        }
        match ctx.wechat.query_order(&row.out_trade_no).await {
            Ok(answer) if answer.state == TradeState::Success => {
                let paid = answer.transaction;
                if let Some(paid) = paid {
                    // Settled in a transaction of its own; saying it twice changes nothing.
                    let tx = ctx.db.begin_write().await?;
                    settle::paid_or_incident(ctx, &tx, &paid).await?;
                    ctx.commit(tx).await?;
                }
                Ok(Value::Null)
            }
            Ok(_)
            | Err(AppError {
                code: Code::NotFound,
                ..
            }) => Ok(Value::Null),
            Err(error) => Err(error),
        }
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        let id = event.subject::<PaymentId>()?;
        let row = store::payment(tx, id).await?;
        let over = row.expires_at.is_some_and(|end| end <= ctx.env.now());
        if row.status == PaymentStatus::Pending && !over {
            timer::schedule(
                tx,
                &ctx.env,
                prepay::QUERY_DUE,
                id,
                ctx.env.now() + QUERY_AGAIN,
            )
            .await?;
        }
        Ok(())
    }
}

/// Bookings that ended unpaid: their open orders are closed at WeChat Pay, so that nobody pays them any more.
struct Closing;

#[async_trait::async_trait]
impl Consumer for Closing {
    fn name(&self) -> &'static str {
        "payment.closing"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[BookingExpired::KIND, BookingCancelled::KIND]
    }

    async fn before(&self, ctx: &Ctx, event: &Delivered) -> Result<Value> {
        let mut closed = Vec::new();
        for row in
            store::of_booking(ctx.db.read(), booking_of(event)?, PaymentStatus::Pending).await?
        {
            match ctx.wechat.close_order(&row.out_trade_no).await {
                // Never opened there, or closed now: nobody can pay it.
                Ok(())
                | Err(AppError {
                    code: Code::NotFound,
                    ..
                }) => closed.push(row.id),
                // Paid in the last moment: the notification or the query will tell, and the money goes back.
                Err(AppError {
                    code: Code::Conflict,
                    ..
                }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(json!(closed))
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        _: &Delivered,
        closed: Value,
    ) -> Result<()> {
        let closed: Vec<PaymentId> = serde_json::from_value(closed)?;
        for id in closed {
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
        }
        Ok(())
    }
}

fn booking_of(event: &Delivered) -> Result<BookingId> {
    if event.kind == BookingExpired::KIND {
        return Ok(event.read::<BookingExpired>()?.booking_id);
    }
    Ok(event.read::<BookingCancelled>()?.booking_id)
}
