//! The daily comparison with WeChat's bill: when, for which days, and what is written of it (spec 2.8).

use super::bill::{self, Compared, Difference};
use crate::{
    kernel::{AppError, Code, Result, business_date, business_minute, day_bounds},
    outbox::{Consumer, Delivered, timer},
    platform::{Ctx, OneByKey},
};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use entity::{
    ids::{AccountId, PaymentId, ReconciliationDifferenceId, ReconciliationId, RefundId},
    payment, reconciliation, reconciliation_difference, refund,
    values::{
        DifferenceKind, DifferenceStatus, Fen, PaymentStatus, ReconciliationStatus, RefundStatus,
        TradeKind,
    },
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashSet;
use uuid::Uuid;

/// Timer of the house: a new day can be compared.
const DAILY_DUE: &str = "payment.reconciliation_due.v1";
/// Timer: compare one day.
const RUN_DUE: &str = "payment.reconciliation_run.v1";
/// Days a daily round looks back: a node that was away longer is told by hand what to compare.
const BACK: i64 = 31;
/// How long WeChat keeps bills.
const KEPT: i64 = 90;
/// A payment in the last minutes of a day is looked for in the next day's bill as well, and judged with that one.
const MIDNIGHT: Duration = Duration::minutes(10);
/// Tries of a bill that cannot be read, and the pause between them.
const TRIES: i32 = 6;
const PAUSE: Duration = Duration::hours(1);

/// The moment of the next round after `now`.
fn next_round(ctx: &Ctx, now: DateTime<Utc>) -> DateTime<Utc> {
    let at = ctx.config.wechat.reconcile_at.minutes();
    let (midnight, tomorrow) = day_bounds(business_date(now));
    let start = if business_minute(now) < at {
        midnight
    } else {
        tomorrow
    };
    start + Duration::minutes(i64::from(at))
}

/// The last day whose bill is there by the clock.
fn last_billed(ctx: &Ctx, now: DateTime<Utc>) -> NaiveDate {
    let at = Duration::minutes(i64::from(ctx.config.wechat.reconcile_at.minutes()));
    business_date(now - at - Duration::days(1))
}

/// Puts the daily timer in place; every start runs it, and a round that is due stays due.
///
/// # Errors
/// A database fault.
pub async fn install(ctx: &Ctx) -> Result<()> {
    let tx = ctx.db.begin_write().await?;
    let due = next_round(ctx, ctx.env.now());
    timer::ensure(&tx, &ctx.env, DAILY_DUE, Uuid::nil(), due).await?;
    ctx.commit(tx).await
}

/// Asks for the comparison of one day, again if it was done before.
///
/// # Errors
/// `validation` on `/date` for a day that is not over or whose bill is gone.
pub(super) async fn request(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    day: NaiveDate,
    by: AccountId,
) -> Result<reconciliation::Model> {
    let today = business_date(ctx.env.now());
    // Before WeChat has written the bill it says there is none, which would read as a day without trade.
    if day > last_billed(ctx, ctx.env.now()) || day < today - Duration::days(KEPT) {
        return Err(AppError::field(
            "/date",
            "range",
            "只能对账单已出、90 天以内的某一天对账(前一天的账单要到 wechat.reconcile_at 之后)",
        ));
    }
    plan(ctx, tx, day, Some(by)).await?;
    let row = of_day(tx, day).await?.ok_or_else(AppError::not_found)?;
    let change = reconciliation::ActiveModel {
        id: Set(row.id),
        status: Set(ReconciliationStatus::Pending),
        attempts: Set(0),
        fault: Set(None),
        requested_by: Set(Some(by)),
        ..Default::default()
    };
    let row = change.update(tx).await?;
    timer::schedule(tx, &ctx.env, RUN_DUE, row.id, ctx.env.now()).await?;
    Ok(row)
}

/// The comparison of a day, if there is one.
pub(super) async fn of_day(
    db: &impl sea_orm::ConnectionTrait,
    day: NaiveDate,
) -> Result<Option<reconciliation::Model>> {
    let row = reconciliation::Entity::find().filter(reconciliation::Column::Day.eq(day));
    Ok(row.one_by_key(db).await?)
}

/// Writes the day down, unless it is, and sets its timer.
async fn plan(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    day: NaiveDate,
    by: Option<AccountId>,
) -> Result<()> {
    let (id, now): (ReconciliationId, _) = (ctx.env.id(), ctx.env.now());
    let row = reconciliation::ActiveModel {
        id: Set(id),
        day: Set(day),
        status: Set(ReconciliationStatus::Pending),
        attempts: Set(0),
        payments: Set(0),
        refunds: Set(0),
        paid_fen: Set(Fen::ZERO),
        refunded_fen: Set(Fen::ZERO),
        fault: Set(None),
        requested_by: Set(by),
        finished_at: Set(None),
        created_at: Set(now),
    };
    let once = OnConflict::column(reconciliation::Column::Day)
        .do_nothing()
        .to_owned();
    let fresh = reconciliation::Entity::insert(row)
        .on_conflict(once)
        .exec_without_returning(tx)
        .await?;
    if fresh > 0 {
        timer::schedule(tx, &ctx.env, RUN_DUE, id, now).await?;
    }
    Ok(())
}

/// The daily round: every day since the last that nobody has compared.
pub(super) struct Daily;

#[async_trait::async_trait]
impl Consumer for Daily {
    fn name(&self) -> &'static str {
        "payment.reconciliation"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[DAILY_DUE]
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        _: &Delivered,
        _: Value,
    ) -> Result<()> {
        let now = ctx.env.now();
        let last = last_billed(ctx, now);
        let oldest = last - Duration::days(BACK - 1);
        let known: HashSet<NaiveDate> = reconciliation::Entity::find()
            .filter(reconciliation::Column::Day.gte(oldest))
            .all(tx)
            .await?
            .into_iter()
            .map(|row| row.day)
            .collect();
        // Before the first comparison ever there is nothing to catch up with.
        let first = known.iter().min().copied().unwrap_or(last);
        for day in first.iter_days().take_while(|day| *day <= last) {
            if !known.contains(&day) {
                plan(ctx, tx, day, None).await?;
            }
        }
        timer::schedule(tx, &ctx.env, DAILY_DUE, Uuid::nil(), next_round(ctx, now)).await
    }
}

