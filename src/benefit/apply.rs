//! Carrying out what a rule decided, in the decision's transaction.

use super::{
    asking::{self, Wanted},
    caps, reward, suppression, task,
};
use crate::{
    consent::{self, Purpose as _, ReferralLink, ReferralProfiling, Stands},
    kernel::{AppError, Code, Result},
    platform::{Ctx, OneByKey, Rows, vault},
    rule::{
        Action, Beneficiary, BlockedBy, Caps, CompiledRuleSet, EventKind, NamedBenefit,
        ResolvedEffect,
    },
};
use chrono::{DateTime, Utc};
use entity::{
    customer_tag,
    ids::{AccountId, BookingId, EventId, ReferralId, StaffTaskId},
    referral, reward as reward_table,
    values::{ReferralStatus, RewardCause, RewardStatus},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter,
    QuerySelect, sea_query::OnConflict,
};

/// Why an effect happens: the event, the rule and the people.
#[derive(Clone, Debug)]
pub struct Cause {
    /// The event decided on.
    pub event_id: EventId,
    /// What it was.
    pub event: EventKind,
    /// Whom the decision is about; for `referral.*` events the inviter.
    pub customer_id: AccountId,
    /// The friend, for `referral.*` events.
    pub invitee_id: Option<AccountId>,
    /// The link, for `referral.*` events.
    pub referral_id: Option<ReferralId>,
    /// The visit, when the event has one.
    pub booking_id: Option<BookingId>,
    /// Which rule.
    pub rule_id: String,
    /// Of which version.
    pub ruleset_version: i32,
    /// The rule's limits.
    pub caps: Caps,
    /// Since when its budget counts.
    pub money_since: DateTime<Utc>,
}

/// How an effect came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It happened; the id of what it made.
    Done(String),
    /// Something stood in the way.
    Blocked(BlockedBy),
    /// Its cause is undone: the friend's order was refunded before the effect's turn came.
    Undone,
    /// It had happened before.
    Already,
}

impl Cause {
    /// The id of one effect: the same event, rule, version, recipient and slot never act twice.
    pub(super) fn effect_id(&self, recipient: AccountId, slot: u32) -> String {
        let parts = format!(
            "{}\n{}\n{}\n{recipient}\n{slot}",
            self.event_id, self.rule_id, self.ruleset_version
        );
        vault::sha256_hex(parts.as_bytes())
    }
}

/// The counters an effect will look at, for [`super::hold_counters`].
pub fn counters(cause: &Cause, effect: &ResolvedEffect) -> Vec<String> {
    let person = match &effect.action {
        Action::Invite { .. } => Some(cause.customer_id),
        Action::Grant { to, .. } => recipient(cause, *to),
        Action::SuppressInvitations { .. }
        | Action::Tag { .. }
        | Action::NotifyStaff { .. }
        | Action::Unlock { .. } => None,
    };
    person.map_or_else(Vec::new, |person| {
        vec![caps::of_customer(person), caps::of_rule(&cause.rule_id)]
    })
}

fn recipient(cause: &Cause, to: Beneficiary) -> Option<AccountId> {
    match to {
        Beneficiary::Inviter => Some(cause.customer_id),
        Beneficiary::Invitee => cause.invitee_id,
    }
}

/// Whether the friend's link still says what the event said, under a lock: a refund that comes now waits and then takes
/// back what is given here, one that came before is seen (REF-05).
async fn stands_yet(tx: &DatabaseTransaction, cause: &Cause) -> Result<bool> {
    let need_qualified = match cause.event {
        EventKind::ReferralQualified => true,
        EventKind::ReferralRedeemed => false,
        _ => return Ok(true),
    };
    let Some(id) = cause.referral_id else {
        return Ok(false);
    };
    let link = referral::Entity::find_by_id(id)
        .lock_exclusive()
        .one_by_key(tx)
        .await?;
    Ok(link.is_some_and(|link| match link.status {
        ReferralStatus::Qualified => true,
        ReferralStatus::Registered => !need_qualified,
        ReferralStatus::Reversed => false,
    }))
}

/// Carries out effects, in order. Consents and counters are locked by the caller, all at once and in order; `stands` are the
/// consents he found. Invitations that follow each other go together; the last of them are left to the caller in `to`, who
/// writes them with what he has of his own.
///
/// # Errors
/// A database fault. What the law or a cap forbids is an answer, not an error.
pub async fn apply_all(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    (set, stands): (&CompiledRuleSet, &Stands),
    effects: &[(&Cause, &ResolvedEffect)],
    to: &mut Rows,
) -> Result<Vec<Applied>> {
    let mut answers = Vec::with_capacity(effects.len());
    let mut waiting: Vec<Wanted<'_>> = Vec::new();
    for (cause, effect) in effects {
        if matches!(effect.action, Action::Invite { .. }) && !of_link(cause.event) {
            let record = stands.record(cause.customer_id, ReferralProfiling::KEY);
            waiting.push(Wanted {
                cause,
                effect,
                record,
            });
            continue;
        }
        // What follows may look at the invitations before it, or take them back.
        answers.extend(invite(ctx, tx, (set, &std::mem::take(&mut waiting))).await?);
        answers.push(apply(ctx, tx, (set, stands), cause, effect).await?);
    }
    answers.extend(asking::invite_all(ctx, tx, (set, &waiting), to).await?);
    Ok(answers)
}

