//! "Why (not) yet": the last decisions about a person, in plain words.

use super::{
    decision,
    evaluation::Of,
    recall::{self, Recalled},
};
use crate::{
    kernel::{Cursor, Result},
    platform::Ctx,
    rule::{self, BlockedBy, ConditionResult, Decision, EventKind, Facts, Outcome},
};
use chrono::{DateTime, Utc};
use entity::{decision as table, ids::AccountId, values::DecisionOutcome};
use serde::Serialize;

/// Decisions looked back at.
const LOOK_BACK: u64 = 20;

/// One decision, explained.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct WhyOut {
    rule_id: String,
    title: String,
    outcome: DecisionOutcome,
    blocked_by: Option<String>,
    decided_at: DateTime<Utc>,
    /// One per unmet or unknown condition, or why it was held.
    sentences: Vec<String>,
    /// The least that would have to change.
    smallest_change: Option<String>,
}

/// Most rules told of.
const MOST: usize = 50;

/// The newest decision of each rule about this person: what was stored, and what is made again from what was known then.
pub(super) async fn of_customer(ctx: &Ctx, customer: AccountId) -> Result<Vec<WhyOut>> {
    let cursor = Cursor {
        before: None,
        limit: LOOK_BACK,
    };
    let mut told: Vec<WhyOut> = Vec::new();
    let mut tell = |one: WhyOut| {
        if told.len() < MOST && told.iter().all(|known| known.rule_id != one.rule_id) {
            told.push(one);
        }
    };
    for recalled in recall::page(ctx.db.read(), cursor, &[Of::Customer(customer)]).await? {
        for row in &recalled.stored {
            tell(explain(row, &recalled.facts));
        }
        for one in &recalled.others {
            tell(again(one, &recalled));
        }
    }
    Ok(told)
}

/// Lets the engine explain a decision made again.
fn again(one: &Decision, recalled: &Recalled) -> WhyOut {
    let why = rule::why(one, &recalled.facts);
    let mut sentences = why.sentences;
    if one.reason.is_none() {
        sentences.extend(one.blocked_by.map(blocked).map(str::to_owned));
    }
    WhyOut {
        rule_id: why.rule_id,
        title: why.title,
        outcome: recall::outcome(one),
        blocked_by: one.blocked_by.map(decision::word),
        decided_at: recalled.row.created_at,
        sentences,
        smallest_change: why.smallest_change,
    }
}

/// Rebuilds the engine's decision from its row and lets the engine explain it.
fn explain(row: &table::Model, facts: &Facts) -> WhyOut {
    let conditions: Vec<ConditionResult> =
        serde_json::from_value(row.conditions.clone()).unwrap_or_default();
    let reason = row
        .effects
        .get("reason")
        .and_then(serde_json::Value::as_str)
        .map(str::to_owned);
    let reasoned = reason.is_some();
    let decided = Decision {
        event_id: row.event_id.0,
        event: EventKind::parse(&row.event_kind).unwrap_or(EventKind::RatingSubmitted),
        customer_id: row.customer_id.0,
        rule_id: row.rule_id.clone(),
        title: row.rule_title.clone(),
        outcome: match row.outcome {
            DecisionOutcome::Fired => Outcome::Fired,
            DecisionOutcome::Not => Outcome::Not,
            DecisionOutcome::Unknown => Outcome::Unknown,
            DecisionOutcome::Held => Outcome::Held,
        },
        blocked_by: None,
        reason,
        conditions,
        effects: Vec::new(),
        purposes: Vec::new(),
        caps: rule::Caps::default(),
    };
    let why = rule::why(&decided, facts);
    let mut sentences = why.sentences;
    // A reason recorded with the decision says it better than the bare word.
    if !reasoned {
        sentences.extend(row.blocked_by.as_deref().and_then(held).map(str::to_owned));
    }
    WhyOut {
        rule_id: why.rule_id,
        title: why.title,
        outcome: row.outcome,
        blocked_by: row.blocked_by.clone(),
        decided_at: row.created_at,
        sentences,
        smallest_change: why.smallest_change,
    }
}

/// What stood in the way, in words.
fn held(blocked_by: &str) -> Option<&'static str> {
    let by = serde_json::from_value(serde_json::Value::String(blocked_by.to_owned())).ok()?;
    Some(blocked(by))
}

const fn blocked(by: BlockedBy) -> &'static str {
    match by {
        BlockedBy::Consent => "没有所需的单独同意,所以没有读取资料,也没有作出判断。",
        BlockedBy::Cap => "这段时间的次数或预算已到上限。",
        BlockedBy::QuietHours => "现在是静默时段。",
        BlockedBy::Fatigue => "最近刚邀请过您,先不打扰。",
        BlockedBy::Suppression => "目前暂停邀约,已得的权益不受影响。",
        BlockedBy::Fraud => "正在人工复核。",
    }
}
