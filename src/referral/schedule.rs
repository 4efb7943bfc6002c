//! Publishing at a time.
//!
//! The moment itself is the switch: what happens from then on is judged by the new set, whoever looks first. So whoever
//! needs to know settles what is due, the timer or an event's consumer, and everything that must hold to publish is
//! asked again then. Sets wait in their own rows; a span of time is written only when it has begun (ADR 0021).

use super::{
    lawful,
    publish::live_for_update,
    ruleset::{by_id, in_order, lock},
    tenure::{self, Next},
};
use crate::{
    benefit,
    kernel::{AppError, Code, Result, business_date},
    outbox::{Consumer, Delivered, timer},
    platform::Ctx,
};
use chrono::{DateTime, Duration, DurationRound, Utc};
use entity::{
    ids::{AccountId, RulesetId},
    ruleset,
    values::{RulesetStatus, TenureHow},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::Value;

/// The timer's kind; its subject is the set.
const DUE: &str = "ruleset.publish_due.v1";
/// The kind of the task that tells staff of a set whose moment came and which was not published.
const TASK: &str = "ruleset";
/// Farthest moment ahead.
const FARTHEST: Duration = Duration::days(366);

/// Lets a set wait for its moment; one that waits already is moved.
///
/// # Errors
/// `validation` for a moment that is past, too far or taken; else as publishing.
pub(super) async fn schedule(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    (id, by): (RulesetId, AccountId),
    at: DateTime<Utc>,
) -> Result<ruleset::Model> {
    // What the databases keep.
    let at = at.duration_trunc(Duration::microseconds(1)).unwrap_or(at);
    in_order(ctx, tx).await?;
    settle(ctx, tx).await?;
    let row = lock(tx, id).await?;
    if matches!(row.status, RulesetStatus::Live | RulesetStatus::Retired) {
        return Err(AppError::invalid_state(
            "这个版本已经发布过;要恢复它请用回滚",
        ));
    }
    let taken = waiting().filter(ruleset::Column::PublishAt.eq(at));
    if taken.all(tx).await?.iter().any(|other| *other != id) {
        return Err(AppError::field(
            "/at",
            "taken",
            "这个时刻已经排定了另一个版本,请换一个时刻",
        ));
    }
    let live = live_for_update(tx).await?;
    lawful::permit(ctx, tx, &row, live.as_ref(), business_date(at)).await?;
    // Who judges waits, too: the moment must still lie ahead when others can see it.
    tenure::hold(tx).await?;
    let ahead = at - ctx.env.now();
    if ahead <= Duration::zero() {
        return Err(AppError::field(
            "/at",
            "range",
            "这个时刻已经过去;要立即生效,请不填 at",
        ));
    }
    if ahead > FARTHEST {
        return Err(AppError::field("/at", "range", "最多提前一年排定"));
    }
    let change = ruleset::ActiveModel {
        id: Set(id),
        status: Set(RulesetStatus::Scheduled),
        publish_at: Set(Some(at)),
        scheduled_by: Set(Some(by)),
        updated_at: Set(ctx.env.now()),
        ..Default::default()
    };
    let row = change.update(tx).await?;
    timer::schedule(tx, &ctx.env, DUE, id, at).await?;
    Ok(row)
}

/// Takes a set that waits back.
///
/// # Errors
/// `invalid_state` unless it waits and its moment lies ahead.
pub(super) async fn unschedule(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: RulesetId,
) -> Result<ruleset::Model> {
    in_order(ctx, tx).await?;
    let row = lock(tx, id).await?;
    let ahead = row.publish_at.is_some_and(|at| at > ctx.env.now());
    if row.status != RulesetStatus::Scheduled || !ahead {
        return Err(AppError::invalid_state("这个版本没有在等待生效"));
    }
    give_back(ctx, tx, &row).await?;
    by_id(tx, id).await
}

/// Takes every set back that waits; answers what they were.
pub(super) async fn unschedule_all(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
) -> Result<Vec<ruleset::Model>> {
    let mut taken = Vec::new();
    for id in waiting().all(tx).await? {
        let row = by_id(tx, id).await?;
        give_back(ctx, tx, &row).await?;
        taken.push(row);
    }
    Ok(taken)
}

/// It is again what it was before somebody named a moment.
async fn give_back(ctx: &Ctx, tx: &DatabaseTransaction, row: &ruleset::Model) -> Result<()> {
    timer::cancel(tx, &ctx.env, DUE, row.id).await?;
    let before = if row.approved_by.is_some() {
        RulesetStatus::Approved
    } else {
        RulesetStatus::Draft
    };
    ruleset::ActiveModel {
        id: Set(row.id),
        status: Set(before),
        publish_at: Set(None),
        scheduled_by: Set(None),
        updated_at: Set(ctx.env.now()),
        ..Default::default()
    }
    .update(tx)
    .await?;
    Ok(())
}

/// Stops the timer of a set that is published by hand after all.
pub(super) async fn forget_timer(ctx: &Ctx, tx: &DatabaseTransaction, id: RulesetId) -> Result<()> {
    timer::cancel(tx, &ctx.env, DUE, id).await
}

/// Ids of the sets that wait, in the order of their moments.
fn waiting() -> Waiting {
    Waiting(
        ruleset::Entity::find()
            .select_only()
            .column(ruleset::Column::Id)
            .filter(ruleset::Column::Status.eq(RulesetStatus::Scheduled))
            .order_by_asc(ruleset::Column::PublishAt),
    )
}

/// A look for waiting sets without their documents.
struct Waiting(sea_orm::Select<ruleset::Entity>);

impl Waiting {
    fn filter(self, what: sea_orm::sea_query::Expr) -> Self {
        Self(self.0.filter(what))
    }

    async fn all(self, db: &impl ConnectionTrait) -> Result<Vec<RulesetId>> {
        Ok(self.0.into_tuple().all(db).await?)
    }
}

/// The sets that wait, with when each was touched last: for whoever makes them ready.
pub(super) async fn expected(
    db: &impl ConnectionTrait,
) -> Result<Vec<(RulesetId, DateTime<Utc>, Option<DateTime<Utc>>)>> {
    Ok(ruleset::Entity::find()
        .select_only()
        .column(ruleset::Column::Id)
        .column(ruleset::Column::UpdatedAt)
        .column(ruleset::Column::PublishAt)
        .filter(ruleset::Column::Status.eq(RulesetStatus::Scheduled))
        .order_by_asc(ruleset::Column::PublishAt)
        .into_tuple()
        .all(db)
        .await?)
}

/// Settles what is due, if anything is; a cheap look otherwise.
pub(super) async fn settle_if_due(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    moment: DateTime<Utc>,
) -> Result<()> {
    let latest = ctx.env.now().max(moment);
    if tenure::next_at(tx).await?.is_none_or(|at| at > latest) {
        return Ok(());
    }
    in_order(ctx, tx).await?;
    settle(ctx, tx).await
}

/// Puts every set in force whose moment has come, in the order of their moments, each from its own moment on; those that
/// may not be published any more go back, and staff are told. The caller has waited his turn in `in_order`.
pub(super) async fn settle(ctx: &Ctx, tx: &DatabaseTransaction) -> Result<()> {
    let due = waiting().filter(ruleset::Column::PublishAt.lte(ctx.env.now()));
    for id in due.all(tx).await? {
        let row = lock(tx, id).await?;
        let live = live_for_update(tx).await?;
        let on = business_date(row.publish_at.unwrap_or_else(|| ctx.env.now()));
        match lawful::permit(ctx, tx, &row, live.as_ref(), on).await {
            Ok(()) => {
                timer::cancel(tx, &ctx.env, DUE, id).await?;
                ruleset::ActiveModel {
                    id: Set(id),
                    previous_id: Set(live.map(|live| live.id)),
                    ..Default::default()
                }
                .update(tx)
                .await?;
                let next = Next {
                    id,
                    version: row.version,
                    by: row.scheduled_by,
                    how: TenureHow::Scheduled,
                    from: row.publish_at,
                };
                tenure::switch(ctx, tx, next).await?;
            }
            Err(error) if error.code == Code::RuleRejected => {
                give_back(ctx, tx, &row).await?;
                tell(ctx, tx, &row, &error).await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Staff learn why a set was not published at its moment: nobody was there to be answered.
async fn tell(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    row: &ruleset::Model,
    error: &AppError,
) -> Result<()> {
    tracing::warn!(
        ruleset.version = row.version,
        "a scheduled rule set was not published: it has come to be blocked"
    );
    metrics::counter!("linjian_rulesets_not_published_total").increment(1);
    let at = row.publish_at.unwrap_or_else(|| ctx.env.now());
    let text = format!(
        "排定在 {} 生效的规则集 v{}“{}”没有发布:{}。现行版本继续有效;请检查后重新排定。",
        at.with_timezone(&crate::kernel::shanghai())
            .format("%Y-%m-%d %H:%M"),
        row.version,
        row.name,
        first_reason(error),
    );
    let effect = format!("ruleset\n{}\n{}", row.id, at.to_rfc3339());
    benefit::ask_staff(ctx, tx, (TASK, "marketing"), text, (row.id.0, effect)).await
}

/// The severest finding in its own words.
fn first_reason(error: &AppError) -> String {
    let findings = error.extra.iter().find(|(key, _)| *key == "findings");
    let first = findings.and_then(|(_, found)| found.get(0));
    let message = first
        .and_then(|one| one.get("message"))
        .and_then(Value::as_str);
    match message {
        Some(message) => format!("{}({message})", error.detail),
        None => error.detail.to_string(),
    }
}

/// The moment has come: the timer settles it if no event did.
pub(super) struct Switching;

#[async_trait::async_trait]
impl Consumer for Switching {
    fn name(&self) -> &'static str {
        "referral.switching"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[DUE]
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        settle_if_due(ctx, tx, event.occurred_at).await
    }
}
