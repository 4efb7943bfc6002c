//! The `ruleset_tenure` table: when which set was live (ADR 0021).
//!
//! Spans follow each other without a gap, the last is open. They change under two locks: `in_order` keeps those who
//! change versions apart, and the table's own lock keeps them and those who judge apart, so that no event is judged by a
//! version that was not live at its time.

use crate::{
    kernel::{AppError, Code, Result},
    platform::{Ctx, OneByKey, statement},
};
use chrono::{DateTime, Duration, Utc};
use entity::{
    ids::{AccountId, RulesetId, RulesetTenureId},
    ruleset, ruleset_tenure,
    values::{RulesetStatus, TenureHow},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    DbBackend, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
};

/// Which set was live at a moment, with the next moment a set waits for.
#[derive(Debug, FromQueryResult)]
pub(super) struct Covering {
    pub(super) ruleset_id: RulesetId,
    /// Since when.
    pub(super) from_at: DateTime<Utc>,
    next_at: Option<DateTime<Utc>>,
}

/// A look-up in two indexes. What is older than the first span belongs to the first.
const COVERING: &str = "SELECT t.ruleset_id, t.from_at, \
    (SELECT MIN(r.publish_at) FROM ruleset r WHERE r.status = 'scheduled') AS next_at FROM ruleset_tenure t \
    WHERE t.from_at = COALESCE((SELECT MAX(m.from_at) FROM ruleset_tenure m WHERE m.from_at <= ?), \
    (SELECT MIN(f.from_at) FROM ruleset_tenure f))";

/// The set whose span covers a moment.
///
/// # Errors
/// `unavailable` before the first start has installed one, and while a set whose moment has come is not settled yet.
pub(super) async fn covering(db: &impl ConnectionTrait, moment: DateTime<Utc>) -> Result<Covering> {
    found(db, COVERING, moment).await
}

/// As [`covering`], and nobody changes versions until the transaction ends. The lock that counts is the table's, which
/// comes with the rows': its queue is fair, and PostgreSQL looks only once it is held.
pub(super) async fn covering_held(
    tx: &DatabaseTransaction,
    moment: DateTime<Utc>,
) -> Result<Covering> {
    if tx.get_database_backend() == DbBackend::Postgres {
        found(tx, &format!("{COVERING} FOR SHARE OF t"), moment).await
    } else {
        // SQLite's one writer is lock enough.
        covering(tx, moment).await
    }
}

async fn found(db: &impl ConnectionTrait, sql: &str, moment: DateTime<Utc>) -> Result<Covering> {
    let backend = db.get_database_backend();
    let row = db
        .query_one_raw(statement(backend, sql, vec![moment.into()]))
        .await?
        .ok_or_else(|| AppError::new(Code::Unavailable, "还没有生效的规则集"))?;
    let found = Covering::from_query_result(&row, "")?;
    if found.next_at.is_some_and(|at| at <= moment) {
        return Err(AppError::new(Code::Unavailable, "规则集正在切换,请稍后再试").retry_after(1));
    }
    Ok(found)
}

/// The earliest moment a set waits for.
pub(super) async fn next_at(db: &impl ConnectionTrait) -> Result<Option<DateTime<Utc>>> {
    let next: Option<Option<DateTime<Utc>>> = ruleset::Entity::find()
        .select_only()
        .column_as(ruleset::Column::PublishAt.min(), "next_at")
        .filter(ruleset::Column::Status.eq(RulesetStatus::Scheduled))
        .into_tuple()
        .all(db)
        .await?
        .pop();
    Ok(next.flatten())
}

/// The open span.
pub(super) async fn open(db: &impl ConnectionTrait) -> Result<Option<ruleset_tenure::Model>> {
    let open = ruleset_tenure::Entity::find().filter(ruleset_tenure::Column::UntilAt.is_null());
    Ok(open.one_by_key(db).await?)
}

/// Waits for those who are judging, and makes those who come wait until this transaction ends.
pub(super) async fn hold(tx: &DatabaseTransaction) -> Result<()> {
    if tx.get_database_backend() == DbBackend::Postgres {
        // A backup holds ACCESS SHARE for hours, and this mode does not wait for it.
        tx.execute_unprepared("LOCK TABLE ruleset_tenure IN EXCLUSIVE MODE")
            .await?;
    }
    Ok(())
}

/// A set that becomes live.
pub(super) struct Next {
    pub(super) id: RulesetId,
    pub(super) version: i32,
    pub(super) by: Option<AccountId>,
    pub(super) how: TenureHow,
    /// Since when; now when unsaid.
    pub(super) from: Option<DateTime<Utc>>,
}

/// Ends the open span and begins the next. The caller has waited his turn in `in_order`.
pub(super) async fn switch(ctx: &Ctx, tx: &DatabaseTransaction, next: Next) -> Result<()> {
    hold(tx).await?;
    let open = open(tx).await?;
    // Read under the lock: whatever was judged by the version before happened before.
    let mut from = next.from.unwrap_or_else(|| ctx.env.now());
    if let Some(open) = &open {
        let least = open.from_at.checked_add_signed(Duration::microseconds(1));
        from = from.max(least.unwrap_or(from));
        end(ctx, tx, open, from).await?;
    }
    begin(ctx, tx, &next, (from, open.map(|open| open.id))).await
}

async fn end(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    open: &ruleset_tenure::Model,
    at: DateTime<Utc>,
) -> Result<()> {
    ruleset_tenure::ActiveModel {
        id: Set(open.id),
        until_at: Set(Some(at)),
        ..Default::default()
    }
    .update(tx)
    .await?;
    ruleset::ActiveModel {
        id: Set(open.ruleset_id),
        status: Set(RulesetStatus::Retired),
        retired_at: Set(Some(at)),
        updated_at: Set(ctx.env.now()),
        ..Default::default()
    }
    .update(tx)
    .await?;
    Ok(())
}

async fn begin(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    next: &Next,
    (from, previous_id): (DateTime<Utc>, Option<RulesetTenureId>),
) -> Result<()> {
    ruleset_tenure::ActiveModel {
        id: Set(ctx.env.id()),
        ruleset_id: Set(next.id),
        version: Set(next.version),
        from_at: Set(from),
        until_at: Set(None),
        made_by: Set(next.by),
        how: Set(next.how),
        previous_id: Set(previous_id),
    }
    .insert(tx)
    .await?;
    ruleset::ActiveModel {
        id: Set(next.id),
        status: Set(RulesetStatus::Live),
        published_at: Set(Some(from)),
        retired_at: Set(None),
        publish_at: Set(None),
        scheduled_by: Set(None),
        updated_at: Set(ctx.env.now()),
        ..Default::default()
    }
    .update(tx)
    .await?;
    Ok(())
}

/// The newest spans, newest first.
pub(super) async fn newest(
    db: &impl ConnectionTrait,
    most: u64,
) -> Result<Vec<ruleset_tenure::Model>> {
    Ok(ruleset_tenure::Entity::find()
        .order_by_desc(ruleset_tenure::Column::FromAt)
        .limit(most)
        .all(db)
        .await?)
}
