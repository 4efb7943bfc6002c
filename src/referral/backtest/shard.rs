//! One thread's share of a back-test: events judged by both sides, differences counted.

use super::coverage::{Alike, Coverage};
use super::gift::{Change, Gift, Receiver, Turn, changes};
use super::limits::Wish;
use super::source::{Page, Row};
use crate::kernel::business_date;
use crate::rule::{
    Acting, Action, Binding, CompiledRuleSet, ConsentNeed, EventKind, Facts, Matcher, replay,
};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// Differences shown.
pub(super) const SAMPLE: usize = 20;

/// The two sets compared.
pub(super) struct Sides {
    pub(super) draft: CompiledRuleSet,
    pub(super) base: CompiledRuleSet,
}

/// What one rule did on either side.
#[derive(Clone, Debug, Default)]
pub(super) struct PerRule {
    pub(super) title: String,
    pub(super) events: u64,
    pub(super) events_before: u64,
    pub(super) unknown: u64,
    pub(super) unknown_before: u64,
    pub(super) fired: u64,
    pub(super) fired_before: u64,
    pub(super) gained: u64,
    pub(super) lost: u64,
    pub(super) lacked_consent: u64,
    pub(super) lacked_consent_before: u64,
}

/// A difference; ordered by event, so that threads agree on which are shown.
pub(super) struct Case {
    pub(super) event_id: Uuid,
    pub(super) alike: Alike,
    pub(super) customer_id: Uuid,
    pub(super) rule_id: String,
    pub(super) gained: bool,
    pub(super) receiver: Receiver,
    /// What is given, and in place of what, zh-CN.
    pub(super) what: String,
    pub(super) instead_of: Option<String>,
    /// Whether the draft gives it, or only the other set.
    pub(super) by_draft: bool,
    pub(super) at: DateTime<Utc>,
    pub(super) facts: Facts,
}

/// Counters of one thread.
pub(super) struct Shard {
    sides: Arc<Sides>,
    bindings: [BTreeMap<EventKind, Binding>; 2],
    pub(super) events: u64,
    pub(super) forgotten: u64,
    pub(super) unreadable: u64,
    /// Events outside the draft's period, and outside the other set's.
    pub(super) outside: [u64; 2],
    pub(super) invitations: u64,
    pub(super) cost_fen: i64,
    pub(super) cost_before_fen: i64,
    /// Grants of either side that are goods nobody wrote a worth of.
    pub(super) unpriced: u64,
    /// Tags and notices only one side has.
    pub(super) other_changes: u64,
    /// What either side would give, before limits, since somebody last took it from here.
    pub(super) wishes: [Vec<Wish>; 2],
    pub(super) coverage: Coverage,
    pub(super) rules: BTreeMap<String, PerRule>,
    pub(super) gainers: HashSet<Uuid>,
    pub(super) losers: HashSet<Uuid>,
    pub(super) sample: BTreeMap<(Uuid, Uuid, usize), Case>,
}

/// What a side did with one event.
#[derive(Default)]
struct Did<'a> {
    gifts: Vec<Gift<'a>>,
    invitations: u64,
    cost_fen: i64,
    unpriced: u64,
}

impl<'a> Did<'a> {
    fn add(&mut self, acting: &Acting<'a>) {
        if !acting.fires() {
            return;
        }
        for (_, effect) in acting.effects() {
            self.gifts.push(Gift::of(acting.rule_id(), effect));
            match effect {
                Action::Invite { .. } => self.invitations += 1,
                Action::Grant { benefit, .. } => {
                    let cost = benefit.benefit.cost_fen();
                    self.unpriced += u64::from(cost.is_none());
                    self.cost_fen = self.cost_fen.saturating_add(cost.unwrap_or_default());
                }
                Action::SuppressInvitations { .. }
                | Action::Tag { .. }
                | Action::NotifyStaff { .. }
                | Action::Unlock { .. } => {}
            }
        }
    }
}

impl Shard {
    pub(super) fn new(sides: Arc<Sides>) -> Self {
        let bound = |set: &CompiledRuleSet| {
            let kinds = EventKind::every();
            kinds
                .filter_map(|kind| Some((kind, set.matcher(kind).map(Matcher::binding)?)))
                .collect()
        };
        let bindings = sides.each().map(bound);
        Self {
            sides,
            bindings,
            events: 0,
            forgotten: 0,
            unreadable: 0,
            outside: [0; 2],
            invitations: 0,
            cost_fen: 0,
            cost_before_fen: 0,
            unpriced: 0,
            other_changes: 0,
            wishes: Default::default(),
            coverage: Coverage::default(),
            rules: BTreeMap::new(),
            gainers: HashSet::new(),
            losers: HashSet::new(),
            sample: BTreeMap::new(),
        }
    }

