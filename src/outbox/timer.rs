//! Timers: rows with a due moment. When it comes, the row becomes an event of the same kind.

use super::append::raw;
use crate::{
    kernel::{Env, Result},
    platform::{Ctx, Rows},
};
use chrono::{DateTime, Utc};
use entity::{ids::TimerId, timer};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
    sea_query::{Expr, LockBehavior, LockType},
};
use uuid::Uuid;

/// Timers fired at once.
const BATCH: u64 = 128;

/// Sets (or moves) the timer of `kind` for `subject`; at `due_at` an event of that kind with payload
/// `{"subject_id"}` is appended. One timer per kind and subject.
///
/// # Errors
/// A database fault.
pub async fn schedule(
    tx: &DatabaseTransaction,
    env: &Env,
    kind: &'static str,
    subject: impl Into<Uuid>,
    due_at: DateTime<Utc>,
) -> Result<()> {
    let mut rows = Rows::default();
    add(&mut rows, env, vec![(kind, subject.into(), due_at)])?;
    rows.write(tx).await
}

/// As [`schedule`], several at once, written together with other rows.
///
/// # Errors
/// None in practice; `internal` when a column is not set.
pub fn add(
    rows: &mut Rows,
    env: &Env,
    due: Vec<(&'static str, Uuid, DateTime<Utc>)>,
) -> Result<()> {
    use timer::Column::{CancelledAt, DueAt, FiredAt, Kind, SubjectId};
    let timers = due
        .into_iter()
        .map(|(kind, subject, due_at)| timer::ActiveModel {
            id: Set(env.id::<TimerId>()),
            kind: Set(kind.to_owned()),
            subject_id: Set(subject),
            due_at: Set(due_at),
            fired_at: Set(None),
            cancelled_at: Set(None),
            created_at: Set(env.now()),
        });
    rows.overwriting(timers, &[Kind, SubjectId], &[DueAt, FiredAt, CancelledAt])
}

/// Sets the timer unless one of this kind and subject is waiting already: for the house's own clocks at start.
///
/// # Errors
/// A database fault.
pub async fn ensure(
    tx: &DatabaseTransaction,
    env: &Env,
    kind: &'static str,
    subject: impl Into<Uuid>,
    due_at: DateTime<Utc>,
) -> Result<()> {
    let subject = subject.into();
    let waiting = timer::Entity::find()
        .filter(timer::Column::Kind.eq(kind))
        .filter(timer::Column::SubjectId.eq(subject))
        .filter(timer::Column::FiredAt.is_null())
        .filter(timer::Column::CancelledAt.is_null());
    if waiting.count(tx).await? > 0 {
        return Ok(());
    }
    schedule(tx, env, kind, subject, due_at).await
}

/// Stops the timer of `kind` for `subject`, if it has not fired.
///
/// # Errors
/// A database fault.
pub async fn cancel(
    tx: &DatabaseTransaction,
    env: &Env,
    kind: &'static str,
    subject: impl Into<Uuid>,
) -> Result<()> {
    timer::Entity::update_many()
        .col_expr(timer::Column::CancelledAt, Expr::value(Some(env.now())))
        .filter(timer::Column::Kind.eq(kind))
        .filter(timer::Column::SubjectId.eq(subject.into()))
        .filter(timer::Column::FiredAt.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

fn waiting(now: DateTime<Utc>) -> Condition {
    Condition::all()
        .add(timer::Column::FiredAt.is_null())
        .add(timer::Column::CancelledAt.is_null())
        .add(timer::Column::DueAt.lte(now))
}

/// How many timers are due and have not fired.
///
/// # Errors
/// A database fault.
pub(super) async fn due(ctx: &Ctx) -> Result<u64> {
    Ok(timer::Entity::find()
        .filter(waiting(ctx.env.now()))
        .count(ctx.db.read())
        .await?)
}

/// Fires what is due, oldest first; says how many.
///
/// # Errors
/// A database fault; what did not fire stays due.
pub(super) async fn fire_due(ctx: &Ctx) -> Result<usize> {
    let now = ctx.env.now();
    if due(ctx).await? == 0 {
        return Ok(0);
    }
    let tx = ctx.db.begin_write().await?;
    let rows = timer::Entity::find()
        .filter(waiting(now))
        .order_by_asc(timer::Column::DueAt)
        .limit(BATCH)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(&tx)
        .await?;
    for row in &rows {
        raw(
            &tx,
            &ctx.env,
            &row.kind,
            row.subject_id,
            serde_json::json!({ "subject_id": row.subject_id }),
        )
        .await?;
    }
    timer::Entity::update_many()
        .col_expr(timer::Column::FiredAt, Expr::value(Some(now)))
        .filter(timer::Column::Id.is_in(rows.iter().map(|row| row.id)))
        .exec(&tx)
        .await?;
    ctx.commit(tx).await?;
    Ok(rows.len())
}
