//! What rules and the programme have given, and what they have promised and may still have to give (REF-08).
//!
//! Two questions with two answers. A *promise* (an invitation, a welcome) counts everything that is promised already: the
//! thanks of friends who have come and not ordered yet, and, for a rule, a welcome and a thanks for each invitation nobody
//! has used. What is *given* counts only what was given, so a later promise never takes an earlier one's money.

use super::caps::{self, QUARTER};
use crate::{
    kernel::{Result, day_bounds},
    platform::{Ctx, statement},
    rule::{CompiledRuleSet, NamedBenefit, PolicyPack},
};
use chrono::{DateTime, Utc};
use entity::{invitation, values::InvitationStatus};
use sea_orm::{ConnectionTrait, Value};

/// Rewards of the programme given since its period began. What was revoked is money back; what is held is not given, and given
/// when somebody releases it.
const PROGRAMME_GIVEN: &str = "SELECT CAST(COALESCE(SUM(cost_fen), 0) AS BIGINT) AS amount FROM reward \
    WHERE cause IN ('welcome', 'thanks') AND status NOT IN ('revoked', 'held') AND granted_at >= ?";
/// Friends whose order is still awaited ([`awaited_since`]): each may bring his inviter a thanks.
const PROGRAMME_AWAITED: &str =
    "SELECT COUNT(*) AS amount FROM referral WHERE status = 'registered' AND created_at >= ?";
/// What a rule gave itself since the set's period began, and what friends who came through its invitations brought.
const RULE_GIVEN: &str = "SELECT CAST(COALESCE(SUM(cost_fen), 0) AS BIGINT) AS amount FROM reward \
    WHERE status NOT IN ('revoked', 'held') AND granted_at >= ? AND (rule_id = ? OR (cause IN ('welcome', 'thanks') AND referral_id IN \
    (SELECT r.id FROM referral r JOIN invitation i ON i.id = r.invitation_id WHERE i.rule_id = ?)))";
const RULE_AWAITED: &str = "SELECT COUNT(*) AS amount FROM referral r JOIN invitation i ON i.id = r.invitation_id \
    WHERE i.rule_id = ? AND r.status = 'registered' AND r.created_at >= ?";
/// Of whatever period: who comes through it, comes in this one.
const RULE_OPEN: &str = "SELECT COUNT(*) AS amount FROM invitation WHERE rule_id = ? \
    AND status IN ('scheduled', 'sent', 'opened') AND (expires_at IS NULL OR expires_at > ?)";

async fn amount(db: &impl ConnectionTrait, sql: &str, values: Vec<Value>) -> Result<i64> {
    let row = db
        .query_one_raw(statement(db.get_database_backend(), sql, values))
        .await?;
    Ok(row
        .map(|row| row.try_get("", "amount"))
        .transpose()?
        .unwrap_or_default())
}

fn cost(gift: Option<&NamedBenefit>) -> i64 {
    gift.and_then(|gift| gift.benefit.cost_fen())
        .unwrap_or_default()
        .max(0)
}

/// Since when money counts, the programme's and every rule's: a budget is for the set's life, and a rule that comes back under
/// its old name in the next period begins anew.
pub fn money_since(set: &CompiledRuleSet) -> DateTime<Utc> {
    set.from
        .map_or(DateTime::<Utc>::UNIX_EPOCH, |day| day_bounds(day).0)
}

/// Since when friends who came are still expected to order: a quarter. Who came earlier and has not ordered reserves nothing any
/// more; should he order after all, his inviter's thanks is given, or waits for the staff where the budget is used up.
fn awaited_since(ctx: &Ctx) -> DateTime<Utc> {
    caps::since(ctx.env.now(), QUARTER)
}

fn programme_budget(set: &CompiledRuleSet) -> Option<i64> {
    PolicyPack::shipped().programme_caps(&set.caps).budget_fen
}

async fn programme_given(db: &impl ConnectionTrait, set: &CompiledRuleSet) -> Result<i64> {
    amount(db, PROGRAMME_GIVEN, vec![money_since(set).into()]).await
}

async fn programme_promised(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    set: &CompiledRuleSet,
) -> Result<i64> {
    let awaited = amount(db, PROGRAMME_AWAITED, vec![awaited_since(ctx).into()]).await?;
    let thanks = awaited.saturating_mul(cost(set.inviter_thanks.as_ref()));
    Ok(programme_given(db, set).await?.saturating_add(thanks))
}

/// What a rule has given since a moment, fen.
pub(super) async fn rule_given(
    db: &impl ConnectionTrait,
    rule: &str,
    since: DateTime<Utc>,
) -> Result<i64> {
    amount(db, RULE_GIVEN, vec![since.into(), rule.into(), rule.into()]).await
}

