//! Merchant transfers: money staff send to make good a visit, said yes to by a second person, confirmed by the customer
//! within 24 hours. No rule, reward or event of another room leads here (REF-02). What WeChat Pay says is in `payout.rs`.

use super::{events::TransferApproved, incident};
use crate::{
    booking,
    kernel::{AppError, Code, Result},
    outbox::{self, timer},
    platform::{
        Ctx, OneByKey,
        wechat::{TransferNotice, TransferScene, TransferState},
    },
};
use chrono::Duration;
use entity::{
    ids::{AccountId, BookingId, TransferId},
    transfer,
    values::{Fen, TransferKind, TransferStatus},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait,
    PaginatorTrait, QueryFilter, QuerySelect,
};
use serde_json::json;

/// Timer: ask WeChat Pay where a transfer stands.
pub(super) const QUERY_DUE: &str = "payment.transfer_query_due.v1";
/// Longest pause between two queries.
const LONGEST: Duration = Duration::hours(1);

/// How long to wait before asking again: the customer has 24 hours, so the pause grows with the wait.
pub(super) fn pause(age: Duration) -> Duration {
    age.clamp(Duration::minutes(1), LONGEST)
}

/// States in which the number may still pay, so that no other may be used.
pub(super) const OPEN: [TransferStatus; 4] = [
    TransferStatus::Requested,
    TransferStatus::Approved,
    TransferStatus::Processing,
    TransferStatus::AwaitingConfirm,
];

/// What a manager asks for.
pub(super) struct Wanted<'a> {
    pub(super) booking: BookingId,
    pub(super) amount: Fen,
    pub(super) remark: &'a str,
    pub(super) by: AccountId,
}

/// Whether transfers may be made at all, and this one kind of them.
///
/// # Errors
/// `invalid_state` with the setting's name.
pub(super) fn enabled(ctx: &Ctx) -> Result<()> {
    if !ctx.config.wechat.transfer_enabled {
        return Err(AppError::invalid_state(
            "商家转账未开启(wechat.transfer_enabled)",
        ));
    }
    let scene = TransferScene::Compensation {
        reason: String::new(),
    };
    if ctx.config.wechat.transfer_scene_id != scene.id() {
        return Err(AppError::invalid_state(
            "赔付需要转账场景 1011(wechat.transfer_scene_id)",
        ));
    }
    Ok(())
}

/// Records a transfer; nothing moves before a second person says yes.
///
/// # Errors
/// `invalid_state` when transfers are off, or one of this booking is not over; `not_found`.
pub(super) async fn request(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    wanted: &Wanted<'_>,
) -> Result<transfer::Model> {
    enabled(ctx)?;
    // The booking's lock puts parallel requests in order: one number at a time, so that nothing is paid twice.
    let visit = booking::lock(tx, wanted.booking).await?;
    let open = transfer::Entity::find()
        .filter(transfer::Column::BookingId.eq(visit.id))
        .filter(transfer::Column::Status.is_in(OPEN));
    if open.count(tx).await? > 0 {
        return Err(AppError::invalid_state(
            "这个预约还有一笔转账没有结果,查明失败或撤销之前不能再发起",
        ));
    }
    let id: TransferId = ctx.env.id();
    let row = transfer::ActiveModel {
        id: Set(id),
        booking_id: Set(visit.id),
        customer_id: Set(visit.customer_id),
        kind: Set(TransferKind::Compensation),
        amount_fen: Set(wanted.amount),
        remark: Set(wanted.remark.to_owned()),
        status: Set(TransferStatus::Requested),
        // 32 digits and letters, as WeChat Pay wants them.
        out_bill_no: Set(id.0.simple().to_string()),
        transfer_bill_no: Set(None),
        package_info: Set(None),
        fail_reason: Set(None),
        cancel_requested: Set(false),
        requested_by: Set(wanted.by),
        approved_by: Set(None),
        approved_at: Set(None),
        settled_at: Set(None),
        created_at: Set(ctx.env.now()),
    };
    Ok(row.insert(tx).await?)
}

