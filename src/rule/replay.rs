//! Rules acting on recorded facts, without the words of a decision: what back-tests run a million times.

use super::compile::{CompiledRule, CompiledRuleSet};
use super::decision::{Action, ConsentNeed, Outcome};
use super::document::Caps;
use super::evaluate::{Order, Verdict, places};
use super::event::EventKind;
use super::fact;
use super::index::Binding;
use super::reference::FactRef;
use super::tree::Truth;
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

    /// Its place in the document, from 0.
    pub fn place(&self) -> usize {
        self.rule.place
    }

    /// What it does, when it fires, each effect with its place in the rule, from 0.
    pub fn effects(&self) -> impl Iterator<Item = (usize, &'a Action)> {
        let (fires, uninvited) = match &self.verdict {
            Some(verdict) => (self.fires(), verdict.uninvited),
            None => (false, false),
        };
        let effects = self.rule.effects.iter().enumerate();
        effects
            .filter(move |(_, one)| fires && !(uninvited && matches!(one, Action::Invite { .. })))
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

/// Places of the rules of a kind that have their consents and look at a fact these do not hold: the only ones that can be
/// unknown, whatever the values are.
pub fn lacking(
    set: &CompiledRuleSet,
    (kind, facts): (EventKind, &Facts),
    granted: &dyn Fn(ConsentNeed) -> bool,
) -> Vec<u32> {
    let lacks = |rule: &CompiledRule| {
        rule.allowed(granted)
            && rule
                .facts
                .iter()
                .any(|fact| facts.get(&fact.key()).is_none())
    };
    let rules = (0_u32..).zip(set.listening(kind));
    rules
        .filter(|(_, rule)| lacks(rule))
        .map(|(place, _)| place)
        .collect()
}

/// Whether a rule, by its place, is neither true nor false for want of a fact.
pub fn is_unknown(set: &CompiledRuleSet, (kind, place): (EventKind, u32), facts: &Facts) -> bool {
    set.listener(kind, place)
        .is_some_and(|rule| rule.when.truth(facts) == Truth::Unknown)
}

/// The id and the title of a rule, by its place among those that listen to a kind.
pub fn listener(set: &CompiledRuleSet, kind: EventKind, place: u32) -> Option<(&str, &str)> {
    let rule = set.listener(kind, place)?;
    Some((&rule.id, &rule.title))
}

/// Every rule as written: its id, its title and what it listens to.
pub fn rules_of(
    set: &CompiledRuleSet,
) -> impl Iterator<Item = (&str, &str, impl Iterator<Item = EventKind>)> {
    let rules = set.rules.iter();
    rules.map(|rule| (&*rule.id, &*rule.title, rule.on.iter().copied()))
}

/// Every rule by its place in the document, with its limits and what it does.
pub fn limited(set: &CompiledRuleSet) -> impl Iterator<Item = (usize, &Caps, &[Action])> {
    let rules = set.rules.iter();
    rules.map(|rule| (rule.place, &rule.caps, &*rule.effects))
}

/// A fact as far as records of it are concerned.
pub struct Supplied {
    /// What it is called, zh-CN.
    pub label: String,
    /// The consent without which it is not read.
    pub need: Option<ConsentNeed>,
}

/// What a reference means; `None` for a fact that is never supplied to anybody.
pub fn supplied(reference: &FactRef) -> Option<Supplied> {
    let meaning = reference.meaning().ok()?;
    if reference.history.is_none() && fact::find(&reference.name)?.lint_only {
        return None;
    }
    Some(Supplied {
        label: meaning.label.into_owned(),
        need: meaning
            .consent
            .map(|(purpose, of)| ConsentNeed { purpose, of }),
    })
}
