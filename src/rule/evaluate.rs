//! The pure decision: one event, the facts known, the time; no I/O, no clock, bounded work.

use super::compile::{CompiledRule, CompiledRuleSet};
use super::decision::{
    Action, BlockedBy, ConditionResult, ConsentNeed, Decision, Outcome, ResolvedEffect,
};
use super::document::Hours;
use super::event::{Event, EventKind};
use super::index::Binding;
use super::tree::{Rhs, Test, Truth};
use super::value::{self, Facts, Value};
use crate::kernel::{business_date, business_minute, day_bounds};
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// Facts every invitation is guarded by, whatever its conditions say.
pub(crate) const GUARDS: [&str; 2] = ["customer.open_complaints", "customer.is_minor"];

/// Decides every rule that listens to the event: suppressions first, then by priority, then as written.
///
/// Suppressions of the same event, open complaints (REF-09) and minors (REF-L25) veto invitations. Of an exclusive group
/// the highest priority wins. The schedule moves effects to its next opening; it never loses one.
pub fn evaluate(
    set: &CompiledRuleSet,
    event: &Event,
    facts: &Facts,
    now: DateTime<Utc>,
) -> Vec<Decision> {
    evaluate_with(set, event, facts, now, &|_| true)
}

/// As [`evaluate`], where not every consent stands. A rule without one of its consents is held before anything of it is
/// evaluated: it wins no group, vetoes nothing and shows no condition (PIPL-13).
pub fn evaluate_with(
    set: &CompiledRuleSet,
    event: &Event,
    facts: &Facts,
    now: DateTime<Utc>,
    granted: &dyn Fn(ConsentNeed) -> bool,
) -> Vec<Decision> {
    let mut order = Order::at(set, facts, now);
    set.listening(event.kind)
        .map(|rule| {
            if rule.allowed(granted) {
                judge(rule, event, facts, now, &mut order)
            } else {
                without_consent(rule, event)
            }
        })
        .collect()
}

/// As [`evaluate_with`], for the rules that matter: those whose conditions hold and those held for want of a consent, in the
/// same order. The rules it leaves out did not fire and had no influence. `binding` belongs to the set's matcher of the
/// event's kind.
pub fn decide(
    set: &CompiledRuleSet,
    event: &Event,
    facts: &Facts,
    now: DateTime<Utc>,
    (granted, binding): (&dyn Fn(ConsentNeed) -> bool, &mut Binding),
) -> Vec<Decision> {
    let mut order = Order::at(set, facts, now);
    let places = places(set, (event.kind, facts), granted, binding).iter();
    let rules = places.filter_map(|place| set.listener(event.kind, *place));
    rules
        .map(|rule| {
            if rule.allowed(granted) {
                judge(rule, event, facts, now, &mut order)
            } else {
                without_consent(rule, event)
            }
        })
        .collect()
}

/// Places of the rules whose conditions hold and of those that lack a consent, as they are decided.
pub(crate) fn places<'b>(
    set: &CompiledRuleSet,
    (kind, facts): (EventKind, &Facts),
    granted: &dyn Fn(ConsentNeed) -> bool,
    binding: &'b mut Binding,
) -> &'b [u32] {
    let Some(matcher) = set.matcher(kind) else {
        return &[];
    };
    matcher.find(facts, binding);
    binding.with(set.not_granted(kind, granted))
}

/// What the rules of one event mean for each other, as they are decided one after the other.
pub(crate) struct Order<'a> {
    in_period: bool,
    veto: Option<&'static str>,
    /// Groups that have acted, with the rule that did.
    taken: Vec<(&'a str, &'a str)>,
}

/// How a rule whose conditions hold comes out among the others.
pub(crate) struct Verdict<'a> {
    pub(crate) outcome: Outcome,
    pub(crate) reason: Option<Reason<'a>>,
    /// Whether its invitations are taken out.
    pub(crate) uninvited: bool,
}

const OUT_OF_PERIOD: &str = "不在规则集的有效期内";

