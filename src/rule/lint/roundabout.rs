//! The same dependencies by a detour: a reward that goes to whoever a partner of its group left over, or to whoever a
//! rating or a payment had tagged before.

use super::reward::DEPENDENCIES;
use super::targeting::words;
use super::{PolicyPack, gives, reads, unlocks};
use crate::rule::document::{EffectKind, Op, Operand, Rule, RuleSet, Trigger};
use crate::rule::event::EventKind;
use crate::rule::fact::Nature;
use crate::rule::finding::{Finding, at, short};
use std::collections::{BTreeMap, BTreeSet};

/// Longest chain of tags given for tags that is followed; a longer one counts as tainted.
const MAX_CHAIN: usize = 32;

/// Which of [`DEPENDENCIES`] something rests on.
type Taints = BTreeSet<usize>;

/// REF-L02 to L05, L17, L20, L23 through groups and tags.
pub(super) fn check(findings: &mut Vec<Finding>, set: &RuleSet, pack: &PolicyPack) {
    let direct: Vec<Taints> = set.rules.iter().map(direct).collect();
    let tags = tags(set, &direct);
    let taints: Vec<Taints> = set
        .rules
        .iter()
        .zip(&direct)
        .map(|(rule, own)| taints(own, &tags_read(set, rule), &tags))
        .collect();
    laundered(findings, set, &tags, pack);
    left_over(findings, set, &taints, pack);
}

fn rewards(rule: &Rule) -> bool {
    gives(rule) || unlocks(rule)
}

/// What a rule reads itself.
fn direct(rule: &Rule) -> Taints {
    let rests = |nature: Nature| !reads(rule, nature).is_empty();
    (0..)
        .zip(DEPENDENCIES)
        .filter(|(_, (nature, ..))| rests(*nature))
        .map(|(index, _)| index)
        .collect()
}

/// What a tag rests on by the event it is given for, whatever else is asked: whoever pays, rates, buys or agrees gets it.
fn heard(rule: &Rule) -> Taints {
    let nature = |trigger: &Trigger| match trigger {
        Trigger::Known(EventKind::PaymentSucceeded) => Some(Nature::Payment),
        Trigger::Known(EventKind::BookingCompleted) => Some(Nature::Purchase),
        Trigger::Known(EventKind::RatingSubmitted) => Some(Nature::Rating),
        Trigger::Known(EventKind::ConsentGranted) => Some(Nature::Consent),
        // A friend who came and has not ordered.
        Trigger::Known(EventKind::ReferralRedeemed) => Some(Nature::Headcount),
        _ => None,
    };
    let natures: Vec<Nature> = rule.on.iter().filter_map(nature).collect();
    (0..)
        .zip(DEPENDENCIES)
        .filter(|(_, (nature, ..))| natures.contains(nature))
        .map(|(index, _)| index)
        .collect()
}

/// What a rule reads itself or through a tag.
fn taints(own: &Taints, read: &[(&str, Option<&str>)], tags: &BTreeMap<&str, Taints>) -> Taints {
    let mut found = own.clone();
    for (_, wanted) in read {
        match wanted {
            Some(tag) => found.extend(tags.get(tag).into_iter().flatten()),
            None => found.extend(tags.values().flatten()),
        }
    }
    found
}

/// The tags a rule looks for, with the place; `None` where any tag would do.
fn tags_read<'a>(set: &'a RuleSet, rule: &'a Rule) -> Vec<(&'a str, Option<&'a str>)> {
    let mut found = Vec::new();
    if let Some(when) = &rule.when {
        when.each(&mut |test| {
            if &*test.fact.name == "customer.tags" {
                let named = words(set, test);
                let open = named.is_empty()
                    || matches!(test.op, Op::IsKnown | Op::IsUnknown)
                    || matches!(test.operand, Some(Operand::Fact(_)));
                if open {
                    found.push((&*test.pointer, None));
                }
                let place = &*test.pointer;
                found.extend(named.into_iter().map(|tag| (place, Some(tag))));
            }
        });
    }
    found
}

