//! Forgetting in time: facts first, then decisions (RET-11, PIPL-10). A daily timer; what is left over is done a minute later.

use super::forgetting::drop_old_cases;
use crate::{
    kernel::{Result, business_date, day_bounds},
    outbox::{Consumer, Delivered, timer},
    platform::Ctx,
};
use chrono::{DateTime, Duration, Utc};
use entity::{backtest, decision, evaluation, values::BacktestState};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, sea_query::Expr,
};
use serde_json::Value;
use uuid::Uuid;

/// Timer: the day's forgetting.
const DUE: &str = "referral.retention_due.v1";
/// After business midnight: few people are about.
const HOUR: Duration = Duration::hours(3);
/// Rows of a table forgotten in one transaction; the writer is free in between.
const BATCH: u64 = 5_000;
/// When there was more than a batch.
const SOON: Duration = Duration::minutes(1);

/// Puts the daily timer in place; every start runs it.
///
/// # Errors
/// A database fault.
pub async fn install_retention(ctx: &Ctx) -> Result<()> {
    let tx = ctx.db.begin_write().await?;
    timer::ensure(&tx, &ctx.env, DUE, Uuid::nil(), next(ctx)).await?;
    ctx.commit(tx).await
}

fn next(ctx: &Ctx) -> DateTime<Utc> {
    let (_, tomorrow) = day_bounds(business_date(ctx.env.now()));
    tomorrow + HOUR
}

/// Does it.
pub(super) struct Retention;

#[async_trait::async_trait]
impl Consumer for Retention {
    fn name(&self) -> &'static str {
        "referral.retention"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[DUE]
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        _: &Delivered,
        _: Value,
    ) -> Result<()> {
        let keep = &ctx.config.referral;
        let before = |span: Duration| {
            let moment = ctx.env.now().checked_sub_signed(span);
            moment.unwrap_or(DateTime::<Utc>::MIN_UTC)
        };
        let facts = forget_facts(tx, before(keep.keep_facts.get())).await?;
        let decisions = delete_decisions(tx, before(keep.keep_decisions.get())).await?;
        let evaluations = delete_evaluations(tx, before(keep.keep_decisions.get())).await?;
        delete_backtests(tx, before(keep.keep_facts.get())).await?;
        drop_old_cases(tx, before(keep.keep_facts.get())).await?;
        tracing::info!(
            facts,
            decisions,
            evaluations,
            "forgot what was kept long enough"
        );
        let full = [facts, decisions, evaluations].contains(&BATCH);
        let due = if full {
            ctx.env.now() + SOON
        } else {
            next(ctx)
        };
        timer::schedule(tx, &ctx.env, DUE, Uuid::nil(), due).await
    }
}

async fn forget_facts(tx: &DatabaseTransaction, before: DateTime<Utc>) -> Result<u64> {
    let old = evaluation::Entity::find()
        .select_only()
        .column(evaluation::Column::Id)
        .filter(evaluation::Column::OccurredAt.lt(before))
        .filter(evaluation::Column::Facts.is_not_null())
        .order_by_asc(evaluation::Column::OccurredAt)
        .limit(BATCH)
        .into_query();
    let gone = evaluation::Entity::update_many()
        .col_expr(
            evaluation::Column::Facts,
            Expr::value(Option::<String>::None),
        )
        .filter(evaluation::Column::Id.in_subquery(old))
        .exec(tx)
        .await?;
    Ok(gone.rows_affected)
}

async fn delete_decisions(tx: &DatabaseTransaction, before: DateTime<Utc>) -> Result<u64> {
    let old = decision::Entity::find()
        .select_only()
        .column(decision::Column::Id)
        .filter(decision::Column::CreatedAt.lt(before))
        .order_by_asc(decision::Column::CreatedAt)
        .limit(BATCH)
        .into_query();
    let gone = decision::Entity::delete_many()
        .filter(decision::Column::Id.in_subquery(old))
        .exec(tx)
        .await?;
    Ok(gone.rows_affected)
}

async fn delete_evaluations(tx: &DatabaseTransaction, before: DateTime<Utc>) -> Result<u64> {
    let old = evaluation::Entity::find()
        .select_only()
        .column(evaluation::Column::Id)
        .filter(evaluation::Column::OccurredAt.lt(before))
        .order_by_asc(evaluation::Column::OccurredAt)
        .limit(BATCH)
        .into_query();
    let gone = evaluation::Entity::delete_many()
        .filter(evaluation::Column::Id.in_subquery(old))
        .exec(tx)
        .await?;
    Ok(gone.rows_affected)
}

/// A back-test is looked at for a while; its cases go with the facts they quote.
async fn delete_backtests(tx: &DatabaseTransaction, before: DateTime<Utc>) -> Result<()> {
    backtest::Entity::delete_many()
        .filter(backtest::Column::CreatedAt.lt(before))
        .filter(backtest::Column::State.ne(BacktestState::Running))
        .exec(tx)
        .await?;
    Ok(())
}