    /// Judges a page.
    pub(super) fn replay(&mut self, page: Page) {
        let Page { rows, shapes } = page;
        for row in rows {
            let facts = shapes.facts(row.shape_id, row.facts.as_deref());
            match (facts, EventKind::parse(&row.event_kind)) {
                (Ok(Some(facts)), Some(kind)) => self.case(&row, kind, &facts),
                (Ok(None), _) => self.forgotten += 1,
                (Err(_), _) | (_, None) => self.unreadable += 1,
            }
        }
    }

    fn case(&mut self, row: &Row, kind: EventKind, facts: &Facts) {
        self.events += 1;
        let alike = Alike {
            kind,
            shape_id: row.shape_id,
            version: row.ruleset_version,
            profiling: row.profiling,
            link: row.link,
        };
        let granted = |need: ConsentNeed| alike.holds(need);
        let sides = Arc::clone(&self.sides);
        self.coverage.note(&sides, alike, facts);
        let day = business_date(row.occurred_at);
        for (set, outside) in sides.each().into_iter().zip(&mut self.outside) {
            *outside += u64::from(!set.in_period(day));
        }
        let mut did: [Did<'_>; 2] = Default::default();
        let runs = sides
            .each()
            .into_iter()
            .zip(&mut self.bindings)
            .zip(did.iter_mut().zip(&mut self.wishes));
        for (before, ((set, bindings), (did, wishes))) in [false, true].into_iter().zip(runs) {
            let Some(binding) = bindings.get_mut(&kind) else {
                continue;
            };
            let rules = &mut self.rules;
            let each = &mut |acting: &Acting<'_>| count(rules, acting, before);
            let case = (kind, facts, row.occurred_at);
            let mut both = |acting: &Acting<'_>| each(acting);
            replay(set, case, (&granted, binding), &mut |acting| {
                both(acting);
                did.add(acting);
                if acting.fires() {
                    Wish::of(row, acting, wishes);
                }
            });
        }
        let [mut draft, mut base] = did;
        self.invitations += draft.invitations;
        self.unpriced += draft.unpriced + base.unpriced;
        self.cost_fen = self.cost_fen.saturating_add(draft.cost_fen);
        self.cost_before_fen = self.cost_before_fen.saturating_add(base.cost_fen);
        let found = changes(&mut draft.gifts, &mut base.gifts);
        for (place, change) in found.iter().enumerate() {
            self.difference((row, alike, facts), (place, change));
        }
    }

    fn difference(
        &mut self,
        (row, alike, facts): (&Row, Alike, &Facts),
        (place, change): (usize, &Change<'_>),
    ) {
        let gift = &change.gift;
        let person = match gift.to {
            Receiver::Customer => Some(row.customer_id),
            Receiver::Friend => row.friend_id,
        };
        let counts = self.rules.entry(gift.rule.to_owned()).or_default();
        let gained = match change.turn {
            Turn::Gained => {
                counts.gained += 1;
                self.gainers.extend(person);
                true
            }
            Turn::Lost => {
                counts.lost += 1;
                self.losers.extend(person);
                false
            }
            Turn::Neither => {
                self.other_changes += 1;
                return;
            }
        };
        let key = (row.event_id, row.customer_id, place);
        let last = self.sample.last_key_value();
        if self.sample.len() == SAMPLE && last.is_some_and(|(last, _)| *last < key) {
            return;
        }
        let case = Case {
            event_id: row.event_id,
            alike,
            customer_id: row.customer_id,
            rule_id: gift.rule.to_owned(),
            gained,
            receiver: gift.to,
            what: gift.words(),
            instead_of: change.instead_of.as_ref().map(Gift::words),
            by_draft: change.by_draft,
            at: row.occurred_at,
            facts: facts.clone(),
        };
        self.sample.insert(key, case);
        if self.sample.len() > SAMPLE {
            self.sample.pop_last();
        }
    }
}

fn count(rules: &mut BTreeMap<String, PerRule>, acting: &Acting<'_>, before: bool) {
    let counts = match rules.get_mut(acting.rule_id()) {
        Some(counts) => counts,
        None => rules.entry(acting.rule_id().to_owned()).or_default(),
    };
    if counts.title.is_empty() || !before {
        acting.title().clone_into(&mut counts.title);
    }
    match (before, acting.fires()) {
        (false, true) => counts.fired += 1,
        (true, true) => counts.fired_before += 1,
        (false, false) => counts.lacked_consent += u64::from(acting.lacks_consent()),
        (true, false) => counts.lacked_consent_before += u64::from(acting.lacks_consent()),
    }
}
