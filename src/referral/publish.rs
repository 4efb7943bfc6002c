//! Approving, publishing, rolling back.

use super::{
    lawful,
    ruleset::{by_id, in_order, lock},
    schedule, tenure,
};
use crate::{
    kernel::{AppError, Result, business_date},
    platform::{Ctx, OneByKey},
};
use entity::{
    ids::{AccountId, RulesetId},
    ruleset,
    values::{RulesetStatus, TenureHow},
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

/// Puts a set in force now, if nothing blocks it; one that waited for a moment need not wait any more.
///
/// # Errors
/// `rule_rejected` with the findings; `invalid_state` for a set that is live.
pub(super) async fn publish(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: RulesetId,
    by: AccountId,
) -> Result<ruleset::Model> {
    in_order(ctx, tx).await?;
    schedule::settle(ctx, tx).await?;
    let live = live_for_update(tx).await?;
    let row = lock(tx, id).await?;
    if matches!(row.status, RulesetStatus::Live | RulesetStatus::Retired) {
        return Err(AppError::invalid_state(
            "这个版本已经发布过;要恢复它请用回滚",
        ));
    }
    let today = business_date(ctx.env.now());
    lawful::permit(ctx, tx, &row, live.as_ref(), today).await?;
    schedule::forget_timer(ctx, tx, id).await?;
    let replaced = ruleset::ActiveModel {
        id: Set(row.id),
        previous_id: Set(live.map(|live| live.id)),
        ..Default::default()
    };
    replaced.update(tx).await?;
    switch(ctx, tx, (&row, by), TenureHow::Published).await
}

/// Puts an earlier version back in force: the one the live set replaced when it was published, so that twice in a row
/// goes further back and a version once taken back stays so; or a named one. Whoever rolls back wants rest now: what
/// waits for a moment is taken back, too, and answered.
///
/// # Errors
/// `not_found` when there is none; `rule_rejected` when the law pack has come to block it since, or to want an approval
/// it never had, or when a named one that is not the last promises less than the live one.
pub(super) async fn rollback(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    by: AccountId,
    version: Option<i32>,
) -> Result<(ruleset::Model, Vec<ruleset::Model>)> {
    in_order(ctx, tx).await?;
    schedule::settle(ctx, tx).await?;
    let live = live_for_update(tx).await?;
    let target = match version {
        Some(version) => retired(tx, version).await?,
        None => live.as_ref().and_then(|live| live.previous_id),
    };
    let target = target.ok_or_else(AppError::not_found)?;
    let row = lock(tx, target).await?;
    // The brake is for the last change; further back at once is an edit like any other, and may not lower what runs (REF-L33).
    let promising = live.filter(|live| live.previous_id != Some(target));
    let today = business_date(ctx.env.now());
    lawful::permit(ctx, tx, &row, promising.as_ref(), today).await?;
    let waited = schedule::unschedule_all(ctx, tx).await?;
    let row = switch(ctx, tx, (&row, by), TenureHow::RolledBack).await?;
    Ok((row, waited))
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
pub(super) async fn live_for_update(tx: &DatabaseTransaction) -> Result<Option<ruleset::Model>> {
    let live = ruleset::Entity::find()
        .filter(ruleset::Column::Status.eq(RulesetStatus::Live))
        .lock_exclusive();
    Ok(live.one_by_key(tx).await?)
}

async fn switch(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    (row, by): (&ruleset::Model, AccountId),
    how: TenureHow,
) -> Result<ruleset::Model> {
    let next = tenure::Next {
        id: row.id,
        version: row.version,
        by: Some(by),
        how,
        from: None,
    };
    tenure::switch(ctx, tx, next).await?;
    by_id(tx, row.id).await
}
