//! A visit that is not accepted is repaired free of charge.

use super::{
    create::assign,
    lifecycle::{ACCEPTANCE_DUE, await_acceptance, completed},
    model::in_hours,
    reserve,
    store::{has_open_rework, lock, note, of_customer},
};
use crate::{
    catalog,
    kernel::{AppError, Code, Result, business_date, day_bounds},
    outbox::timer,
    platform::{
        Ctx,
        sealed::{Column, seal, unseal},
    },
    worker,
};
use chrono::{DateTime, Duration, Utc};
use entity::{
    booking,
    ids::{AccountId, BookingId},
    values::{BookingStatus, Fen},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction};
use serde_json::json;

/// How far ahead a rework is looked for.
const DAYS: i64 = 14;

/// Opens a free rework: the same worker if he can, else whoever can, from the next morning on. The visit itself stays
/// `awaiting_acceptance` until a rework is accepted; a rework that did not help is over, and the next takes
/// its place.
///
/// # Errors
/// `not_found`, or `invalid_state` when nothing waits for acceptance, when a rework is open already, or when nobody is
/// free for a fortnight.
pub(super) async fn open(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    customer: AccountId,
    id: BookingId,
    reason: &str,
) -> Result<booking::Model> {
    of_customer(tx, customer, id).await?;
    let row = lock(tx, id).await?;
    if row.status != BookingStatus::AwaitingAcceptance {
        return Err(AppError::invalid_state("只有待验收的服务可以要求返工"));
    }
    // A rework is locked before the visit it repairs, here as in `complete`.
    let root = match row.rework_of {
        Some(root) => {
            completed(ctx, tx, &row, "返工未通过验收,将再次返工").await?;
            lock(tx, root).await?.id
        }
        None => id,
    };
    if has_open_rework(tx, root).await? {
        return Err(AppError::invalid_state("已经安排了返工,请等它完成后再验收"));
    }
    timer::cancel(tx, &ctx.env, ACCEPTANCE_DUE, root).await?;
    note(ctx, tx, id, &format!("客户要求返工:{reason}")).await?;
    let rework = insert(ctx, tx, &row).await?;
    let rework = place(ctx, tx, &row, rework).await?;
    note(ctx, tx, rework.id, "免费返工已安排").await?;
    Ok(rework)
}

/// A rework was called off: the visit it would have repaired waits for acceptance again.
pub(super) async fn called_off(ctx: &Ctx, tx: &DatabaseTransaction, root: BookingId) -> Result<()> {
    let root = lock(tx, root).await?;
    if root.status == BookingStatus::AwaitingAcceptance && !has_open_rework(tx, root.id).await? {
        note(ctx, tx, root.id, "返工已取消,等待验收").await?;
        await_acceptance(ctx, tx, root.id).await?;
    }
    Ok(())
}

async fn insert(ctx: &Ctx, tx: &DatabaseTransaction, of: &booking::Model) -> Result<BookingId> {
    let id: BookingId = ctx.env.id();
    let now = ctx.env.now();
    // Sealed columns belong to their row: they are opened for the old one and sealed for the new.
    let address = unseal(&ctx.vault, Column::BookingAddress, of.id, &of.address)?;
    let phone = unseal(&ctx.vault, Column::BookingPhone, of.id, &of.contact_phone)?;
    let row = booking::ActiveModel {
        id: Set(id),
        customer_id: Set(of.customer_id),
        service_id: Set(of.service_id),
        worker_id: Set(None),
        status: Set(BookingStatus::Confirmed),
        start_at: Set(of.start_at),
        end_at: Set(of.end_at),
        area: Set(of.area.clone()),
        address: Set(seal(&ctx.vault, Column::BookingAddress, id, &address)?),
        contact_phone: Set(seal(&ctx.vault, Column::BookingPhone, id, &phone)?),
        answers: Set(of.answers.clone()),
        quote: Set(json!([])),
        total_fen: Set(Fen::ZERO),
        prepaid_fen: Set(Fen::ZERO),
        refunded_fen: Set(Fen::ZERO),
        hold_expires_at: Set(None),
        rework_of: Set(Some(of.rework_of.unwrap_or(of.id))),
        confirmed_at: Set(Some(now)),
        completed_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    };
    row.insert(tx).await?;
    Ok(id)
}

/// Finds the first time from the next morning on at which the visit fits.
async fn place(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    of: &booking::Model,
    id: BookingId,
) -> Result<booking::Model> {
    let service = catalog::by_id(tx, of.service_id).await?;
    let length = of.end_at - of.start_at;
    let (_, morning) = day_bounds(business_date(ctx.env.now()));
    let able = worker::able(tx, &service.skill, &of.area).await?;
    let mut start = morning;
    while start < morning + Duration::days(DAYS) {
        let span = (start, start + length);
        if in_hours(start, length.num_minutes(), &ctx.config.booking) {
            let mut free = reserve::free_workers(ctx, tx, able.clone(), span).await?;
            free.sort_by_key(|worker| Some(worker.id) != of.worker_id);
            if !free.is_empty() {
                match assign(ctx, tx, id, free, span).await {
                    Ok(_) => return move_to(tx, id, span).await,
                    // Somebody was quicker: the next time may do.
                    Err(error) if error.code == Code::SlotTaken => {}
                    Err(error) => return Err(error),
                }
            }
        }
        start += Duration::minutes(super::model::CELL_MINUTES);
    }
    Err(AppError::invalid_state("两周内没有空档,请联系客服安排返工"))
}

async fn move_to(
    tx: &DatabaseTransaction,
    id: BookingId,
    (start, end): (DateTime<Utc>, DateTime<Utc>),
) -> Result<booking::Model> {
    let moved = booking::ActiveModel {
        id: Set(id),
        start_at: Set(start),
        end_at: Set(end),
        ..Default::default()
    };
    Ok(moved.update(tx).await?)
}
