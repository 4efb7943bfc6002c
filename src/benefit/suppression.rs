//! Times during which a person is not asked. Earned rights stay (PIPL-16): nothing is taken away here.

use super::apply::{Applied, Cause};
use crate::{
    kernel::{Result, Span},
    outbox::timer,
    platform::Ctx,
};
use chrono::{DateTime, Utc};
use entity::{
    ids::{AccountId, SuppressionId},
    invitation, suppression,
    values::InvitationStatus,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, sea_query::OnConflict,
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