/// What limits the next invitation of a rule.
pub(super) struct OfRule {
    /// What it has promised so far, fen.
    pub(super) promised: i64,
    /// What one more of its invitations reserves, fen: its friend's welcome and thanks.
    pub(super) one: i64,
    /// Whom it has asked since each of the moments.
    pub(super) since: Vec<u64>,
}

/// What a rule has asked of people since a moment and nobody took back.
const RULE_ASKED: &str = "SELECT COUNT(*) AS amount FROM invitation WHERE rule_id = ? AND created_at > ? \
    AND source = 'rule' AND status NOT IN ('recalled', 'suppressed')";

/// What a rule has given, whose thanks it awaits, which of its invitations nobody has used, and whom it has asked since each of
/// these moments: in one statement, because it is asked while others wait for the rule's counter. Without `budget` nothing is
/// summed up.
pub(super) async fn of_invitations(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    (set, rule): (&CompiledRuleSet, &str),
    (budget, since): (bool, &[DateTime<Utc>]),
) -> Result<OfRule> {
    let mut amounts = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    if budget {
        amounts.push(format!("({RULE_GIVEN}) AS given"));
        amounts.push(format!("({RULE_AWAITED}) AS awaited"));
        amounts.push(format!("({RULE_OPEN}) AS unused"));
        let begun = money_since(set);
        values.extend([begun.into(), rule.into(), rule.into()]);
        values.extend([rule.into(), awaited_since(ctx).into()]);
        values.extend([rule.into(), ctx.env.now().into()]);
    }
    for (place, moment) in since.iter().enumerate() {
        amounts.push(format!("({RULE_ASKED}) AS asked_{place}"));
        values.extend([rule.into(), (*moment).into()]);
    }
    let sql = format!("SELECT {}", amounts.join(", "));
    let row = db
        .query_one_raw(statement(db.get_database_backend(), &sql, values))
        .await?;
    let amount = |name: &str| -> Result<i64> {
        let found = row.as_ref().map(|row| row.try_get("", name)).transpose()?;
        Ok(found.unwrap_or_default())
    };
    let (given, awaited, unused) = if budget {
        (amount("given")?, amount("awaited")?, amount("unused")?)
    } else {
        (0, 0, 0)
    };
    let asked = (0..since.len()).map(|place| Ok(amount(&format!("asked_{place}"))?.unsigned_abs()));
    Ok(OfRule {
        promised: given
            .saturating_add(awaited.saturating_mul(cost(set.inviter_thanks.as_ref())))
            .saturating_add(unused.saturating_mul(set.one_friend())),
        one: set.one_friend(),
        since: asked.collect::<Result<_>>()?,
    })
}

/// A welcome about to be promised or given.
pub(super) struct Welcome<'a> {
    pub(super) invitation: &'a invitation::Model,
    pub(super) gift: &'a NamedBenefit,
    /// Whether the friend's link is written already; his thanks and the used invitation are counted then.
    pub(super) linked: bool,
}

/// Whether the programme, and the rule that invited, can pay for a welcome and the thanks behind it.
pub(super) async fn fits_welcome(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    set: &CompiledRuleSet,
    welcome: Welcome<'_>,
) -> Result<bool> {
    let price = if welcome.linked {
        cost(Some(welcome.gift))
    } else {
        cost(Some(welcome.gift)).saturating_add(cost(set.inviter_thanks.as_ref()))
    };
    if let Some(budget) = programme_budget(set)
        && programme_promised(ctx, db, set)
            .await?
            .saturating_add(price)
            > budget
    {
        return Ok(false);
    }
    let Some((rule, budget)) = rule_budget(set, welcome.invitation.rule_id.as_deref()) else {
        return Ok(true);
    };
    let reserved = match welcome.invitation.status {
        InvitationStatus::Scheduled | InvitationStatus::Sent | InvitationStatus::Opened
            if !welcome.linked =>
        {
            set.one_friend()
        }
        _ => 0,
    };
    let promised = of_invitations(ctx, db, (set, rule), (true, &[]))
        .await?
        .promised;
    Ok(promised.saturating_sub(reserved).saturating_add(price) <= budget)
}

/// Whether the programme, and the rule that invited, can pay for the thanks they promised.
pub(super) async fn fits_thanks(
    db: &impl ConnectionTrait,
    set: &CompiledRuleSet,
    thanks: &NamedBenefit,
    rule: Option<&str>,
) -> Result<bool> {
    let price = cost(Some(thanks));
    if let Some(budget) = programme_budget(set)
        && programme_given(db, set).await?.saturating_add(price) > budget
    {
        return Ok(false);
    }
    let Some((rule, budget)) = rule_budget(set, rule) else {
        return Ok(true);
    };
    let given = rule_given(db, rule, money_since(set)).await?;
    Ok(given.saturating_add(price) <= budget)
}

fn rule_budget<'a>(set: &CompiledRuleSet, rule: Option<&'a str>) -> Option<(&'a str, i64)> {
    let rule = rule?;
    Some((rule, set.caps_of(rule)?.budget_fen?))
}
