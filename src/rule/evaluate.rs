//! The pure decision: one event, the facts known, the time; no I/O, no clock, bounded work.

use super::compile::{CompiledRule, CompiledRuleSet};
use super::decision::{
    Action, BlockedBy, ConditionResult, ConsentNeed, Decision, Outcome, ResolvedEffect,
};
use super::document::Hours;
use super::event::Event;
use super::tree::{Rhs, Test, Truth};
use super::value::{self, Facts, Value};
use crate::kernel::{business_date, business_minute, day_bounds};
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

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
    let in_period = set.in_period(business_date(now));
    let mut veto = guard(facts);
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    set.listening(event.kind)
        .map(|rule| {
            if rule.purposes.iter().any(|need| !granted(*need)) {
                return without_consent(rule, event);
            }
            let mut decision = judge(rule, event, facts, now);
            if !in_period && decision.outcome == Outcome::Fired {
                refuse(&mut decision, Outcome::Not, "不在规则集的有效期内");
            }
            if let Some(reason) = veto {
                without_invitations(&mut decision, reason);
            }
            if let Some(group) = rule
                .group
                .as_deref()
                .filter(|_| decision.outcome == Outcome::Fired)
            {
                match taken.get(group) {
                    Some(winner) => refuse(
                        &mut decision,
                        Outcome::Not,
                        &format!("同组的规则“{winner}”优先"),
                    ),
                    None => {
                        taken.insert(group, &rule.title);
                    }
                }
            }
            if decision.outcome == Outcome::Fired && rule.suppresses() {
                let reason = "目前暂停邀约";
                without_invitations(&mut decision, reason);
                veto = Some(reason);
            }
            decision
        })
        .collect()
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

fn judge(rule: &CompiledRule, event: &Event, facts: &Facts, now: DateTime<Utc>) -> Decision {
    let mut decision = Decision::about(event, &rule.id, &rule.title);
    decision.outcome = match rule.when.truth(facts) {
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
    rule.when.each(&mut |test| {
        decision.conditions.push(result(
            test,
            facts,
            decisive.contains(test.pointer.as_str()),
        ));
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
    }
    decision
}

fn refuse(decision: &mut Decision, outcome: Outcome, reason: &str) {
    decision.outcome = outcome;
    decision.reason = Some(reason.to_owned());
    decision.effects.clear();
}

/// Takes the invitations out of a fired decision; held when nothing else is left.
fn without_invitations(decision: &mut Decision, reason: &str) {
    let before = decision.effects.len();
    decision
        .effects
        .retain(|effect| !matches!(effect.action, Action::Invite { .. }));
    if decision.effects.len() == before {
        return;
    }
    decision.reason = Some(reason.to_owned());
    decision.blocked_by = Some(BlockedBy::Suppression);
    if decision.effects.is_empty() {
        decision.outcome = Outcome::Held;
    }
}

fn result(test: &Test, facts: &Facts, decisive: bool) -> ConditionResult {
    let write = |value: &Value| value::write(test.kind, value);
    ConditionResult {
        pointer: test.pointer.clone(),
        fact: test.key.clone(),
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