/// What a try came to.
#[derive(Serialize, Deserialize)]
enum Outcome {
    Compared(Compared),
    Unreadable(String),
}

/// One day's comparison; doing it again changes nothing but what has changed.
pub(super) struct Runs;

#[async_trait::async_trait]
impl Consumer for Runs {
    fn name(&self) -> &'static str {
        "payment.reconciliation_runs"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[RUN_DUE]
    }

    async fn before(&self, ctx: &Ctx, event: &Delivered) -> Result<Value> {
        let id = event.subject::<ReconciliationId>()?;
        let row = reconciliation::Entity::find_by_id(id)
            .one_by_key(ctx.db.read())
            .await?
            .ok_or_else(AppError::not_found)?;
        let outcome = match ctx.wechat.trade_bill(row.day).await {
            Ok(bill) => Outcome::Compared(bill::compare(ctx, &bill.unwrap_or_default()).await?),
            // Not there yet, or nobody answers: the queue asks again.
            Err(error) if error.code == Code::Unavailable => return Err(error),
            Err(error) => {
                let source = error.source.as_ref().map(ToString::to_string);
                Outcome::Unreadable(source.unwrap_or_else(|| error.detail.to_string()))
            }
        };
        Ok(json!(outcome))
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        outcome: Value,
    ) -> Result<()> {
        let id = event.subject::<ReconciliationId>()?;
        let row = reconciliation::Entity::find_by_id(id)
            .lock_exclusive()
            .one_by_key(tx)
            .await?
            .ok_or_else(AppError::not_found)?;
        match serde_json::from_value(outcome)? {
            Outcome::Compared(compared) => write(ctx, tx, &row, compared).await,
            Outcome::Unreadable(fault) => unreadable(ctx, tx, &row, fault).await,
        }
    }
}

