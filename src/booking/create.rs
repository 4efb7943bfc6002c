//! Making a booking: price it, find somebody, hold the cells.

use super::{
    events::BookingConfirmed,
    model::{Address, check_start},
    reserve, store,
};
use crate::{
    catalog::{self, PriceLine, Quote},
    kernel::{AppError, Code, Result},
    outbox::{self, timer},
    platform::{
        Ctx,
        sealed::{Column, seal},
    },
    wallet, worker,
};
use chrono::{DateTime, Utc};
use entity::{
    booking,
    ids::{AccountId, BookingId, ServiceId, WorkerId},
    service,
    values::{BookingStatus, Fen},
    worker::Model as Worker,
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction};
use serde_json::{Map, Value, json};

/// Timer: the hold of an unpaid booking runs out.
pub(super) const HOLD_DUE: &str = "booking.hold_due.v1";

/// What a customer asks for.
pub(super) struct Wish<'a> {
    pub(super) customer: AccountId,
    pub(super) service_id: ServiceId,
    pub(super) start_at: DateTime<Utc>,
    pub(super) area: &'a str,
    pub(super) address: Address,
    pub(super) contact_phone: String,
    pub(super) answers: &'a Map<String, Value>,
    pub(super) worker_id: Option<WorkerId>,
    pub(super) use_voucher: bool,
}

/// Books the visit and holds it until enough is prepaid.
///
/// # Errors
/// `validation`, `not_found` for the service, `slot_taken` when nobody is free.
pub(super) async fn create(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    wish: Wish<'_>,
) -> Result<booking::Model> {
    let service = catalog::by_id(tx, wish.service_id).await?;
    if !service.active {
        return Err(AppError::not_found());
    }
    let mut quote = catalog::quote(&service, wish.answers, wish.area)?;
    let now = ctx.env.now();
    let end = check_start(wish.start_at, quote.minutes, now, &ctx.config.booking)?;
    let id: BookingId = ctx.env.id();
    let span = (wish.start_at, end);
    let candidates = candidates(ctx, tx, &service, &wish, span).await?;
    if wish.use_voucher {
        discount(ctx, tx, wish.customer, id, &mut quote).await?;
    }
    let holds = quote.total_fen > 0;
    let hold_expires_at = holds.then(|| now + ctx.config.booking.hold.get());
    // The row comes first (cells refer to it); its worker is named once his cells are ours.
    let row = booking::ActiveModel {
        id: Set(id),
        customer_id: Set(wish.customer),
        service_id: Set(service.id),
        worker_id: Set(None),
        status: Set(if holds {
            BookingStatus::PendingPayment
        } else {
            BookingStatus::Confirmed
        }),
        start_at: Set(wish.start_at),
        end_at: Set(end),
        area: Set(wish.area.to_owned()),
        address: Set(seal(
            &ctx.vault,
            Column::BookingAddress,
            id,
            &serde_json::to_string(&wish.address)?,
        )?),
        contact_phone: Set(seal(
            &ctx.vault,
            Column::BookingPhone,
            id,
            &wish.contact_phone,
        )?),
        answers: Set(json!(wish.answers)),
        quote: Set(json!(quote.lines)),
        total_fen: Set(Fen(quote.total_fen)),
        prepaid_fen: Set(Fen::ZERO),
        refunded_fen: Set(Fen::ZERO),
        hold_expires_at: Set(hold_expires_at),
        rework_of: Set(None),
        confirmed_at: Set((!holds).then_some(now)),
        completed_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    };
    row.insert(tx).await?;
    let row = assign(ctx, tx, id, candidates, span).await?;
    made(ctx, tx, &row).await?;
    Ok(row)
}

/// Takes the customer's best voucher off the price. Which one depends on its value and its end alone (PIPL 24).
async fn discount(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    customer: AccountId,
    booking: BookingId,
    quote: &mut Quote,
) -> Result<()> {
    let price = Fen(quote.total_fen);
    let Some(found) = wallet::best(ctx, tx, customer, booking, price).await? else {
        return Ok(());
    };
    quote.total_fen = price.minus(found.amount).0;
    quote.lines.push(PriceLine {
        label: found.label,
        fen: Fen::ZERO.minus(found.amount).0,
    });
    Ok(())
}

/// What follows a booking just written: it waits for money, or needs none and is confirmed.
async fn made(ctx: &Ctx, tx: &DatabaseTransaction, row: &booking::Model) -> Result<()> {
    if let Some(at) = row.hold_expires_at {
        timer::schedule(tx, &ctx.env, HOLD_DUE, row.id, at).await?;
        return store::note(ctx, tx, row.id, "已提交预约,等待预存").await;
    }
    let event = BookingConfirmed {
        booking_id: row.id,
        customer_id: row.customer_id,
        worker_id: row.worker_id,
    };
    outbox::append(tx, &ctx.env, &event).await?;
    store::note(ctx, tx, row.id, "已提交预约,无需付款,预约已确认").await
}

async fn candidates(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    service: &service::Model,
    wish: &Wish<'_>,
    span: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Worker>> {
    let mut able = worker::able(tx, &service.skill, wish.area).await?;
    if let Some(wanted) = wish.worker_id {
        able.retain(|worker| worker.id == wanted);
        if able.is_empty() {
            return Err(AppError::field(
                "/worker_id",
                "unable",
                "这位家政员不提供该服务或不在该区域",
            ));
        }
    }
    reserve::free_workers(ctx, tx, able, span).await
}

/// Gives the booking to the first candidate whose cells can be taken.
pub(super) async fn assign(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: BookingId,
    candidates: Vec<Worker>,
    span: (DateTime<Utc>, DateTime<Utc>),
) -> Result<booking::Model> {
    for worker in candidates {
        if reserve::take(ctx, tx, worker.id, id, span).await? {
            let named = booking::ActiveModel {
                id: Set(id),
                worker_id: Set(Some(worker.id)),
                ..Default::default()
            };
            return Ok(named.update(tx).await?);
        }
    }
    Err(AppError::new(
        Code::SlotTaken,
        "这个时段刚被约走,请换一个时间",
    ))
}
