//! Making the decisions of a recorded event again: the rules that did not fire are not stored, and this is how they tell why.

use super::{
    decision::stored,
    edition::edition,
    evaluation::{self, Of, Shapes},
    live::{LiveSet, aside},
};
use crate::{
    kernel::{Cursor, Result},
    rule::{self, CompiledRuleSet, ConsentNeed, Decision, Event, EventKind, Facts, Outcome, Whose},
};
use entity::{decision, evaluation as table, values::DecisionOutcome};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use std::{collections::HashSet, sync::Arc};

/// Most decisions that did not fire told of one event, the nearest misses first.
const MOST: usize = 50;

/// A recorded event with all that is to be said about it.
pub(super) struct Recalled {
    pub(super) row: table::Model,
    /// Stored: fired, held and sampled ones.
    pub(super) stored: Vec<decision::Model>,
    /// Made again: the others.
    pub(super) others: Vec<Decision>,
    /// What was known, unless forgotten.
    pub(super) facts: Facts,
}

/// The newest recorded events with their decisions.
pub(super) async fn page(
    db: &impl ConnectionTrait,
    cursor: Cursor,
    filters: &[Of],
) -> Result<Vec<Recalled>> {
    let rows = evaluation::page(db, cursor, filters).await?;
    let events: Vec<_> = rows.iter().map(|row| row.event_id).collect();
    let stored = decision::Entity::find()
        .filter(decision::Column::EventId.is_in(events))
        .all(db)
        .await?;
    let mut shapes = Shapes::default();
    shapes
        .learn(db, rows.iter().map(|row| row.shape_id))
        .await?;
    let mut known = Vec::with_capacity(rows.len());
    for row in rows {
        let mine = |one: &&decision::Model| {
            one.event_id == row.event_id && one.customer_id == row.customer_id
        };
        let stored: Vec<_> = stored.iter().filter(mine).cloned().collect();
        let facts = shapes.facts(row.shape_id, row.facts.as_deref())?;
        let set = match &facts {
            Some(_) => edition(db, row.ruleset_version).await?,
            None => None,
        };
        known.push((row, stored, facts, set));
    }
    // Every rule of every event with all its words: many rules over a page of events are seconds.
    aside(move || known.into_iter().map(recalled).collect()).await
}

type Known = (
    table::Model,
    Vec<decision::Model>,
    Option<Facts>,
    Option<Arc<LiveSet>>,
);

fn recalled((row, stored, facts, set): Known) -> Recalled {
    let facts = facts.unwrap_or_default();
    let others = set.map_or_else(Vec::new, |set| others(&set.rules, &row, &facts, &stored));
    Recalled {
        row,
        stored,
        others,
        facts,
    }
}

/// The event of a row; `None` for a kind this version does not know.
pub(super) fn event(row: &table::Model) -> Option<Event> {
    Some(Event {
        id: row.event_id.0,
        kind: EventKind::parse(&row.event_kind)?,
        customer_id: row.customer_id.0,
    })
}

/// Whether a consent stood then.
pub(super) fn stood((profiling, link): (bool, bool), need: ConsentNeed) -> bool {
    match (need.purpose, need.of) {
        ("referral_profiling", Whose::Customer) => profiling,
        ("referral_link", Whose::Invitee) => link,
        _ => false,
    }
}

fn others(
    set: &CompiledRuleSet,
    row: &table::Model,
    facts: &Facts,
    stored: &[decision::Model],
) -> Vec<Decision> {
    let Some(event) = event(row) else {
        return Vec::new();
    };
    let told: HashSet<&str> = stored.iter().map(|one| one.rule_id.as_str()).collect();
    let granted = |need: ConsentNeed| stood((row.profiling, row.link), need);
    let mut all = rule::evaluate_with(set, &event, facts, row.occurred_at, &granted);
    all.retain(|one| !told.contains(one.rule_id.as_str()));
    all.sort_by_key(|one| one.conditions.iter().filter(|test| test.decisive).count());
    all.truncate(MOST);
    all
}

/// How a decision made again is shown.
pub(super) fn outcome(one: &Decision) -> DecisionOutcome {
    // What fired then is stored; a rule that is not cannot have acted.
    match one.outcome {
        Outcome::Fired => DecisionOutcome::Not,
        other => stored(other),
    }
}
