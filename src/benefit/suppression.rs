//! Times during which a person is not asked. Earned rights stay (PIPL-16): nothing is taken away here.

use super::apply::{Applied, Cause};
use crate::{
    kernel::{AppError, Cursor, Result, Span},
    outbox::timer,
    platform::{Ctx, OneByKey},
};
use chrono::{DateTime, Utc};
use entity::{
    complaint,
    ids::{AccountId, SuppressionId},
    invitation, suppression,
    values::{ComplaintStatus, InvitationStatus},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::OnConflict,
};

/// Whether asking this person is suppressed at `now`.
///
/// # Errors
/// A database fault.
pub async fn open_suppression(
    db: &impl ConnectionTrait,
    customer: AccountId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let open = suppression::Entity::find()
        .filter(suppression::Column::CustomerId.eq(customer))
        .filter(suppression::Column::Until.gt(now))
        .filter(suppression::Column::LiftedAt.is_null())
        .count(db)
        .await?;
    Ok(open > 0)
}

/// Whether a complaint of this person is not settled yet.
pub(super) async fn open_complaint(db: &impl ConnectionTrait, customer: AccountId) -> Result<bool> {
    let open = complaint::Entity::find()
        .filter(complaint::Column::CustomerId.eq(customer))
        .filter(complaint::Column::Status.ne(ComplaintStatus::Resolved))
        .count(db)
        .await?;
    Ok(open > 0)
}

/// Suppressions, newest first; of one person or of all.
pub(super) async fn page_unscoped(
    db: &impl ConnectionTrait,
    cursor: Cursor,
    customer: Option<AccountId>,
) -> Result<Vec<suppression::Model>> {
    let mut query = suppression::Entity::find()
        .order_by_desc(suppression::Column::Id)
        .limit(cursor.fetch());
    if let Some(customer) = customer {
        query = query.filter(suppression::Column::CustomerId.eq(customer));
    }
    if let Some(before) = cursor.before {
        query = query.filter(suppression::Column::Id.lt(SuppressionId(before)));
    }
    Ok(query.all(db).await?)
}

/// Ends a suppression early, on appeal (PIPL-16).
///
/// # Errors
/// `not_found`, or `invalid_state` when it is over.
pub(super) async fn lift(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: SuppressionId,
) -> Result<suppression::Model> {
    let row = suppression::Entity::find_by_id(id)
        .lock_exclusive()
        .one_by_key(tx)
        .await?
        .ok_or_else(AppError::not_found)?;
    let now = ctx.env.now();
    if row.lifted_at.is_some() || row.until <= now {
        return Err(AppError::invalid_state("这次暂停已经结束"));
    }
    let change = suppression::ActiveModel {
        id: Set(id),
        lifted_at: Set(Some(now)),
        ..Default::default()
    };
    Ok(change.update(tx).await?)
}

pub(super) async fn apply(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    cause: &Cause,
    effect_id: String,
    lasts: Span,
    appeal: bool,
) -> Result<Applied> {
    let id: SuppressionId = ctx.env.id();
    let now = ctx.env.now();
    let row = suppression::ActiveModel {
        id: Set(id),
        customer_id: Set(cause.customer_id),
        reason: Set("投诉处理超时,暂停邀约".into()),
        rule_id: Set(Some(cause.rule_id.clone())),
        effect_id: Set(effect_id),
        appeal: Set(appeal),
        until: Set(now + lasts.get()),
        lifted_at: Set(None),
        created_at: Set(now),
    };
    let made = suppression::Entity::insert(row)
        .on_conflict(
            OnConflict::column(suppression::Column::EffectId)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    if made == 0 {
        return Ok(Applied::Already);
    }
    stop_scheduled(ctx, tx, cause.customer_id).await?;
    Ok(Applied::Done(id.to_string()))
}

/// Suppresses whatever waits to be sent to this person; says how many that were.
pub(super) async fn stop_scheduled(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    customer: AccountId,
) -> Result<usize> {
    let waiting = invitation::Entity::find()
        .filter(invitation::Column::CustomerId.eq(customer))
        .filter(invitation::Column::Status.eq(InvitationStatus::Scheduled))
        .order_by_asc(invitation::Column::Id)
        .lock_exclusive()
        .all(tx)
        .await?;
    for row in &waiting {
        close(ctx, tx, row.id, InvitationStatus::Suppressed).await?;
    }
    Ok(waiting.len())
}

/// Ends an invitation for good and stops its timers.
pub(super) async fn close(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: entity::ids::InvitationId,
    status: InvitationStatus,
) -> Result<()> {
    invitation::ActiveModel {
        id: Set(id),
        status: Set(status),
        closed_at: Set(Some(ctx.env.now())),
        ..Default::default()
    }
    .update(tx)
    .await?;
    timer::cancel(tx, &ctx.env, super::invite::SEND_DUE, id).await?;
    timer::cancel(tx, &ctx.env, super::invite::EXPIRY_DUE, id).await
}
