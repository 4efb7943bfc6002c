//! Rules acting on recorded facts, without the words of a decision: what back-tests run a million times.

use super::compile::{CompiledRule, CompiledRuleSet};
use super::decision::{Action, ConsentNeed, Outcome};
use super::evaluate::{Order, Verdict, places};
use super::event::EventKind;
use super::index::Binding;
use super::value::Facts;
use chrono::{DateTime, Utc};

/// A rule whose conditions hold, or that lacks a consent, for one recorded case.
pub struct Acting<'a> {
    rule: &'a CompiledRule,
    /// `None` when it lacks a consent.
    verdict: Option<Verdict<'a>>,
}

impl<'a> Acting<'a> {
    /// Which rule.
    pub fn rule_id(&self) -> &'a str {
        &self.rule.id
    }

    /// What the rule is called.
    pub fn title(&self) -> &'a str {
        &self.rule.title
    }

    /// Whether it fires.
    pub fn fires(&self) -> bool {
        matches!(&self.verdict, Some(verdict) if verdict.outcome == Outcome::Fired)
    }

    /// Whether it is held for want of a consent.
    pub fn lacks_consent(&self) -> bool {
        self.verdict.is_none()
    }

    /// What it does, when it fires.
    pub fn effects(&self) -> impl Iterator<Item = &'a Action> {
        let (fires, uninvited) = match &self.verdict {
            Some(verdict) => (self.fires(), verdict.uninvited),
            None => (false, false),
        };
        let effects = self.rule.effects.iter();
        effects.filter(move |one| fires && !(uninvited && matches!(one, Action::Invite { .. })))
    }
}

/// Hands every acting or held rule of one case to `each`, in the order they are decided. The outcomes are those of
/// [`super::decide`].
pub fn replay<'a>(
    set: &'a CompiledRuleSet,
    (kind, facts, at): (EventKind, &Facts, DateTime<Utc>),
    (granted, binding): (&dyn Fn(ConsentNeed) -> bool, &mut Binding),
    each: &mut dyn FnMut(&Acting<'a>),
) {
    let mut order = Order::at(set, facts, at);
    for place in places(set, (kind, facts), granted, binding) {
        if let Some(rule) = set.listener(kind, *place) {
            let verdict = rule.allowed(granted).then(|| order.next(rule));
            each(&Acting { rule, verdict });
        }
    }
}
