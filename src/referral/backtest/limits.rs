//! Limits, kept as the replay goes: a rule's caps per customer and for the whole rule, its budget, what comes once, pauses, the
//! rest between two invitations and the most of a quarter. They are everybody's together, so one thread keeps them, over what
//! the others found to be given, in the order it happened and in the order in which the engine asks.
//!
//! They begin empty at the start of the span. Whether a friend comes of an invitation nobody can replay: it holds the money of
//! one friend against the rule's budget as an unused one does, for as long as it lives, counted from its event and not from when
//! it would have been sent. What the engine takes back afterwards (invitations before they are sent, when a pause, a complaint, a
//! withdrawal or a refund comes; rewards after a refund) stays given here.

use super::{gift::Receiver, shard::Sides, source::Row};
use crate::{
    benefit::{FATIGUE, QUARTER, UNUSED_AFTER},
    kernel::Span,
    rule::{Acting, Action, Cap, Caps, CompiledRuleSet, limited},
};
use chrono::{DateTime, Duration, Utc};
use serde::Serialize;
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet, VecDeque},
};
use uuid::Uuid;

/// What is left of what rules give within their limits and those of each person. They are counted from the start of the span:
/// what was given before is not known here.
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
    /// Invitations and benefits of the draft a limit kept back.
    held: u64,
    /// Those of the other set.
    held_before: u64,
    /// What kept them back.
    held_by: HeldOut,
    /// The same for the other set.
    held_by_before: HeldOut,
}

/// Invitations and benefits kept back, by the limit that did; the first in the engine's order, where several would have.
#[derive(Clone, Copy, Debug, Default, Serialize, utoipa::ToSchema)]
pub(super) struct HeldOut {
    /// A rule had paused invitations to the person.
    suppression: u64,
    /// The person was asked a short time before.
    fatigue: u64,
    /// The person was asked as often as may be in a quarter.
    per_quarter: u64,
    /// The rule's cap per person.
    per_customer: u64,
    /// The rule's cap for everybody together.
    per_rule: u64,
    /// The rule's budget.
    budget: u64,
    /// The person had the benefit from the rule already, and it is given once.
    once: u64,
}

/// Which limit.
#[derive(Clone, Copy)]
enum By {
    Suppression,
    Fatigue,
    PerQuarter,
    PerCustomer,
    PerRule,
    Budget,
    Once,
}

impl HeldOut {
    fn count(&mut self, by: By) {
        *match by {
            By::Suppression => &mut self.suppression,
            By::Fatigue => &mut self.fatigue,
            By::PerQuarter => &mut self.per_quarter,
            By::PerCustomer => &mut self.per_customer,
            By::PerRule => &mut self.per_rule,
            By::Budget => &mut self.budget,
            By::Once => &mut self.once,
        } += 1;
    }

    fn total(&self) -> u64 {
        let of_the_person =
            self.suppression + self.fatigue + self.per_quarter + self.per_customer + self.once;
        of_the_person + self.per_rule + self.budget
    }
}

/// Something a rule that fires gives one person, before limits.
pub(super) struct Wish {
    /// Its record, by which they are ordered.
    record: (DateTime<Utc>, Uuid),
    person: Uuid,
    /// The rule, by its place in the document, and the effect, by its place in the rule.
    effect: (usize, usize),
}

impl Wish {
    /// What a rule gives for a record; tags and notices have no limits.
    pub(super) fn of(row: &Row, acting: &Acting<'_>, to: &mut Vec<Self>) {
        for (slot, effect) in acting.effects() {
            let person = match effect {
                Action::Invite { .. } | Action::SuppressInvitations { .. } => Some(row.customer_id),
                Action::Grant { to, .. } => match Receiver::from(*to) {
                    Receiver::Customer => Some(row.customer_id),
                    Receiver::Friend => row.friend_id,
                },
                _ => None,
            };
            to.extend(person.map(|person| Self {
                record: row.place(),
                person,
                effect: (acting.place(), slot),
            }));
        }
    }
}

/// Times of what was given, the oldest first, as far back as any limit looks.
pub(super) type Times = VecDeque<DateTime<Utc>>;

/// What an effect gives, as far as limits look at it.
#[derive(Clone, Copy, Debug)]
enum Gives {
    /// An invitation that lives so long.
    Invitation(Duration),
    /// A benefit.
    Benefit {
        fen: i64,
        once: bool,
        /// The same for every effect of the rule that gives the same benefit.
        which: usize,
    },
    /// No invitation for so long.
    Pause(Duration),
}

/// What one rule may, and what it has done.
#[derive(Debug)]
struct OfRule {
    caps: Caps,
    gives: Vec<Option<Gives>>,
    /// Whether any of its effects comes once.
    once: bool,
    asked: Times,
    granted: Times,
    /// What its benefits cost so far, fen.
    granted_fen: i64,
    /// When its invitations expire, the next first; counted where it has a budget.
    open: BinaryHeap<Reverse<DateTime<Utc>>>,
}

