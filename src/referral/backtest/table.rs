//! The `backtest` table: how far a run is, who stops it, what came out.

use super::Order;
use crate::{
    kernel::{AppError, Result},
    platform::{Ctx, OneByKey},
    referral::ruleset::in_order,
};
use chrono::{DateTime, Duration, Utc};
use entity::{
    backtest,
    ids::{BacktestId, RulesetId},
    values::BacktestState,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter,
    sea_query::Expr,
};
use serde::Serialize;
use serde_json::Value;

/// After so long without a word a run's node is taken for gone.
const SILENCE: Duration = Duration::minutes(2);

/// One run, as staff see it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::referral) struct BacktestRun {
    id: BacktestId,
    ruleset_id: RulesetId,
    /// `live`, or the id of another set.
    against: String,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    state: BacktestState,
    /// Recorded events in the span.
    total: i64,
    /// Of them replayed so far.
    replayed: i64,
    /// What came out, once done.
    #[schema(value_type = Option<super::BacktestOut>)]
    result: Option<Value>,
    created_at: DateTime<Utc>,
}

pub(super) async fn begin(ctx: &Ctx, order: &Order, total: i64) -> Result<BacktestId> {
    let tx = ctx.db.begin_write().await?;
    in_order(ctx, &tx).await?;
    let now = ctx.env.now();
    let running = backtest::Entity::find()
        .filter(backtest::Column::State.eq(BacktestState::Running))
        .filter(backtest::Column::UpdatedAt.gt(now - SILENCE))
        .count(&tx)
        .await?;
    if running > 0 {
        return Err(AppError::invalid_state(
            "另一个回测正在进行,请等它结束或先取消它",
        ));
    }
    let id: BacktestId = ctx.env.id();
    let against = order
        .against
        .map_or_else(|| "live".to_owned(), |id| id.to_string());
    let row = backtest::ActiveModel {
        id: Set(id),
        ruleset_id: Set(order.draft),
        against: Set(against),
        from_at: Set(order.span.0),
        to_at: Set(order.span.1),
        state: Set(BacktestState::Running),
        total: Set(total),
        replayed: Set(0),
        result: Set(None),
        started_by: Set(order.by),
        cancel_asked_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    };
    row.insert(&tx).await?;
    ctx.commit(tx).await?;
    Ok(id)
}

/// Notes how far a run is; true when somebody wants it to stop.
pub(super) async fn report(ctx: &Ctx, id: BacktestId, replayed: i64) -> Result<bool> {
    let row = by_id(ctx, id).await?;
    if row.cancel_asked_at.is_some() {
        return Ok(true);
    }
    let tx = ctx.db.begin_write().await?;
    backtest::Entity::update_many()
        .col_expr(backtest::Column::Replayed, Expr::value(replayed))
        .col_expr(backtest::Column::UpdatedAt, Expr::value(ctx.env.now()))
        .filter(backtest::Column::Id.eq(id))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    Ok(false)
}

pub(super) async fn end(
    ctx: &Ctx,
    id: BacktestId,
    state: BacktestState,
    result: Option<Value>,
) -> Result<()> {
    let tx = ctx.db.begin_write().await?;
    let row = backtest::ActiveModel {
        id: Set(id),
        state: Set(state),
        result: Set(result),
        updated_at: Set(ctx.env.now()),
        ..Default::default()
    };
    row.update(&tx).await?;
    Ok(tx.commit().await?)
}

async fn by_id(ctx: &Ctx, id: BacktestId) -> Result<backtest::Model> {
    let row = backtest::Entity::find_by_id(id).one_by_key(ctx.db.read());
    row.await?.ok_or_else(AppError::not_found)
}

/// How far a run is. One whose node is gone has failed.
///
/// # Errors
/// `not_found`.
pub(in crate::referral) async fn progress(ctx: &Ctx, id: BacktestId) -> Result<BacktestRun> {
    Ok(shown(ctx, by_id(ctx, id).await?))
}

fn shown(ctx: &Ctx, row: backtest::Model) -> BacktestRun {
    let silent = row.updated_at < ctx.env.now() - SILENCE;
    let state = match row.state {
        BacktestState::Running if silent => BacktestState::Failed,
        state => state,
    };
    BacktestRun {
        id: row.id,
        ruleset_id: row.ruleset_id,
        against: row.against,
        from: row.from_at,
        to: row.to_at,
        state,
        total: row.total,
        replayed: row.replayed,
        result: row.result,
        created_at: row.created_at,
    }
}

/// Asks a run to stop; it does after the page it is at. One that has ended stays as it is.
///
/// # Errors
/// `not_found`.
pub(in crate::referral) async fn cancel(ctx: &Ctx, id: BacktestId) -> Result<BacktestRun> {
    by_id(ctx, id).await?;
    let tx = ctx.db.begin_write().await?;
    backtest::Entity::update_many()
        .col_expr(
            backtest::Column::CancelAskedAt,
            Expr::value(Some(ctx.env.now())),
        )
        .filter(backtest::Column::Id.eq(id))
        .filter(backtest::Column::State.eq(BacktestState::Running))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    progress(ctx, id).await
}
