//! The `decision` table: every decision with its reasons (PIPL-16, PIPL-39).

use crate::{
    kernel::Result,
    platform::Ctx,
    rule::{BlockedBy, Decision, EventKind, Outcome},
};
use entity::{
    decision,
    ids::{AccountId, BookingId, DecisionId, EventId},
    values::DecisionOutcome,
};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, EntityTrait, sea_query::OnConflict};
use serde_json::json;

/// Rows a statement writes; SQLite takes 32,766 parameters.
const AT_ONCE: usize = 1_000;

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

/// Stores them; the same event, customer and rule are stored once.
pub(super) async fn record_all(ctx: &Ctx, tx: &DatabaseTransaction, all: &[New<'_>]) -> Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    for some in all.chunks(AT_ONCE) {
        let rows = some.iter().map(|new| row(ctx, new));
        decision::Entity::insert_many(rows.collect::<Result<Vec<_>>>()?)
            .on_conflict(
                OnConflict::columns([
                    decision::Column::EventId,
                    decision::Column::CustomerId,
                    decision::Column::RuleId,
                ])
                .do_nothing()
                .to_owned(),
            )
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
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
