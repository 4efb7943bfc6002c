//! Caps under concurrency: the rows that count are locked in one order, then the past is counted.

use super::apply::Cause;
use crate::{
    kernel::{Env, Result},
    platform::Ctx,
    rule::{BlockedBy, Cap},
};
use chrono::{DateTime, Duration, Utc};
use entity::{
    cap_lock,
    ids::AccountId,
    invitation, referral, reward,
    values::{InvitationSource, InvitationStatus, RewardCause, RewardStatus},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter,
    QuerySelect, sea_query::OnConflict,
};

/// Between two invitations of the engine to one person (REF-23: at most one marketing contact a week).
const FATIGUE: Duration = Duration::days(7);
/// The span of `referral.per_quarter`.
const QUARTER: Duration = Duration::days(90);

/// Locks named counters, always in the order of their names, so that two that need the same never wait for each other.
pub(super) async fn lock(tx: &DatabaseTransaction, env: &Env, mut keys: Vec<String>) -> Result<()> {
    keys.sort();
    for key in keys {
        let row = cap_lock::ActiveModel {
            key: Set(key.clone()),
            created_at: Set(env.now()),
        };
        cap_lock::Entity::insert(row)
            .on_conflict(
                OnConflict::column(cap_lock::Column::Key)
                    .do_nothing()
                    .to_owned(),
            )
            .exec_without_returning(tx)
            .await?;
        cap_lock::Entity::find_by_id(key)
            .lock_exclusive()
            .all(tx)
            .await?;
    }
    Ok(())
}

fn since(now: DateTime<Utc>, span: Duration) -> DateTime<Utc> {
    now.checked_sub_signed(span)
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// Whether one more invitation is within every limit; what stands in the way otherwise.
pub(super) async fn admit_invitation(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    cause: &Cause,
) -> Result<Option<BlockedBy>> {
    let keys = vec![
        format!("customer:{}", cause.customer_id),
        format!("rule:{}", cause.rule_id),
    ];
    lock(tx, &ctx.env, keys).await?;
    let now = ctx.env.now();
    let mine = || asked().filter(invitation::Column::CustomerId.eq(cause.customer_id));
    if mine()
        .filter(invitation::Column::CreatedAt.gt(since(now, FATIGUE)))
        .count(tx)
        .await?
        > 0
    {
        return Ok(Some(BlockedBy::Fatigue));
    }
    let quarter = mine()
        .filter(invitation::Column::CreatedAt.gt(since(now, QUARTER)))
        .count(tx)
        .await?;
    if quarter >= ctx.config.referral.per_quarter {
        return Ok(Some(BlockedBy::Cap));
    }
    let by_rule = |query: sea_orm::Select<invitation::Entity>| {
        query.filter(invitation::Column::RuleId.eq(&cause.rule_id))
    };
    for cap in &cause.caps.per_customer {
        if by_rule(mine()).filter(newer(*cap, now)).count(tx).await? >= u64::from(cap.times) {
            return Ok(Some(BlockedBy::Cap));
        }
    }
    for cap in &cause.caps.per_rule {
        if by_rule(asked()).filter(newer(*cap, now)).count(tx).await? >= u64::from(cap.times) {
            return Ok(Some(BlockedBy::Cap));
        }
    }
    let spent = spent_through(tx, &cause.rule_id).await?;
    let over = cause.caps.budget_fen.is_some_and(|budget| spent >= budget);
    Ok(over.then_some(BlockedBy::Cap))
}

fn newer(cap: Cap, now: DateTime<Utc>) -> sea_orm::sea_query::Expr {
    invitation::Column::CreatedAt.gt(since(now, cap.per.get()))
}

/// Invitations the engine made and nobody took back: what was asked of people.
fn asked() -> sea_orm::Select<invitation::Entity> {
    invitation::Entity::find()
        .filter(invitation::Column::Source.eq(InvitationSource::Rule))
        .filter(
            invitation::Column::Status
                .is_not_in([InvitationStatus::Recalled, InvitationStatus::Suppressed]),
        )
}

/// What the invitations of a rule have cost in rewards so far, fen.
async fn spent_through(tx: &DatabaseTransaction, rule_id: &str) -> Result<i64> {
    let invitations = sea_orm::sea_query::Query::select()
        .column(invitation::Column::Id)
        .from(invitation::Entity)
        .and_where(invitation::Column::RuleId.eq(rule_id))
        .to_owned();
    let referrals = sea_orm::sea_query::Query::select()
        .column(referral::Column::Id)
        .from(referral::Entity)
        .and_where(referral::Column::InvitationId.in_subquery(invitations))
        .to_owned();
    let rows = live_rewards()
        .filter(reward::Column::ReferralId.in_subquery(referrals))
        .all(tx)
        .await?;
    Ok(rows
        .iter()
        .fold(0_i64, |sum, row| sum.saturating_add(row.cost_fen.0)))
}

fn live_rewards() -> sea_orm::Select<reward::Entity> {
    reward::Entity::find()
        .filter(reward::Column::Status.is_not_in([RewardStatus::Revoked, RewardStatus::Expired]))
}

/// Whether a rule may give one more reward to this person.
pub(super) async fn admit_reward(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    cause: &Cause,
    recipient: AccountId,
) -> Result<bool> {
    let keys = vec![
        format!("customer:{recipient}"),
        format!("rule:{}", cause.rule_id),
    ];
    lock(tx, &ctx.env, keys).await?;
    let now = ctx.env.now();
    let by_rule = || live_rewards().filter(reward::Column::RuleId.eq(&cause.rule_id));
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
    let spent = by_rule()
        .all(tx)
        .await?
        .iter()
        .fold(0_i64, |sum, row| sum.saturating_add(row.cost_fen.0));
    // A privilege costs nothing, so a budget of zero does not forbid it; it forbids the first fen beyond.
    Ok(cause.caps.budget_fen.is_none_or(|budget| spent <= budget))
}

/// Whether an inviter may receive one more thank-you now (REF-08).
pub(super) async fn admit_thanks(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    inviter: AccountId,
    caps: &[Cap],
) -> Result<bool> {
    lock(tx, &ctx.env, vec![format!("customer:{inviter}")]).await?;
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
        let count = live_rewards()
            .filter(reward::Column::AccountId.eq(inviter))
            .filter(reward::Column::Cause.eq(RewardCause::Thanks))
            .filter(reward::Column::Status.ne(RewardStatus::Held))
            .filter(reward::Column::CreatedAt.gt(since(now, per)))
            .count(tx)
            .await?;
        if count >= times {
            return Ok(false);
        }
    }
    Ok(true)
}