/// Why a rule whose conditions hold does not do all it would.
#[derive(Clone, Copy)]
pub(crate) enum Reason<'a> {
    /// The set's period has not begun or is over.
    Period,
    /// Asking is vetoed.
    Veto(&'static str),
    /// Another rule of its group went first.
    Beaten(&'a str),
}

impl<'a> Order<'a> {
    pub(crate) fn at(set: &CompiledRuleSet, facts: &Facts, now: DateTime<Utc>) -> Self {
        Self {
            in_period: set.in_period(business_date(now)),
            veto: guard(facts),
            taken: Vec::new(),
        }
    }

    /// What would stand in the way of a rule whose conditions do not hold, even if they did. A veto the rule's own conditions
    /// speak of needs no second sentence.
    fn hindrance(&self, rule: &CompiledRule, conditions: &[ConditionResult]) -> Option<String> {
        let spoken = |one: &ConditionResult| one.unmet && GUARDS.contains(&one.fact.as_str());
        let hindrance = if !self.in_period {
            Some(OUT_OF_PERIOD)
        } else if rule.only_invites() && !conditions.iter().any(spoken) {
            self.veto
        } else {
            None
        };
        hindrance.map(str::to_owned)
    }

    /// The next rule whose conditions hold.
    pub(crate) fn next(&mut self, rule: &'a CompiledRule) -> Verdict<'a> {
        let refused = |reason| Verdict {
            outcome: Outcome::Not,
            reason: Some(reason),
            uninvited: false,
        };
        if !self.in_period {
            return refused(Reason::Period);
        }
        let mut verdict = Verdict {
            outcome: Outcome::Fired,
            reason: None,
            uninvited: false,
        };
        if let Some(veto) = self.veto.filter(|_| rule.invites()) {
            verdict.reason = Some(Reason::Veto(veto));
            verdict.uninvited = true;
            if rule.only_invites() {
                verdict.outcome = Outcome::Held;
                return verdict;
            }
        }
        if let Some(group) = rule.group.as_deref() {
            match self.taken.iter().find(|(taken, _)| *taken == group) {
                Some((_, winner)) => return refused(Reason::Beaten(winner)),
                None => self.taken.push((group, &rule.title)),
            }
        }
        if rule.suppresses() {
            let veto = "目前暂停邀约";
            self.veto = Some(veto);
            if rule.invites() {
                verdict.reason = Some(Reason::Veto(veto));
                verdict.uninvited = true;
            }
        }
        verdict
    }
}

impl Verdict<'_> {
    /// Writes itself into the decision of its rule.
    fn record(&self, decision: &mut Decision) {
        decision.outcome = self.outcome;
        match self.reason {
            None => return,
            Some(Reason::Period) => decision.reason = Some(OUT_OF_PERIOD.to_owned()),
            Some(Reason::Beaten(winner)) => {
                decision.reason = Some(format!("同组的规则“{winner}”优先"));
            }
            Some(Reason::Veto(why)) => {
                decision.reason = Some(why.to_owned());
                decision.blocked_by = Some(BlockedBy::Suppression);
            }
        }
        let inviting = |effect: &ResolvedEffect| matches!(effect.action, Action::Invite { .. });
        decision
            .effects
            .retain(|effect| self.outcome == Outcome::Fired && !inviting(effect));
    }
}

/// What vetoes invitations before any rule is looked at.
fn guard(facts: &Facts) -> Option<&'static str> {
    let [complaints, minor] = GUARDS;
    if facts.get(minor) == Some(&Value::Bool(true)) {
        Some("不发送自动邀约")
    } else if facts.int(complaints).is_some_and(|open| open > 0) {
        Some("有投诉还没有办结,办结之前不发送邀约")
    } else {
        None
    }
}

fn without_consent(rule: &CompiledRule, event: &Event) -> Decision {
    let mut decision = Decision::about(event, &rule.id, &rule.title);
    decision.outcome = Outcome::Held;
    decision.blocked_by = Some(BlockedBy::Consent);
    decision.purposes.clone_from(&rule.purposes);
    decision.caps.clone_from(&rule.caps);
    decision
}

fn judge<'a>(
    rule: &'a CompiledRule,
    event: &Event,
    facts: &Facts,
    now: DateTime<Utc>,
    order: &mut Order<'a>,
) -> Decision {
    let mut decision = Decision::about(event, &rule.id, &rule.title);
    let mut unmet = Vec::new();
    decision.outcome = match rule.when.unmet(facts, &mut unmet) {
        Truth::True => Outcome::Fired,
        Truth::Unknown => Outcome::Unknown,
        Truth::False => Outcome::Not,
    };
    let decisive: BTreeSet<_> = match decision.outcome {
        Outcome::Fired => BTreeSet::new(),
        Outcome::Not | Outcome::Unknown | Outcome::Held => {
            rule.when.missing(facts).into_iter().collect()
        }
    };
    let mut unmet = unmet.into_iter();
    rule.when.each(&mut |test| {
        let marks = (
            decisive.contains(&*test.pointer),
            unmet.next().unwrap_or_default(),
        );
        decision.conditions.push(result(test, facts, marks));
    });
    decision.purposes.clone_from(&rule.purposes);
    decision.caps.clone_from(&rule.caps);
    if decision.outcome == Outcome::Fired {
        let opening = rule.hours.map_or(now, |hours| hours.opening(now));
        let effects = (0_u32..).zip(&rule.effects);
        decision.effects = effects
            .map(|(slot, action)| {
                let protects = matches!(action, Action::SuppressInvitations { .. });
                ResolvedEffect {
                    slot,
                    not_before: if protects { now } else { opening },
                    hours: rule.hours.filter(|_| !protects),
                    action: action.clone(),
                }
            })
            .collect();
        order.next(rule).record(&mut decision);
    } else {
        decision.reason = order.hindrance(rule, &decision.conditions);
    }
    decision
}

fn result(test: &Test, facts: &Facts, (decisive, unmet): (bool, bool)) -> ConditionResult {
    let write = |value: &Value| value::write(test.kind, value);
    ConditionResult {
        pointer: test.pointer.to_string(),
        fact: test.key.to_string(),
        op: test.op,
        want: match &test.rhs {
            Rhs::Nothing => Json::Null,
            // A word looked for in a list is itself a word.
            Rhs::One(value) => write(value),
            Rhs::Many(values) => values.iter().map(write).collect(),
            Rhs::Fact(other) => json!({ "fact": other }),
        },
        got: test.got(facts).map_or(Json::Null, write),
        outcome: test.truth(facts),
        decisive,
        unmet,
    }
}

impl Hours {
    /// `at` if the hours are open then, else their next beginning.
    pub fn opening(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let minute = business_minute(at);
        if (self.from..self.to).contains(&minute) {
            return at;
        }
        let (midnight, next) = day_bounds(business_date(at));
        let day = if minute < self.from { midnight } else { next };
        day.checked_add_signed(Duration::minutes(i64::from(self.from)))
            .unwrap_or(at)
    }
}

#[cfg(test)]
mod tests;
