//! The `decision` table: every decision with its reasons (PIPL-16, PIPL-39).

use crate::{
    kernel::Result,
    platform::{Ctx, Rows},
    rule::{BlockedBy, Decision, EventKind, Outcome},
};
use entity::{
    decision,
    ids::{AccountId, BookingId, DecisionId, EventId},
    values::DecisionOutcome,
};
use sea_orm::ActiveValue::Set;
use serde_json::json;

/// The engine's outcome as stored.
pub(super) fn stored(outcome: Outcome) -> DecisionOutcome {
    match outcome {
        Outcome::Fired => DecisionOutcome::Fired,
        Outcome::Not => DecisionOutcome::Not,
        Outcome::Unknown => DecisionOutcome::Unknown,
        Outcome::Held => DecisionOutcome::Held,
    }
}

pub(super) fn word(blocked: BlockedBy) -> String {
    serde_json::to_value(blocked)
        .ok()
        .and_then(|word| word.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// A decision about to be stored.
pub(super) struct New<'a> {
    pub(super) decision: &'a Decision,
    pub(super) booking: Option<BookingId>,
    pub(super) version: i32,
    pub(super) effects: Vec<String>,
}

/// Decisions about to be written; the same event, customer and rule are stored once.
pub(super) fn add(ctx: &Ctx, to: &mut Rows, all: &[New<'_>]) -> Result<()> {
    use decision::Column::{CustomerId, EventId as Event, RuleId};
    let rows = all.iter().map(|new| row(ctx, new));
    to.add(
        rows.collect::<Result<Vec<_>>>()?,
        &[Event, CustomerId, RuleId],
    )
}

fn row(ctx: &Ctx, new: &New<'_>) -> Result<decision::ActiveModel> {
    let one = new.decision;
    Ok(decision::ActiveModel {
        id: Set(ctx.env.id::<DecisionId>()),
        event_id: Set(EventId(one.event_id)),
        event_kind: Set(one.event.name().to_owned()),
        customer_id: Set(AccountId(one.customer_id)),
        booking_id: Set(new.booking),
        rule_id: Set(one.rule_id.clone()),
        rule_title: Set(one.title.clone()),
        ruleset_version: Set(new.version),
        outcome: Set(stored(one.outcome)),
        blocked_by: Set(one.blocked_by.map(word)),
        conditions: Set(serde_json::to_value(&one.conditions)?),
        effects: Set(json!({ "done": new.effects, "reason": one.reason })),
        created_at: Set(ctx.env.now()),
    })
}

/// Which events.
pub(super) enum Which {
    One(EventId),
    Kind(EventKind),
}