async fn unreadable(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    row: &reconciliation::Model,
    fault: String,
) -> Result<()> {
    tracing::error!(reconciliation.day = %row.day, fault, "a day's bill could not be read and was thrown away");
    metrics::counter!("linjian_reconciliation_failures_total").increment(1);
    let attempts = row.attempts.saturating_add(1);
    let change = reconciliation::ActiveModel {
        id: Set(row.id),
        status: Set(ReconciliationStatus::Failed),
        attempts: Set(attempts),
        fault: Set(Some(fault)),
        ..Default::default()
    };
    change.update(tx).await?;
    if attempts < TRIES {
        timer::schedule(tx, &ctx.env, RUN_DUE, row.id, ctx.env.now() + PAUSE).await?;
    }
    Ok(())
}

async fn write(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    row: &reconciliation::Model,
    mut compared: Compared,
) -> Result<()> {
    mark(
        tx,
        row.day,
        &compared.billed_payments,
        &compared.billed_refunds,
    )
    .await?;
    missing_there(tx, row.day, &mut compared.differences).await?;
    let now = ctx.env.now();
    let mut fresh = 0_u64;
    for one in &compared.differences {
        if keep(ctx, tx, row.id, one).await? {
            fresh += 1;
            let kind = one.kind.word();
            metrics::counter!("linjian_reconciliation_differences_total", "kind" => kind)
                .increment(1);
        }
    }
    resolve(ctx, tx, row.id, &compared.differences).await?;
    if fresh > 0 {
        tracing::error!(reconciliation.day = %row.day, differences = fresh, "WeChat's bill and our books differ; a person must look");
    }
    let change = reconciliation::ActiveModel {
        id: Set(row.id),
        status: Set(ReconciliationStatus::Done),
        attempts: Set(row.attempts.saturating_add(1)),
        payments: Set(compared.payments),
        refunds: Set(compared.refunds),
        paid_fen: Set(compared.paid_fen),
        refunded_fen: Set(compared.refunded_fen),
        fault: Set(None),
        finished_at: Set(Some(now)),
        ..Default::default()
    };
    change.update(tx).await?;
    Ok(())
}