/// One side's limits, with what was given so far.
#[derive(Debug)]
pub(super) struct Limits {
    /// Most invitations of a person in a quarter.
    per_quarter: u64,
    /// What one friend costs, fen.
    one_friend: i64,
    /// By place in the document.
    rules: HashMap<usize, OfRule>,
    /// By person: every invitation.
    asked: HashMap<Uuid, Times>,
    /// By person: until when he is not asked.
    paused: HashMap<Uuid, DateTime<Utc>>,
    /// By rule and person, where the rule has a cap per customer: its invitations, and its benefits.
    by_customer: [HashMap<(usize, Uuid), Times>; 2],
    /// By rule, person and benefit, where something of the rule comes once.
    had: HashSet<(usize, Uuid, usize)>,
    kept: Kept,
}

/// What one side gave, and what it kept back.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    invitations: u64,
    grants: u64,
    cost_fen: i64,
    held: HeldOut,
}

/// The limits of both sides.
pub(super) struct BothLimits([Limits; 2]);

impl BothLimits {
    pub(super) fn new(sides: &Sides, per_quarter: u64) -> Self {
        Self(sides.each().map(|set| Limits::new(set, per_quarter)))
    }

    /// Gives what the threads found in one page to be given.
    pub(super) fn give(&mut self, wishes: [Vec<Wish>; 2]) {
        for (limits, mut wishes) in self.0.iter_mut().zip(wishes) {
            // The wishes of a record come from one thread, in the order its rules act.
            wishes.sort_by_key(|wish| wish.record);
            for wish in &wishes {
                limits.give(wish);
            }
        }
    }

    pub(super) fn out(&self) -> WithinLimitsOut {
        let [draft, base] = self.0.each_ref().map(|limits| limits.kept);
        WithinLimitsOut {
            invitations: draft.invitations,
            invitations_before: base.invitations,
            grants: draft.grants,
            grants_before: base.grants,
            grants_fen: draft.cost_fen,
            grants_before_fen: base.cost_fen,
            held: draft.held.total(),
            held_before: base.held.total(),
            held_by: draft.held,
            held_by_before: base.held,
        }
    }
}

impl OfRule {
    fn new(caps: &Caps, effects: &[Action]) -> Self {
        let gives: Vec<_> = effects.iter().map(|one| Gives::of(one, effects)).collect();
        let once = |one: &Option<Gives>| matches!(one, Some(Gives::Benefit { once: true, .. }));
        Self {
            caps: caps.clone(),
            once: gives.iter().any(once),
            gives,
            asked: Times::new(),
            granted: Times::new(),
            granted_fen: 0,
            open: BinaryHeap::new(),
        }
    }

    /// What its benefits cost and its open invitations may still cost, fen.
    fn promised(&mut self, one_friend: i64, now: DateTime<Utc>) -> i64 {
        while self.open.peek().is_some_and(|end| end.0 <= now) {
            self.open.pop();
        }
        let open = i64::try_from(self.open.len()).unwrap_or(i64::MAX);
        self.granted_fen
            .saturating_add(open.saturating_mul(one_friend))
    }
}

impl Gives {
    fn of(effect: &Action, all: &[Action]) -> Option<Self> {
        let gives = match effect {
            Action::Invite { expires_after, .. } => {
                Self::Invitation(expires_after.map_or(UNUSED_AFTER, Span::get))
            }
            Action::Grant { benefit, once, .. } => {
                let same = |one: &Action| matches!(one, Action::Grant { benefit: other, .. } if other.name == benefit.name);
                Self::Benefit {
                    fen: benefit.benefit.cost_fen().unwrap_or_default(),
                    once: *once,
                    which: all.iter().position(same).unwrap_or_default(),
                }
            }
            Action::SuppressInvitations { lasts, .. } => Self::Pause(lasts.get()),
            Action::Tag { .. } | Action::NotifyStaff { .. } | Action::Unlock { .. } => return None,
        };
        Some(gives)
    }
}

impl Limits {
    fn new(set: &CompiledRuleSet, per_quarter: u64) -> Self {
        let rules = limited(set).map(|(place, caps, effects)| (place, OfRule::new(caps, effects)));
        Self {
            per_quarter,
            one_friend: set.one_friend(),
            rules: rules.collect(),
            asked: HashMap::new(),
            paused: HashMap::new(),
            by_customer: Default::default(),
            had: HashSet::new(),
            kept: Kept::default(),
        }
    }

