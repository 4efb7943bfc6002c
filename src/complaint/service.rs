//! Opening, answering, settling; and what happens when nobody does.

use super::events::{ComplaintOpened, ComplaintResolved, ComplaintSlaBreached};
use crate::{
    booking,
    kernel::{AppError, Result},
    outbox::{self, timer},
    platform::{Ctx, OneByKey},
};
use entity::{
    complaint,
    ids::{AccountId, BookingId, ComplaintId},
    values::{BookingStatus, ComplaintKind, ComplaintStatus},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, EntityTrait, QuerySelect};

/// Timer: nobody has answered.
pub(super) const RESPONSE_DUE: &str = "complaint.response_due.v1";
/// Timer: nobody has settled it.
pub(super) const RESOLUTION_DUE: &str = "complaint.resolution_due.v1";

/// Opens a ticket and starts both clocks.
///
/// # Errors
/// `not_found`, or `invalid_state` for a visit that never was confirmed.
pub(super) async fn open(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    customer: AccountId,
    booking: BookingId,
    (kind, text): (ComplaintKind, String),
) -> Result<complaint::Model> {
    let visit = booking::of_customer(tx, customer, booking).await?;
    if matches!(
        visit.status,
        BookingStatus::PendingPayment | BookingStatus::Expired
    ) {
        return Err(AppError::invalid_state("预约确认之后才能投诉"));
    }
    let id: ComplaintId = ctx.env.id();
    let now = ctx.env.now();
    let settings = &ctx.config.complaint;
    let (response_due, resolution_due) = (
        now + settings.first_response.get(),
        now + settings.resolution.get(),
    );
    let row = complaint::ActiveModel {
        id: Set(id),
        booking_id: Set(booking),
        customer_id: Set(customer),
        kind: Set(kind),
        text: Set(text),
        status: Set(ComplaintStatus::Open),
        first_response_due_at: Set(response_due),
        resolution_due_at: Set(resolution_due),
        responded_at: Set(None),
        response: Set(None),
        resolved_at: Set(None),
        resolution: Set(None),
        breached_at: Set(None),
        created_at: Set(now),
    };
    let row = row.insert(tx).await?;
    timer::schedule(tx, &ctx.env, RESPONSE_DUE, id, response_due).await?;
    timer::schedule(tx, &ctx.env, RESOLUTION_DUE, id, resolution_due).await?;
    booking::note(ctx, tx, booking, "客户提交了投诉").await?;
    let event = ComplaintOpened {
        complaint_id: id,
        booking_id: booking,
        customer_id: customer,
    };
    outbox::append(tx, &ctx.env, &event).await?;
    Ok(row)
}

async fn lock(tx: &DatabaseTransaction, id: ComplaintId) -> Result<complaint::Model> {
    complaint::Entity::find_by_id(id)
        .lock_exclusive()
        .one_by_key(tx)
        .await?
        .ok_or_else(AppError::not_found)
}

/// Answers; the first-response clock stops.
///
/// # Errors
/// `not_found`, or `invalid_state` when it is answered already.
pub(super) async fn respond(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: ComplaintId,
    text: String,
) -> Result<complaint::Model> {
    let row = lock(tx, id).await?;
    if row.status != ComplaintStatus::Open {
        return Err(AppError::invalid_state("这个投诉已经回复过"));
    }
    let now = ctx.env.now();
    let change = complaint::ActiveModel {
        id: Set(id),
        status: Set(ComplaintStatus::Responded),
        responded_at: Set(Some(now)),
        response: Set(Some(text)),
        ..Default::default()
    };
    // A clock that ran out before this answer still tells, however late its timer fires.
    if now <= row.first_response_due_at {
        timer::cancel(tx, &ctx.env, RESPONSE_DUE, id).await?;
    }
    booking::note(ctx, tx, row.booking_id, "客服已回复投诉").await?;
    Ok(change.update(tx).await?)
}

/// Settles; both clocks stop. Settling without an answer before counts as both.
///
/// # Errors
/// `not_found`, or `invalid_state` when it is settled already.
pub(super) async fn resolve(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: ComplaintId,
    text: String,
) -> Result<complaint::Model> {
    let row = lock(tx, id).await?;
    if row.status == ComplaintStatus::Resolved {
        return Err(AppError::invalid_state("这个投诉已经办结"));
    }
    let now = ctx.env.now();
    let change = complaint::ActiveModel {
        id: Set(id),
        status: Set(ComplaintStatus::Resolved),
        responded_at: Set(Some(row.responded_at.unwrap_or(now))),
        response: Set(Some(row.response.unwrap_or_else(|| text.clone()))),
        resolved_at: Set(Some(now)),
        resolution: Set(Some(text)),
        ..Default::default()
    };
    if now <= row.first_response_due_at {
        timer::cancel(tx, &ctx.env, RESPONSE_DUE, id).await?;
    }
    if now <= row.resolution_due_at {
        timer::cancel(tx, &ctx.env, RESOLUTION_DUE, id).await?;
    }
    booking::note(ctx, tx, row.booking_id, "投诉已办结").await?;
    let event = ComplaintResolved {
        complaint_id: id,
        booking_id: row.booking_id,
        customer_id: row.customer_id,
    };
    outbox::append(tx, &ctx.env, &event).await?;
    Ok(change.update(tx).await?)
}

/// A clock has run out. The breach of a complaint is told once, whichever of its clocks was first; what was done in
/// time, or an answer that came before the due moment, is none.
pub(super) async fn overdue(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: ComplaintId,
    response: bool,
) -> Result<()> {
    let row = lock(tx, id).await?;
    let (due, done) = if response {
        (row.first_response_due_at, row.responded_at)
    } else {
        (row.resolution_due_at, row.resolved_at)
    };
    let in_time = done.is_some_and(|at| at <= due);
    if in_time || row.breached_at.is_some() {
        return Ok(());
    }
    complaint::ActiveModel {
        id: Set(id),
        breached_at: Set(Some(ctx.env.now())),
        ..Default::default()
    }
    .update(tx)
    .await?;
    let event = ComplaintSlaBreached {
        complaint_id: id,
        booking_id: row.booking_id,
        customer_id: row.customer_id,
    };
    outbox::append(tx, &ctx.env, &event).await?;
    Ok(())
}
