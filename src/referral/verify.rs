//! Whether what was decided can be shown again: recorded events through the version of their time, compared with what is stored.
//! The burden of proof is ours (PIPL-39).

use super::{
    decision::{stored, word},
    edition::edition,
    evaluation::{self, Shapes},
    live::aside,
    recall::{event, stood},
};
use crate::{
    kernel::{Cursor, Result},
    rule::{self, ConsentNeed, Decision, Outcome},
};
use entity::{
    decision, evaluation as table,
    ids::{AccountId, EventId},
    values::DecisionOutcome,
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use serde::Serialize;

/// What verifying one page found.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub(super) struct VerifyOut {
    /// Recorded events looked at.
    events: u64,
    /// Stored decisions compared.
    decisions: u64,
    /// Events whose facts are forgotten: nothing to compare with.
    forgotten: u64,
    /// Events of a kind or a version this program cannot judge any more: not compared.
    unreadable: u64,
    /// Whether everything compared is the same, bit for bit.
    ok: bool,
    /// What is not.
    differing: Vec<DifferingOut>,
    /// For the next page.
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct DifferingOut {
    event_id: EventId,
    customer_id: AccountId,
    rule_id: String,
    /// `outcome`, `conditions`, `missing` (made again but not stored) or `unknown_rule` (stored but not made again).
    what: &'static str,
}

/// Verifies the newest events before a cursor.
///
/// # Errors
/// `not_found` when a version is gone; a database fault.
pub(super) async fn page(db: &impl ConnectionTrait, cursor: Cursor) -> Result<VerifyOut> {
    let rows = evaluation::page(db, cursor, &[]).await?;
    let page = cursor.page(rows, |row| row.id.0, |row| row);
    let events: Vec<_> = page.items.iter().map(|row| row.event_id).collect();
    let decisions = decision::Entity::find()
        .filter(decision::Column::EventId.is_in(events))
        .all(db)
        .await?;
    let mut shapes = Shapes::default();
    shapes
        .learn(db, page.items.iter().map(|row| row.shape_id))
        .await?;
    let mut out = VerifyOut {
        next_cursor: page.next_cursor,
        ..VerifyOut::default()
    };
    for row in &page.items {
        out.events += 1;
        let mine = |one: &&decision::Model| {
            one.event_id == row.event_id && one.customer_id == row.customer_id
        };
        let mine: Vec<_> = decisions.iter().filter(mine).collect();
        let Some(facts) = shapes.facts(row.shape_id, row.facts.as_deref())? else {
            out.forgotten += 1;
            continue;
        };
        let set = edition(db, row.ruleset_version).await?;
        let (Some(event), Some(set)) = (event(row), set) else {
            out.unreadable += 1;
            continue;
        };
        let (profiling, link, at) = (row.profiling, row.link, row.occurred_at);
        // Every rule with all its words: not on a thread that serves others.
        let again = aside(move || {
            let granted = |need: ConsentNeed| stood((profiling, link), need);
            rule::evaluate_with(&set.rules, &event, &facts, at, &granted)
        });
        out.compare(row, &mine, &again.await?)?;
    }
    out.ok = out.differing.is_empty();
    Ok(out)
}

impl VerifyOut {
    fn compare(
        &mut self,
        row: &table::Model,
        stored: &[&decision::Model],
        again: &[Decision],
    ) -> Result<()> {
        for one in stored {
            self.decisions += 1;
            match again.iter().find(|made| made.rule_id == one.rule_id) {
                None => self.differs(row, &one.rule_id, "unknown_rule"),
                Some(made) if !same_outcome(one, made) => {
                    self.differs(row, &one.rule_id, "outcome");
                }
                Some(made) if serde_json::to_value(&made.conditions)? != one.conditions => {
                    self.differs(row, &one.rule_id, "conditions");
                }
                Some(_) => {}
            }
        }
        let fired = again.iter().filter(|made| made.outcome == Outcome::Fired);
        for made in fired {
            if stored.iter().all(|one| one.rule_id != made.rule_id) {
                self.differs(row, &made.rule_id, "missing");
            }
        }
        Ok(())
    }

    fn differs(&mut self, row: &table::Model, rule: &str, what: &'static str) {
        self.differing.push(DifferingOut {
            event_id: row.event_id,
            customer_id: row.customer_id,
            rule_id: rule.to_owned(),
            what,
        });
    }
}

/// Whether the engine's outcome is the stored one. What fired may have been held afterwards, by a limit, a suppression or the
/// friend's refund: that depends on the moment and not on the facts.
fn same_outcome(one: &decision::Model, made: &Decision) -> bool {
    if stored(made.outcome) == one.outcome && made.blocked_by.map(word) == one.blocked_by {
        return true;
    }
    made.outcome == Outcome::Fired
        && match one.outcome {
            DecisionOutcome::Held => one.blocked_by.is_some(),
            DecisionOutcome::Not => one.effects.get("reason").is_some_and(|why| !why.is_null()),
            DecisionOutcome::Fired | DecisionOutcome::Unknown => false,
        }
}