    /// Gives, as far as the limits leave it.
    fn give(&mut self, wish: &Wish) {
        let (rule, slot) = wish.effect;
        let gives = self.rules.get(&rule).and_then(|rule| rule.gives.get(slot));
        let done = match gives.copied().flatten() {
            None => return,
            Some(Gives::Pause(lasts)) => {
                let until = wish.record.0 + lasts;
                let paused = self.paused.entry(wish.person).or_insert(until);
                *paused = until.max(*paused);
                return;
            }
            Some(Gives::Invitation(lasts)) => self.invite(wish, lasts),
            Some(Gives::Benefit { fen, once, which }) => self.grant(wish, (fen, once, which)),
        };
        if let Err(by) = done {
            self.kept.held.count(by);
        }
    }

    fn invite(&mut self, wish: &Wish, lasts: Duration) -> Result<(), By> {
        let (now, person) = (wish.record.0, wish.person);
        if self.paused.get(&person).is_some_and(|until| *until > now) {
            return Err(By::Suppression);
        }
        let mut none = Times::new();
        let times = self.asked.get_mut(&person).unwrap_or(&mut none);
        forget(times, QUARTER, now);
        if newer(times, FATIGUE, now) > 0 {
            return Err(By::Fatigue);
        }
        if newer(times, QUARTER, now) >= self.per_quarter {
            return Err(By::PerQuarter);
        }
        let Some(rule) = self.rules.get_mut(&wish.effect.0) else {
            return Ok(());
        };
        let [by_customer, _] = &mut self.by_customer;
        let own = (wish.effect.0, person);
        if !leaves(by_customer.get_mut(&own), &rule.caps.per_customer, now) {
            return Err(By::PerCustomer);
        }
        if !leaves(Some(&mut rule.asked), &rule.caps.per_rule, now) {
            return Err(By::PerRule);
        }
        if let Some(budget) = rule.caps.budget_fen {
            let promised = rule.promised(self.one_friend, now);
            if promised.saturating_add(self.one_friend) > budget {
                return Err(By::Budget);
            }
            rule.open.push(Reverse(now + lasts));
        }
        self.asked.entry(person).or_default().push_back(now);
        if !rule.caps.per_rule.is_empty() {
            rule.asked.push_back(now);
        }
        if !rule.caps.per_customer.is_empty() {
            by_customer.entry(own).or_default().push_back(now);
        }
        self.kept.invitations += 1;
        Ok(())
    }

    fn grant(&mut self, wish: &Wish, (fen, once, which): (i64, bool, usize)) -> Result<(), By> {
        let (now, person) = (wish.record.0, wish.person);
        let Some(rule) = self.rules.get_mut(&wish.effect.0) else {
            return Ok(());
        };
        let [_, by_customer] = &mut self.by_customer;
        let own = (wish.effect.0, person);
        if !leaves(by_customer.get_mut(&own), &rule.caps.per_customer, now) {
            return Err(By::PerCustomer);
        }
        if !leaves(Some(&mut rule.granted), &rule.caps.per_rule, now) {
            return Err(By::PerRule);
        }
        let spent = rule.granted_fen.saturating_add(fen);
        // A privilege costs nothing, so a budget that is used up does not forbid it.
        if fen > 0 && rule.caps.budget_fen.is_some_and(|budget| spent > budget) {
            return Err(By::Budget);
        }
        let had = rule.once && !self.had.insert((wish.effect.0, person, which));
        if once && had {
            return Err(By::Once);
        }
        if !rule.caps.per_rule.is_empty() {
            rule.granted.push_back(now);
        }
        if !rule.caps.per_customer.is_empty() {
            by_customer.entry(own).or_default().push_back(now);
        }
        rule.granted_fen = spent;
        self.kept.grants += 1;
        self.kept.cost_fen = self.kept.cost_fen.saturating_add(fen);
        Ok(())
    }
}

/// Whether caps leave one more.
pub(super) fn leaves(times: Option<&mut Times>, caps: &[Cap], now: DateTime<Utc>) -> bool {
    let Some(times) = times else {
        return caps.iter().all(|cap| cap.times > 0);
    };
    let longest = caps.iter().map(|cap| cap.per.get()).max();
    forget(times, longest.unwrap_or_default(), now);
    caps.iter()
        .all(|cap| newer(times, cap.per.get(), now) < u64::from(cap.times))
}

/// Lets go of what is older than any limit looks.
fn forget(times: &mut Times, span: Duration, now: DateTime<Utc>) {
    while times.front().is_some_and(|at| now - *at >= span) {
        times.pop_front();
    }
}

/// How many are younger than a span.
fn newer(times: &Times, span: Duration, now: DateTime<Utc>) -> u64 {
    let old = times.partition_point(|at| now - *at >= span);
    u64::try_from(times.len().saturating_sub(old)).unwrap_or(u64::MAX)
}
