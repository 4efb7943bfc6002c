//! Limits of one person, kept as the replay goes: a rule's caps per customer, what comes once, the rest between two invitations
//! and the most of a quarter. A thread has all events of its people in order, so it needs to ask nobody.
//!
//! They begin empty at the start of the span. Limits of a whole rule and budgets are everybody's together and are not kept.

use super::{gift::Receiver, source::Row};
use crate::{
    benefit::{FATIGUE, QUARTER},
    rule::{Acting, Action, Cap},
};
use chrono::{DateTime, Duration, Utc};
use serde::Serialize;
use std::collections::{HashMap, HashSet, VecDeque};
use uuid::Uuid;

/// What is left of what rules give within the limits of each person. They are counted from the start of the span: what a person
/// had before is not known here.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub(super) struct WithinLimitsOut {
    /// Invitations under the draft.
    invitations: u64,
    /// Invitations under the other set.
    invitations_before: u64,
    /// Benefits of rules under the draft, in number.
    grants: u64,
    /// Benefits of rules under the other set.
    grants_before: u64,
    /// What they cost at most under the draft, fen; without welcomes and thanks.
    grants_fen: i64,
    /// What they cost at most under the other set, fen.
    grants_before_fen: i64,
    /// Invitations and benefits of the draft a limit of the person kept back.
    held: u64,
    /// Those of the other set.
    held_before: u64,
}

/// What one side gave, and what it kept back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kept {
    invitations: u64,
    grants: u64,
    cost_fen: i64,
    held: u64,
}

impl Kept {
    pub(super) fn add(&mut self, other: Self) {
        self.invitations += other.invitations;
        self.grants += other.grants;
        self.cost_fen = self.cost_fen.saturating_add(other.cost_fen);
        self.held += other.held;
    }
}

impl From<[Kept; 2]> for WithinLimitsOut {
    fn from([draft, base]: [Kept; 2]) -> Self {
        Self {
            invitations: draft.invitations,
            invitations_before: base.invitations,
            grants: draft.grants,
            grants_before: base.grants,
            grants_fen: draft.cost_fen,
            grants_before_fen: base.cost_fen,
            held: draft.held,
            held_before: base.held,
        }
    }
}

/// Times of what a person was given, the oldest first, as far back as any limit looks.
type Times = VecDeque<DateTime<Utc>>;

/// What the people of a thread were given by one side so far.
#[derive(Debug)]
pub(super) struct Limits {
    /// Most invitations of a person in a quarter.
    per_quarter: u64,
    /// By person: every invitation.
    asked: HashMap<Uuid, Times>,
    /// By rule, as the document places it, and person, where the rule has a cap per customer.
    by_rule: HashMap<(usize, Uuid), Times>,
    /// By rule, effect and person: what comes once and came.
    once: HashSet<(usize, usize, Uuid)>,
    pub(super) kept: Kept,
}

impl Limits {
    pub(super) fn new(per_quarter: u64) -> Self {
        Self {
            per_quarter,
            asked: HashMap::new(),
            by_rule: HashMap::new(),
            once: HashSet::new(),
            kept: Kept::default(),
        }
    }

    /// Gives what a rule that fires gives, as far as the person's limits leave it.
    pub(super) fn give(&mut self, row: &Row, acting: &Acting<'_>) {
        let caps = &acting.caps().per_customer;
        for (slot, effect) in acting.effects() {
            let person = match effect {
                Action::Invite { .. } => Some(row.customer_id),
                Action::Grant { to, .. } => match Receiver::from(*to) {
                    Receiver::Customer => Some(row.customer_id),
                    Receiver::Friend => row.friend_id,
                },
                _ => None,
            };
            let Some(person) = person else {
                continue;
            };
            let place = (acting.place(), person);
            let passes = self.leaves(place, caps, row.occurred_at)
                && match effect {
                    Action::Grant { once: true, .. } => {
                        self.once.insert((acting.place(), slot, person))
                    }
                    Action::Invite { .. } => self.may_ask(person, row.occurred_at),
                    _ => true,
                };
            if !passes {
                self.kept.held += 1;
                continue;
            }
            if !caps.is_empty() {
                let times = self.by_rule.entry(place).or_default();
                times.push_back(row.occurred_at);
            }
            match effect {
                Action::Grant { benefit, .. } => {
                    let cost = benefit.benefit.cost_fen().unwrap_or_default();
                    self.kept.grants += 1;
                    self.kept.cost_fen = self.kept.cost_fen.saturating_add(cost);
                }
                _ => self.kept.invitations += 1,
            }
        }
    }

    /// Whether a rule's caps leave one more for a person.
    fn leaves(&mut self, place: (usize, Uuid), caps: &[Cap], now: DateTime<Utc>) -> bool {
        let Some(times) = self.by_rule.get_mut(&place) else {
            return caps.iter().all(|cap| cap.times > 0);
        };
        let longest = caps.iter().map(|cap| cap.per.get()).max();
        forget(times, longest.unwrap_or_default(), now);
        caps.iter()
            .all(|cap| newer(times, cap.per.get(), now) < u64::from(cap.times))
    }

    /// Whether a person may be asked again; counts it if so.
    fn may_ask(&mut self, person: Uuid, now: DateTime<Utc>) -> bool {
        let times = self.asked.entry(person).or_default();
        forget(times, QUARTER, now);
        let may = newer(times, FATIGUE, now) == 0 && newer(times, QUARTER, now) < self.per_quarter;
        if may {
            times.push_back(now);
        }
        may
    }
}

/// Lets go of what is older than any limit looks.
fn forget(times: &mut Times, span: Duration, now: DateTime<Utc>) {
    while times.front().is_some_and(|at| now - *at >= span) {
        times.pop_front();
    }
}

/// How many are younger than a span.
fn newer(times: &Times, span: Duration, now: DateTime<Utc>) -> u64 {
    let young = times.iter().filter(|at| now - **at < span);
    u64::try_from(young.count()).unwrap_or(u64::MAX)
}