/// Notes on our rows that this day's bill lists them.
async fn mark(
    tx: &DatabaseTransaction,
    day: NaiveDate,
    payments: &[PaymentId],
    refunds: &[RefundId],
) -> Result<()> {
    const CHUNK: usize = 500;
    for ids in payments.chunks(CHUNK) {
        payment::Entity::update_many()
            .col_expr(payment::Column::BilledOn, Expr::value(Some(day)))
            .filter(payment::Column::Id.is_in(ids.iter().copied()))
            .exec(tx)
            .await?;
    }
    for ids in refunds.chunks(CHUNK) {
        refund::Entity::update_many()
            .col_expr(refund::Column::BilledOn, Expr::value(Some(day)))
            .filter(refund::Column::Id.is_in(ids.iter().copied()))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// What we count and no bill lists. The window ends a little before midnight and begins as much before the day: a
/// trade on the edge is judged when both bills it may stand in have been read.
async fn missing_there(
    tx: &DatabaseTransaction,
    day: NaiveDate,
    found: &mut Vec<Difference>,
) -> Result<()> {
    let (start, end) = day_bounds(day);
    let (start, end) = (start - MIDNIGHT, end - MIDNIGHT);
    let paid = payment::Entity::find()
        .filter(payment::Column::Status.eq(PaymentStatus::Paid))
        .filter(payment::Column::BilledOn.is_null())
        .filter(
            Condition::any()
                .add(
                    Condition::all()
                        .add(payment::Column::SuccessAt.gte(start))
                        .add(payment::Column::SuccessAt.lt(end)),
                )
                .add(
                    // Rows from before WeChat's own time was kept.
                    Condition::all()
                        .add(payment::Column::SuccessAt.is_null())
                        .add(payment::Column::PaidAt.gte(start))
                        .add(payment::Column::PaidAt.lt(end)),
                ),
        )
        .all(tx)
        .await?;
    found.extend(paid.into_iter().map(|row| Difference {
        kind: DifferenceKind::MissingThere,
        status: DifferenceStatus::Open,
        trade: TradeKind::Payment,
        number: row.transaction_id.unwrap_or(row.out_trade_no),
        payment: Some(row.id),
        refund: None,
        here_fen: Some(row.amount_fen),
        there_fen: None,
    }));
    let back = refund::Entity::find()
        .filter(refund::Column::Status.eq(RefundStatus::Succeeded))
        .filter(refund::Column::BilledOn.is_null())
        .filter(refund::Column::SuccessAt.gte(start))
        .filter(refund::Column::SuccessAt.lt(end))
        .all(tx)
        .await?;
    found.extend(back.into_iter().map(|row| Difference {
        kind: DifferenceKind::MissingThere,
        status: DifferenceStatus::Open,
        trade: TradeKind::Refund,
        number: row.out_refund_no,
        payment: Some(row.payment_id),
        refund: Some(row.id),
        here_fen: Some(row.amount_fen),
        there_fen: None,
    }));
    Ok(())
}

/// Writes a difference once per day; says whether somebody must hear of it now.
async fn keep(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    of: ReconciliationId,
    one: &Difference,
) -> Result<bool> {
    let now = ctx.env.now();
    let closed = (one.status != DifferenceStatus::Open).then_some(now);
    let known = reconciliation_difference::Entity::find()
        .filter(reconciliation_difference::Column::ReconciliationId.eq(of))
        .filter(reconciliation_difference::Column::Kind.eq(one.kind))
        .filter(reconciliation_difference::Column::Number.eq(&one.number));
    if let Some(known) = known.one_by_key(tx).await? {
        let again = known.status == DifferenceStatus::Resolved;
        let change = reconciliation_difference::ActiveModel {
            id: Set(known.id),
            status: Set(one.status),
            here_fen: Set(one.here_fen),
            there_fen: Set(one.there_fen),
            closed_at: Set(closed),
            ..Default::default()
        };
        change.update(tx).await?;
        return Ok(again && one.status == DifferenceStatus::Open);
    }
    let row = reconciliation_difference::ActiveModel {
        id: Set(ctx.env.id::<ReconciliationDifferenceId>()),
        reconciliation_id: Set(of),
        kind: Set(one.kind),
        status: Set(one.status),
        trade: Set(one.trade),
        number: Set(one.number.clone()),
        payment_id: Set(one.payment),
        refund_id: Set(one.refund),
        here_fen: Set(one.here_fen),
        there_fen: Set(one.there_fen),
        created_at: Set(now),
        closed_at: Set(closed),
    };
    row.insert(tx).await?;
    Ok(one.status == DifferenceStatus::Open)
}

/// Open differences that are no longer found are over; what was healed stays told.
async fn resolve(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    of: ReconciliationId,
    found: &[Difference],
) -> Result<()> {
    let open = reconciliation_difference::Entity::find()
        .filter(reconciliation_difference::Column::ReconciliationId.eq(of))
        .filter(reconciliation_difference::Column::Status.eq(DifferenceStatus::Open))
        .order_by_asc(reconciliation_difference::Column::Id)
        .all(tx)
        .await?;
    let still: HashSet<(DifferenceKind, &str)> = found
        .iter()
        .map(|one| (one.kind, one.number.as_str()))
        .collect();
    for row in open {
        if still.contains(&(row.kind, row.number.as_str())) {
            continue;
        }
        let change = reconciliation_difference::ActiveModel {
            id: Set(row.id),
            status: Set(DifferenceStatus::Resolved),
            closed_at: Set(Some(ctx.env.now())),
            ..Default::default()
        };
        change.update(tx).await?;
    }
    Ok(())
}