async fn invite(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    wanted: (&CompiledRuleSet, &[Wanted<'_>]),
) -> Result<Vec<Applied>> {
    let mut rows = Rows::default();
    let answers = asking::invite_all(ctx, tx, wanted, &mut rows).await?;
    rows.write(tx).await?;
    Ok(answers)
}

/// Whether an effect of this event holds only while the friend's link says what the event said.
const fn of_link(event: EventKind) -> bool {
    matches!(
        event,
        EventKind::ReferralQualified | EventKind::ReferralRedeemed
    )
}

async fn apply(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    (set, stands): (&CompiledRuleSet, &Stands),
    cause: &Cause,
    effect: &ResolvedEffect,
) -> Result<Applied> {
    let id = cause.effect_id(cause.customer_id, effect.slot);
    if !stands_yet(tx, cause).await? {
        return Ok(Applied::Undone);
    }
    match &effect.action {
        Action::Invite { .. } => {
            let record = stands.record(cause.customer_id, ReferralProfiling::KEY);
            let wanted = Wanted {
                cause,
                effect,
                record,
            };
            let answer = invite(ctx, tx, (set, &[wanted])).await?;
            Ok(answer.into_iter().next().unwrap_or(Applied::Already))
        }
        Action::Grant {
            to,
            benefit,
            once,
            expires_after,
        } => {
            let terms = Terms {
                to: *to,
                benefit,
                once: *once,
                expires_after: *expires_after,
            };
            grant(ctx, tx, cause, effect.slot, terms).await
        }
        Action::SuppressInvitations { lasts, appeal } => {
            suppression::apply(ctx, tx, cause, id, *lasts, *appeal).await
        }
        Action::Tag { tag } => tag_customer(ctx, tx, cause, tag).await,
        Action::NotifyStaff { text, role } => {
            let new = task::New::of_rule(cause, task::RULE, text.clone(), id);
            let role = role.clone();
            Ok(noted(
                task::write(ctx, tx, task::New { role, ..new }).await?,
            ))
        }
        Action::Unlock { feature } => {
            let new = task::New::of_rule(cause, task::UNLOCK, feature.clone(), id);
            Ok(noted(task::write(ctx, tx, new).await?))
        }
    }
}

fn noted(made: Option<StaffTaskId>) -> Applied {
    made.map_or(Applied::Already, |id| Applied::Done(id.to_string()))
}

struct Terms<'a> {
    to: Beneficiary,
    benefit: &'a NamedBenefit,
    once: bool,
    expires_after: Option<crate::kernel::Span>,
}

async fn grant(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    cause: &Cause,
    slot: u32,
    terms: Terms<'_>,
) -> Result<Applied> {
    let Some(invitee) = cause.invitee_id else {
        // A grant rests on a friend's link; an event without a friend has nobody to rest on.
        return Ok(Applied::Blocked(BlockedBy::Consent));
    };
    if let Some(blocked) = missing(consent::require::<ReferralLink>(ctx, tx, invitee, None).await)?
    {
        return Ok(blocked);
    }
    let recipient = recipient(cause, terms.to).unwrap_or(invitee);
    let cost = terms.benefit.benefit.cost_fen().unwrap_or_default();
    if !caps::admit_reward(ctx, tx, cause, (recipient, cost)).await? {
        return Ok(Applied::Blocked(BlockedBy::Cap));
    }
    if terms.once && had(tx, cause, (recipient, &terms.benefit.name)).await? {
        return Ok(Applied::Already);
    }
    let made = reward::give(
        ctx,
        tx,
        reward::Gift {
            account_id: recipient,
            cause: RewardCause::Rule,
            benefit: terms.benefit,
            expires_after: terms.expires_after,
            status: RewardStatus::Granted,
            reason: "规则发放".into(),
            referral_id: cause.referral_id,
            rule_id: Some(cause.rule_id.clone()),
            effect_id: cause.effect_id(recipient, slot),
        },
    )
    .await?;
    Ok(made.map_or(Applied::Already, |id| Applied::Done(id.to_string())))
}

/// Whether a person had a benefit from this rule before, wherever it stands among the rule's effects. What was taken back he did
/// not have. His counter is held, so that nobody gives it meanwhile.
async fn had(
    tx: &DatabaseTransaction,
    cause: &Cause,
    (recipient, benefit): (AccountId, &str),
) -> Result<bool> {
    let given = reward_table::Entity::find()
        .filter(reward_table::Column::AccountId.eq(recipient))
        .filter(reward_table::Column::RuleId.eq(&cause.rule_id))
        .filter(reward_table::Column::Benefit.eq(benefit))
        .filter(reward_table::Column::Status.ne(RewardStatus::Revoked));
    Ok(given.count(tx).await? > 0)
}

/// `Some(Blocked)` when a consent is missing; other faults go on.
pub(super) fn missing<T>(proof: Result<T>) -> Result<Option<Applied>> {
    match proof {
        Ok(_) => Ok(None),
        Err(AppError {
            code: Code::ConsentRequired,
            ..
        }) => Ok(Some(Applied::Blocked(BlockedBy::Consent))),
        Err(error) => Err(error),
    }
}

async fn tag_customer(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    cause: &Cause,
    tag: &str,
) -> Result<Applied> {
    let proof = consent::require::<ReferralProfiling>(ctx, tx, cause.customer_id, None).await;
    if let Some(blocked) = missing(proof)? {
        return Ok(blocked);
    }
    let row = customer_tag::ActiveModel {
        customer_id: Set(cause.customer_id),
        tag: Set(tag.to_owned()),
        rule_id: Set(cause.rule_id.clone()),
        referral_id: Set(cause.referral_id),
        created_at: Set(ctx.env.now()),
    };
    let made = customer_tag::Entity::insert(row)
        .on_conflict(
            OnConflict::columns([customer_tag::Column::CustomerId, customer_tag::Column::Tag])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok(if made == 1 {
        Applied::Done(tag.to_owned())
    } else {
        Applied::Already
    })
}
