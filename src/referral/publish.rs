//! Approving, publishing, rolling back.

use super::{
    lawful,
    ruleset::{by_id, in_order, lock},
};
use crate::{
    kernel::{AppError, Result, business_date},
    platform::{Ctx, OneByKey},
};
use entity::{
    ids::{AccountId, RulesetId},
    ruleset,
    values::RulesetStatus,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QuerySelect,
};

/// A second person says yes to a set.
///
/// # Errors
/// As [`lawful::approve`].
pub(super) async fn approve(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: RulesetId,
    (by, reason): (AccountId, Option<String>),
) -> Result<ruleset::Model> {
    let row = lock(tx, id).await?;
    lawful::approve(ctx, tx, row, (by, reason)).await
}

/// Puts a set in force, if nothing blocks it.
///
/// # Errors
/// `rule_rejected` with the findings; `invalid_state` for a set that is live.
pub(super) async fn publish(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: RulesetId,
) -> Result<ruleset::Model> {
    in_order(ctx, tx).await?;
    let live = live_for_update(tx).await?;
    let row = lock(tx, id).await?;
    if matches!(row.status, RulesetStatus::Live | RulesetStatus::Retired) {
        return Err(AppError::invalid_state(
            "这个版本已经发布过;要恢复它请用回滚",
        ));
    }
    let today = business_date(ctx.env.now());
    lawful::permit(ctx, tx, &row, live.as_ref(), today).await?;
    let previous_id = live.as_ref().map(|live| live.id);
    switch(ctx, tx, live, row.id).await?;
    let replaced = ruleset::ActiveModel {
        id: Set(row.id),
        previous_id: Set(previous_id),
        ..Default::default()
    };
    Ok(replaced.update(tx).await?)
}

/// Puts an earlier version back in force: the one the live set replaced when it was published, so that twice in a row
/// goes further back and a version once taken back stays so; or a named one.
///
/// # Errors
/// `not_found` when there is none; `rule_rejected` when the law pack has come to block it since, or to want an approval
/// it never had.
pub(super) async fn rollback(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    version: Option<i32>,
) -> Result<ruleset::Model> {
    in_order(ctx, tx).await?;
    let live = live_for_update(tx).await?;
    let target = match version {
        Some(version) => retired(tx, version).await?,
        None => live.as_ref().and_then(|live| live.previous_id),
    };
    let row = lock(tx, target.ok_or_else(AppError::not_found)?).await?;
    lawful::permit(ctx, tx, &row, None, business_date(ctx.env.now())).await?;
    switch(ctx, tx, live, row.id).await?;
    by_id(tx, row.id).await
}

/// The retired set of a version.
async fn retired(tx: &DatabaseTransaction, version: i32) -> Result<Option<RulesetId>> {
    let found = ruleset::Entity::find()
        .select_only()
        .column(ruleset::Column::Id)
        .filter(ruleset::Column::Status.eq(RulesetStatus::Retired))
        .filter(ruleset::Column::Version.eq(version))
        .into_tuple()
        .all(tx)
        .await?;
    Ok(found.into_iter().next())
}

/// The live row, locked: two publishes at once go one after the other.
async fn live_for_update(tx: &DatabaseTransaction) -> Result<Option<ruleset::Model>> {
    let live = ruleset::Entity::find()
        .filter(ruleset::Column::Status.eq(RulesetStatus::Live))
        .lock_exclusive();
    Ok(live.one_by_key(tx).await?)
}

async fn switch(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    live: Option<ruleset::Model>,
    next: RulesetId,
) -> Result<()> {
    let now = ctx.env.now();
    if let Some(live) = live {
        ruleset::ActiveModel {
            id: Set(live.id),
            status: Set(RulesetStatus::Retired),
            retired_at: Set(Some(now)),
            updated_at: Set(now),
            ..Default::default()
        }
        .update(tx)
        .await?;
    }
    ruleset::ActiveModel {
        id: Set(next),
        status: Set(RulesetStatus::Live),
        published_at: Set(Some(now)),
        retired_at: Set(None),
        updated_at: Set(now),
        ..Default::default()
    }
    .update(tx)
    .await?;
    Ok(())
}
