//! The rules of one event: in the order they are decided, with what finds those that hold.

use super::{CompiledRule, CompiledRuleSet};
use crate::rule::decision::ConsentNeed;
use crate::rule::event::EventKind;
use crate::rule::index::{Matcher, Method};
use crate::rule::reference::FactRef;
use crate::rule::tree::Truth;
use crate::rule::value::Facts;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The rules that listen to one event, in the order they are decided, the facts they read, and what finds those that hold.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    rules: Vec<Arc<CompiledRule>>,
    facts: BTreeSet<FactRef>,
    matcher: Arc<Matcher>,
    /// Places of the rules by the consents they need.
    needs: BTreeMap<Vec<ConsentNeed>, Vec<u32>>,
}

impl CompiledRuleSet {
    /// The facts an event of this kind needs; nothing else has to be read.
    pub fn facts_for(&self, kind: EventKind) -> impl Iterator<Item = &FactRef> {
        self.partitions
            .get(&kind)
            .into_iter()
            .flat_map(|part| part.facts.iter())
    }

    /// Whether any rule listens to this kind.
    pub fn listens_to(&self, kind: EventKind) -> bool {
        self.partitions.contains_key(&kind)
    }

    /// The rules listening to a kind, suppressions first, then by priority, then as written.
    pub(crate) fn listening(&self, kind: EventKind) -> impl Iterator<Item = &CompiledRule> {
        self.partitions
            .get(&kind)
            .into_iter()
            .flat_map(|part| part.rules.iter().map(Arc::as_ref))
    }

    /// How many rules listen to a kind.
    pub fn listening_len(&self, kind: EventKind) -> usize {
        self.partitions
            .get(&kind)
            .map_or(0, |part| part.rules.len())
    }

    /// A rule by its place in [`Self::listening`].
    pub(crate) fn listener(&self, kind: EventKind, place: u32) -> Option<&CompiledRule> {
        let place = usize::try_from(place).ok()?;
        let part = self.partitions.get(&kind)?;
        part.rules.get(place).map(Arc::as_ref)
    }

    /// Places of the rules that lack a consent.
    pub(crate) fn not_granted(
        &self,
        kind: EventKind,
        granted: &dyn Fn(ConsentNeed) -> bool,
    ) -> impl Iterator<Item = u32> {
        let groups = self.partitions.get(&kind).into_iter();
        groups
            .flat_map(|part| &part.needs)
            .filter(move |(needs, _)| !needs.iter().all(|need| granted(*need)))
            .flat_map(|(_, places)| places.iter().copied())
    }

    /// What finds the rules that hold for an event of this kind; numbered as they are decided.
    pub fn matcher(&self, kind: EventKind) -> Option<&Matcher> {
        self.partitions.get(&kind).map(|part| part.matcher.as_ref())
    }

    /// As [`Self::matcher`], made to work in a given way: for measuring and testing the ways against each other.
    pub fn matcher_by(&self, kind: EventKind, method: Method) -> Option<Matcher> {
        let part = self.partitions.get(&kind)?;
        Some(Matcher::new(
            part.rules.iter().map(|rule| &rule.when),
            method,
        ))
    }

    /// How many of the rules that listen to a kind hold by the plain tree walk: the oracle of [`Self::matcher`].
    pub fn walk(&self, kind: EventKind, facts: &Facts) -> usize {
        let holding = |rule: &&CompiledRule| rule.when.truth(facts) == Truth::True;
        self.listening(kind).filter(holding).count()
    }
}

/// Rules by the events they listen to.
pub(super) fn partition(rules: &[Arc<CompiledRule>]) -> BTreeMap<EventKind, Partition> {
    let mut listening: BTreeMap<EventKind, Vec<Arc<CompiledRule>>> = BTreeMap::new();
    for rule in rules {
        for kind in &rule.on {
            listening.entry(*kind).or_default().push(Arc::clone(rule));
        }
    }
    let part = |mut rules: Vec<Arc<CompiledRule>>| {
        rules.sort_by_key(|rule| (!rule.suppresses(), -rule.priority, rule.place));
        let mut facts = BTreeSet::new();
        for fact in rules.iter().flat_map(|rule| &rule.facts) {
            // Thousands of rules read the same few facts.
            if !facts.contains(fact) {
                facts.insert(fact.clone());
            }
        }
        let mut needs: BTreeMap<_, Vec<u32>> = BTreeMap::new();
        for (place, rule) in (0_u32..).zip(&rules) {
            match needs.get_mut(&rule.purposes) {
                Some(places) => places.push(place),
                None => drop(needs.insert(rule.purposes.clone(), vec![place])),
            }
        }
        Partition {
            facts,
            matcher: Arc::new(Matcher::new(
                rules.iter().map(|rule| &rule.when),
                Method::Auto,
            )),
            needs,
            rules,
        }
    };
    let parts = listening.into_iter();
    parts.map(|(kind, rules)| (kind, part(rules))).collect()
}
