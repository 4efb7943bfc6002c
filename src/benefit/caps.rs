//! Caps under concurrency: the rows that count are locked in one order, then the past is counted.

use super::{apply::Cause, budget};
use crate::{
    kernel::{Env, Result},
    platform::{Ctx, Rows},
    rule::Cap,
};
use chrono::{DateTime, Duration, Utc};
use entity::{
    cap_lock,
    ids::AccountId,
    invitation, reward,
    values::{InvitationSource, InvitationStatus, RewardCause, RewardStatus},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter,
};

/// Between two invitations of the engine to one person (REF-23: at most one marketing contact a week).
pub const FATIGUE: Duration = Duration::days(7);
/// The span of `referral.per_quarter`.
pub const QUARTER: Duration = Duration::days(90);
/// How long an invitation lives that says nothing else.
pub const UNUSED_AFTER: Duration = Duration::days(14);

/// Locks named counters, always in the order of their names, so that two that need the same never wait for each other. What
/// is kept beside them is forgotten: whoever comes this way may do more than ask.
pub(super) async fn lock(tx: &DatabaseTransaction, env: &Env, keys: Vec<String>) -> Result<()> {
    let mut rows = Rows::default();
    hold(&mut rows, env, keys, cap_lock::Column::Bounds)?;
    rows.write(tx).await
}

/// As [`hold_counters`], together with other rows, which are written before it is waited for a counter; for those who ask,
/// and go through [`hold_counters`] before they do anything else.
///
/// # Errors
/// None in practice; `internal` when a column is not set.
pub fn add_counters(rows: &mut Rows, env: &Env, keys: Vec<String>) -> Result<()> {
    hold(rows, env, keys, cap_lock::Column::Key)
}

/// A row that is there is written over in one column, which locks it; rows are taken in the order of their keys.
fn hold(rows: &mut Rows, env: &Env, mut keys: Vec<String>, over: cap_lock::Column) -> Result<()> {
    keys.sort();
    keys.dedup();
    let held = keys.into_iter().map(|key| cap_lock::ActiveModel {
        key: Set(key),
        created_at: Set(env.now()),
        bounds: Set(None),
    });
    rows.overwriting(held, &[cap_lock::Column::Key], &[over])
}

pub(super) fn since(now: DateTime<Utc>, span: Duration) -> DateTime<Utc> {
    now.checked_sub_signed(span)
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// The counter of welcomes and thanks together; every redemption passes it, so no two of them overlap.
pub(super) const PROGRAMME: &str = "programme";

pub(super) fn of_customer(customer: AccountId) -> String {
    format!("customer:{customer}")
}

pub(super) fn of_rule(rule: &str) -> String {
    format!("rule:{rule}")
}

/// Locks named counters until the transaction ends. Whoever needs several takes them all at once, after consents and
/// before any other row, so that two transactions never wait for each other.
///
/// # Errors
/// A database fault.
pub async fn hold_counters(tx: &DatabaseTransaction, env: &Env, keys: Vec<String>) -> Result<()> {
    lock(tx, env, keys).await
}

/// Invitations the engine made and nobody took back: what was asked of people.
pub(super) fn asked() -> sea_orm::Select<invitation::Entity> {
    invitation::Entity::find()
        .filter(invitation::Column::Source.eq(InvitationSource::Rule))
        .filter(
            invitation::Column::Status
                .is_not_in([InvitationStatus::Recalled, InvitationStatus::Suppressed]),
        )
}

/// What was given and not taken back; what ran out unused was given all the same.
fn standing_rewards() -> sea_orm::Select<reward::Entity> {
    reward::Entity::find().filter(reward::Column::Status.ne(RewardStatus::Revoked))
}

/// Whether a rule may give one more reward of this cost to this person.
pub(super) async fn admit_reward(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    cause: &Cause,
    (recipient, cost_fen): (AccountId, i64),
) -> Result<bool> {
    let keys = vec![of_customer(recipient), of_rule(&cause.rule_id)];
    lock(tx, &ctx.env, keys).await?;
    let now = ctx.env.now();
    let by_rule = || standing_rewards().filter(reward::Column::RuleId.eq(&cause.rule_id));
    for cap in &cause.caps.per_customer {
        let mine = by_rule().filter(reward::Column::AccountId.eq(recipient));
        let count = mine
            .filter(reward::Column::CreatedAt.gt(since(now, cap.per.get())))
            .count(tx)
            .await?;
        if count >= u64::from(cap.times) {
            return Ok(false);
        }
    }
    for cap in &cause.caps.per_rule {
        let count = by_rule()
            .filter(reward::Column::CreatedAt.gt(since(now, cap.per.get())))
            .count(tx)
            .await?;
        if count >= u64::from(cap.times) {
            return Ok(false);
        }
    }
    let Some(budget) = cause.caps.budget_fen else {
        return Ok(true);
    };
    let given = budget::rule_given(tx, &cause.rule_id, cause.money_since).await?;
    // A privilege costs nothing, so a budget that is used up does not forbid it.
    Ok(cost_fen <= 0 || given.saturating_add(cost_fen) <= budget)
}

/// Whether an inviter may receive one more thank-you now (REF-08).
pub(super) async fn admit_thanks(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    inviter: AccountId,
    caps: &[Cap],
) -> Result<bool> {
    lock(tx, &ctx.env, vec![of_customer(inviter)]).await?;
    let now = ctx.env.now();
    let settings = &ctx.config.referral;
    let own = [
        (settings.thanks_per_month, Duration::days(30)),
        (settings.thanks_per_year, Duration::days(365)),
    ];
    let limits = own
        .into_iter()
        .chain(caps.iter().map(|cap| (u64::from(cap.times), cap.per.get())));
    for (times, per) in limits {
        let count = standing_rewards()
            .filter(reward::Column::AccountId.eq(inviter))
            .filter(reward::Column::Cause.eq(RewardCause::Thanks))
            // What is held was not received, and is when somebody releases it.
            .filter(reward::Column::GrantedAt.gt(since(now, per)))
            .count(tx)
            .await?;
        if count >= times {
            return Ok(false);
        }
    }
    Ok(true)
}