/// A transfer whose row stays locked until `tx` ends.
pub(super) async fn lock(tx: &DatabaseTransaction, id: TransferId) -> Result<transfer::Model> {
    transfer::Entity::find_by_id(id)
        .lock_exclusive()
        .one_by_key(tx)
        .await?
        .ok_or_else(AppError::not_found)
}

/// A second person says yes; the queue makes it at WeChat Pay.
///
/// # Errors
/// `forbidden` for whoever asked for it; `invalid_state` unless it waits for this; `not_found`.
pub(super) async fn approve(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: TransferId,
    by: AccountId,
) -> Result<transfer::Model> {
    enabled(ctx)?;
    let row = lock(tx, id).await?;
    if row.status != TransferStatus::Requested {
        return Err(AppError::invalid_state("这笔转账已审批或已结束"));
    }
    if row.requested_by == by {
        return Err(AppError::new(
            Code::Forbidden,
            "发起人不能审批自己的转账,需要另一位经理",
        ));
    }
    let now = ctx.env.now();
    let change = transfer::ActiveModel {
        id: Set(id),
        status: Set(TransferStatus::Approved),
        approved_by: Set(Some(by)),
        approved_at: Set(Some(now)),
        ..Default::default()
    };
    let row = change.update(tx).await?;
    // The timer exists before WeChat Pay is asked: an outage only makes the transfer late.
    timer::schedule(tx, &ctx.env, QUERY_DUE, id, now + pause(Duration::zero())).await?;
    let event = TransferApproved {
        transfer_id: id,
        customer_id: row.customer_id,
    };
    outbox::append(tx, &ctx.env, &event).await?;
    Ok(row)
}

/// Calls a transfer off: at once before a second person said yes, else by asking WeChat Pay, which may refuse.
///
/// # Errors
/// `invalid_state` when it is over; `not_found`.
pub(super) async fn call_off(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: TransferId,
) -> Result<transfer::Model> {
    let row = lock(tx, id).await?;
    if !OPEN.contains(&row.status) {
        return Err(AppError::invalid_state("这笔转账已经结束"));
    }
    let now = ctx.env.now();
    let mut change = transfer::ActiveModel {
        id: Set(id),
        cancel_requested: Set(true),
        ..Default::default()
    };
    if row.status == TransferStatus::Requested {
        change.status = Set(TransferStatus::Cancelled);
        change.settled_at = Set(Some(now));
    } else {
        timer::schedule(tx, &ctx.env, QUERY_DUE, id, now).await?;
    }
    Ok(change.update(tx).await?)
}

/// What a notification about a transfer came to.
pub(super) enum Hint {
    /// WeChat Pay is asked at once.
    Taken,
    /// No such number.
    Unknown,
    /// Another amount: an incident.
    Mismatch,
}

/// A verified notification: WeChat Pay is asked now instead of later.
pub(super) async fn hint(ctx: &Ctx, told: &TransferNotice) -> Result<Hint> {
    let tx = ctx.db.begin_write().await?;
    let known = transfer::Entity::find().filter(transfer::Column::OutBillNo.eq(&told.out_bill_no));
    let row = known.one_by_key(&tx).await?;
    let detail = json!({ "told_fen": told.amount_fen, "wanted_fen": row.as_ref().map(|row| row.amount_fen) });
    let (hint, kind) = match row {
        None => (Hint::Unknown, Some("unknown_transfer")),
        Some(row) if row.amount_fen.0 != told.amount_fen => {
            (Hint::Mismatch, Some("transfer_amount"))
        }
        // What failed here was paid there: a person must look at once.
        Some(row)
            if told.state == TransferState::Success
                && matches!(
                    row.status,
                    TransferStatus::Failed | TransferStatus::Cancelled
                ) =>
        {
            (Hint::Taken, Some("transfer_after_failure"))
        }
        Some(row) => {
            if OPEN.contains(&row.status) {
                timer::schedule(&tx, &ctx.env, QUERY_DUE, row.id, ctx.env.now()).await?;
            }
            (Hint::Taken, None)
        }
    };
    if let Some(kind) = kind {
        incident::write(ctx, &tx, None, kind, detail).await?;
    }
    ctx.commit(tx).await?;
    Ok(hint)
}