/// What each tag of the set rests on: what its rules read and listen to, followed through tags given for tags.
fn tags<'a>(set: &'a RuleSet, direct: &[Taints]) -> BTreeMap<&'a str, Taints> {
    let mut found: BTreeMap<&str, Taints> = BTreeMap::new();
    let giving: Vec<_> = set
        .rules
        .iter()
        .zip(direct)
        .map(|(rule, own)| (own | &heard(rule), tags_read(set, rule), tags_given(rule)))
        .filter(|(_, _, given)| !given.is_empty())
        .collect();
    for round in 0..=MAX_CHAIN {
        let mut changed = false;
        for (own, read, given) in &giving {
            let taints = if round == MAX_CHAIN {
                (0..DEPENDENCIES.len()).collect()
            } else {
                taints(own, read, &found)
            };
            for tag in given {
                let known = found.entry(tag).or_default();
                let before = known.len();
                known.extend(&taints);
                changed |= known.len() > before;
            }
        }
        if !changed {
            break;
        }
    }
    found
}

fn tags_given(rule: &Rule) -> Vec<&str> {
    rule.then
        .iter()
        .filter_map(|effect| match &effect.kind {
            EffectKind::Tag { tag } => Some(tag.as_str()),
            _ => None,
        })
        .collect()
}

/// A reward for a tag: what the tag was given for, the reward is given for. A tag no rule of the set gives may have been
/// given by an earlier set for anything.
fn laundered(
    findings: &mut Vec<Finding>,
    set: &RuleSet,
    tags: &BTreeMap<&str, Taints>,
    pack: &PolicyPack,
) {
    for rule in set.rules.iter().filter(|rule| rewards(rule)) {
        for (place, wanted) in tags_read(set, rule) {
            let Some(tag) = wanted else {
                findings.push(unknown(place, "任何标签", pack));
                continue;
            };
            let Some(taints) = tags.get(tag) else {
                findings.push(unknown(place, tag, pack));
                continue;
            };
            for (_, id, message, fix) in rested(taints) {
                findings.push(pack.finding(
                    id,
                    place,
                    format!(
                        "奖励取决于标签“{}”,而打这个标签的时机或条件{message}",
                        short(tag)
                    ),
                    fix,
                ));
            }
        }
    }
}

fn unknown(place: &str, tag: &str, pack: &PolicyPack) -> Finding {
    pack.finding(
        "REF-L20",
        place,
        format!(
            "奖励取决于“{}”,而看不出这个标签是凭什么打上的(可能是评分或付款)",
            short(tag)
        ),
        "删掉这个条件,或在同一个规则集里写明打标签的规则",
    )
}

fn rested(
    taints: &Taints,
) -> impl Iterator<Item = (Nature, &'static str, &'static str, &'static str)> {
    taints
        .iter()
        .filter_map(|index| DEPENDENCIES.get(*index).copied())
}

/// In a group the first to fire wins, so a later reward goes only to those for whom the earlier conditions do not hold.
fn left_over(findings: &mut Vec<Finding>, set: &RuleSet, taints: &[Taints], pack: &PolicyPack) {
    let mut groups: BTreeMap<&str, Vec<(&Rule, &Taints)>> = BTreeMap::new();
    for (rule, taints) in set.rules.iter().zip(taints) {
        if let Some(group) = rule.exclusive_group.as_deref() {
            groups.entry(group).or_default().push((rule, taints));
        }
    }
    for members in groups.values_mut() {
        // As the engine goes: suppressions, then by priority, then as written (the sort is stable).
        members.sort_by_key(|(rule, _)| (!suppresses(rule), -rule.priority));
        let mut before: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        for (rule, taints) in members {
            if rewards(rule) {
                let met: Taints = before
                    .iter()
                    .filter(|(_, events)| events_of(rule).any(|event| events.contains(event)))
                    .map(|(index, _)| *index)
                    .collect();
                for (_, id, message, fix) in rested(&met) {
                    findings.push(pack.finding(
                        id,
                        &at(&rule.pointer, "exclusive_group"),
                        format!("同组先行的规则决定了谁拿不到这个奖励,而它的条件{message}"),
                        fix,
                    ));
                }
            }
            for index in *taints {
                before.entry(*index).or_default().extend(events_of(rule));
            }
        }
    }
}

fn suppresses(rule: &Rule) -> bool {
    rule.then
        .iter()
        .any(|effect| matches!(effect.kind, EffectKind::SuppressInvitations { .. }))
}

fn events_of(rule: &Rule) -> impl Iterator<Item = &str> {
    rule.on.iter().map(|trigger| match trigger {
        Trigger::Known(kind) => kind.name(),
        Trigger::Other(name) => name.as_str(),
    })
}
