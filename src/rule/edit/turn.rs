//! Who goes first in a group: an edit may not let others take the turn of a rule that gives more often than before.
//!
//! A group's turn goes to the first of its rules that holds, has its consents, and is not a mere invitation under a veto
//! ([`super::super::evaluate`]). What the giving rule itself loses is compared elsewhere, so only the cases it was promised for
//! count here.

use super::{gives, implied};
use crate::rule::analyse::Region;
use crate::rule::compile::{CompiledRule, CompiledRuleSet};
use crate::rule::tree::Node;
use std::collections::{BTreeMap, HashMap};

/// Most pairs of rules that are compared by their conditions; ten thousand rules in one group would be fifty million.
const MAX_PAIRS: usize = 100_000;

/// A rule of the new set that has a turn, and what it was.
struct Turn<'a> {
    rule: &'a CompiledRule,
    was: Option<&'a CompiledRule>,
    /// Whether it is as it was, wherever it stands.
    same: bool,
}

/// The rules that gave and still do, of which another takes the turn where it did not; `None` for it when there is too much to
/// compare.
pub(super) fn lost<'a>(
    was: &'a CompiledRuleSet,
    will: &'a CompiledRuleSet,
) -> Vec<(&'a CompiledRule, Option<&'a CompiledRule>)> {
    let old = by_id(was);
    let freed = freed(was, &by_id(will));
    let groups = groups(will, &old);
    let (mut found, mut pairs) = (Vec::new(), 0);
    for after in will.rules.iter().map(AsRef::as_ref) {
        let before = old.get(after.id.as_str()).filter(|before| gives(before));
        let group = after.group.as_deref().and_then(|group| groups.get(group));
        let (Some(before), Some(group)) = (before, group) else {
            continue;
        };
        let mut region = None;
        let ahead = group
            .iter()
            .take_while(|turn| place(turn.rule) < place(after));
        for turn in ahead.filter(|turn| turn.may_push(before, &freed)) {
            pairs += 1;
            if pairs > MAX_PAIRS {
                found.push((after, None));
                return found;
            }
            let region = region.get_or_insert_with(|| Region::of(&before.when));
            if turn.pushes(before, &freed) && Region::of(&turn.rule.when).meets(region) {
                found.push((after, Some(turn.rule)));
                break;
            }
        }
    }
    found
}

fn by_id(set: &CompiledRuleSet) -> HashMap<&str, &CompiledRule> {
    let rules = set.rules.iter().map(AsRef::as_ref);
    rules
        .map(|rule: &CompiledRule| (rule.id.as_str(), rule))
        .collect()
}

/// The order in which rules are decided.
fn place(rule: &CompiledRule) -> (bool, i64, usize) {
    (
        !rule.suppresses(),
        rule.priority.saturating_neg(),
        rule.place,
    )
}

fn groups<'a>(
    will: &'a CompiledRuleSet,
    old: &HashMap<&str, &'a CompiledRule>,
) -> BTreeMap<&'a str, Vec<Turn<'a>>> {
    let mut groups: BTreeMap<&str, Vec<Turn<'_>>> = BTreeMap::new();
    for rule in will.rules.iter().map(AsRef::as_ref) {
        if let Some(group) = rule.group.as_deref() {
            let was = old.get(rule.id.as_str()).copied();
            let same = was.is_some_and(|was| unchanged(was, rule));
            let turn = Turn { rule, was, same };
            groups.entry(group).or_default().push(turn);
        }
    }
    for group in groups.values_mut() {
        group.sort_by_key(|turn| place(turn.rule));
    }
    groups
}

fn unchanged(was: &CompiledRule, will: &CompiledRule) -> bool {
    was.on == will.on
        && was.purposes == will.purposes
        && was.only_invites() == will.only_invites()
        && super::same(&was.when, &will.when)
}

/// Suppressions that are gone or act less often: what they vetoed may take a turn again.
fn freed<'a>(
    was: &'a CompiledRuleSet,
    new: &HashMap<&str, &CompiledRule>,
) -> Vec<&'a CompiledRule> {
    let stands = |guard: &CompiledRule| {
        new.get(guard.id.as_str()).is_some_and(|now| {
            now.suppresses()
                && now.group == guard.group
                && guard.on.is_subset(&now.on)
                && now
                    .purposes
                    .iter()
                    .all(|need| guard.purposes.contains(need))
                && implied(&guard.when, &now.when)
        })
    };
    let guards = was.rules.iter().map(AsRef::as_ref);
    guards
        .filter(|rule: &&CompiledRule| rule.suppresses() && !stands(rule))
        .collect()
}

impl Turn<'_> {
    /// Whether it stood ahead of a rule before.
    fn was_ahead(&self, before: &CompiledRule) -> Option<&CompiledRule> {
        self.was.filter(|was| {
            was.group.is_some() && was.group == before.group && place(was) < place(before)
        })
    }

    fn is_unleashed(&self, before: &CompiledRule, freed: &[&CompiledRule]) -> bool {
        self.rule.only_invites() && freed.iter().any(|guard| !guard.on.is_disjoint(&before.on))
    }

    /// What [`Self::pushes`] says without comparing conditions, or more.
    fn may_push(&self, before: &CompiledRule, freed: &[&CompiledRule]) -> bool {
        !self.rule.on.is_disjoint(&before.on)
            && (!self.same || self.was_ahead(before).is_none() || self.is_unleashed(before, freed))
    }

    /// Whether it takes the group's turn where it did not before: it stood behind, listens to more, needs fewer consents, holds
    /// in more cases, or is held back by fewer vetoes.
    fn pushes(&self, before: &CompiledRule, freed: &[&CompiledRule]) -> bool {
        let Some(was) = self.was_ahead(before) else {
            return true;
        };
        let now = self.rule;
        let listens = now.on.intersection(&before.on);
        let needed = was.purposes.iter();
        let both = || Node::All(vec![now.when.clone(), before.when.clone()]);
        self.is_unleashed(before, freed)
            || (was.only_invites() && !now.only_invites())
            || listens.into_iter().any(|kind| !was.on.contains(kind))
            || needed
                .into_iter()
                .any(|need| !now.purposes.contains(need) && !before.purposes.contains(need))
            || (!super::same(&was.when, &now.when) && !implied(&both(), &was.when))
    }
}
