//! Rules that do nothing although their conditions can hold, and rules that get in each other's way.

use super::{MAX_STEPS, Region, pay};
use crate::rule::compile::{CompiledRule, CompiledRuleSet};
use crate::rule::decision::Action;
use crate::rule::domain::Domain;
use crate::rule::evaluate::GUARDS;
use crate::rule::finding::{Finding, at, short};
use std::collections::BTreeMap;

/// Most overlaps named; a set with more has one fault many times.
const MOST: usize = 20;

/// A rule whose effects can never take place: no budget for one of them, or invitations alone where the guard vetoes them.
pub(super) fn dead(
    findings: &mut Vec<Finding>,
    one_friend: i64,
    (rule, region): (&CompiledRule, &Region),
) {
    let each = rule.effects.iter().map(|effect| costs(effect, one_friend));
    let cheapest = each.min().unwrap_or(None);
    if let (Some(budget), Some(cheapest)) = (rule.caps.budget_fen, cheapest)
        && cheapest > budget
    {
        findings.push(Finding::warn(
            "RULE-DEAD",
            &at(&at(&rule.pointer, "caps"), "budget_fen"),
            format!(
                "规则“{}”的预算不够发一次,不会有任何效果",
                short(&rule.title)
            ),
            "写上够用的预算,或删掉这条规则",
        ));
    }
    let only_invites = rule
        .effects
        .iter()
        .all(|effect| matches!(effect, Action::Invite { .. }));
    let [complaints, _] = GUARDS;
    if only_invites && region.contradiction.is_none() && region.surely_above_zero(complaints) {
        findings.push(Finding::warn(
            "RULE-DEAD",
            &at(&rule.pointer, "when"),
            format!(
                "规则“{}”只在有未结投诉时邀约,而这时一律不发邀约",
                short(&rule.title)
            ),
            "改成没有未结投诉时邀约,或删掉这条规则",
        ));
    }
}

/// What an effect costs at least, when it costs something for certain; `None` for what is free or unknown. Asking reserves what a
/// friend may cost.
fn costs(effect: &Action, one_friend: i64) -> Option<i64> {
    match effect {
        Action::Grant { benefit, .. } => benefit.benefit.cost_fen().filter(|fen| *fen > 0),
        Action::Invite { .. } => Some(one_friend).filter(|fen| *fen > 0),
        Action::SuppressInvitations { .. }
        | Action::Tag { .. }
        | Action::NotifyStaff { .. }
        | Action::Unlock { .. } => None,
    }
}

impl Region {
    /// Whether the fact is known and above zero wherever this holds.
    fn surely_above_zero(&self, key: &str) -> bool {
        self.domains.get(key).is_some_and(Domain::is_above_zero)
    }
}

/// Pairs of rules that may both act on one event: two invitations, the same gift twice, or a group without an order.
pub(super) fn check(findings: &mut Vec<Finding>, compiled: &CompiledRuleSet, regions: &[Region]) {
    let pairs: Vec<(&CompiledRule, &Region)> = compiled
        .rules
        .iter()
        .map(AsRef::as_ref)
        .zip(regions)
        .filter(|(_, region)| region.contradiction.is_none())
        .collect();
    // Rules that do something of the same kind stand in one bucket; only those are compared.
    let mut buckets: BTreeMap<String, Vec<(&CompiledRule, &Region)>> = BTreeMap::new();
    for pair in &pairs {
        for key in doings(pair.0) {
            buckets.entry(key).or_default().push(*pair);
        }
    }
    let mut steps = MAX_STEPS;
    let mut named = 0;
    for (doing, members) in &buckets {
        for (index, later) in members.iter().enumerate() {
            let first = members
                .iter()
                .take(index)
                .take_while(|first| pay(&mut steps, first, later))
                .find(|first| overlap(doing, first, later));
            if let Some((first, _)) = first {
                findings.push(both(doing, first, later.0));
                named += 1;
            }
            if steps == 0 || named == MOST {
                return;
            }
        }
    }
}

/// The keys of what a rule does that two rules should not do at once.
fn doings(rule: &CompiledRule) -> Vec<String> {
    let mut keys = Vec::new();
    if rule.invites() {
        keys.push("invite".to_owned());
    }
    for effect in &rule.effects {
        if let Action::Grant { to, benefit, .. } = effect {
            let key = format!("grant {to:?} {}", benefit.name);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    if let Some(group) = &rule.group {
        keys.push(format!("group {group}"));
    }
    keys
}

fn overlap(
    doing: &str,
    first: &(&CompiledRule, &Region),
    later: &(&CompiledRule, &Region),
) -> bool {
    let grouped = first.0.group.is_some() && first.0.group == later.0.group;
    // In a group one wins; that is only doubtful where nothing but the order in the document says which.
    let doubtful = if doing.starts_with("group ") {
        first.0.priority == later.0.priority && first.0.suppresses() == later.0.suppresses()
    } else {
        !grouped
    };
    doubtful && !first.0.on.is_disjoint(&later.0.on) && first.1.meets(later.1)
}

fn both(doing: &str, first: &CompiledRule, later: &CompiledRule) -> Finding {
    let (one, two) = (short(&first.title), short(&later.title));
    let (message, fix) = if doing.starts_with("group ") {
        (
            format!("规则“{two}”和“{one}”同组、同优先级,可能同时满足:谁生效只看先后顺序"),
            "给两条规则写上不同的“priority”",
        )
    } else if doing == "invite" {
        (
            format!("规则“{two}”和“{one}”可能因同一件事都发邀约"),
            "放进同一个“exclusive_group”,或让条件互不重叠",
        )
    } else {
        (
            format!("规则“{two}”和“{one}”可能因同一件事把同一个权益发两次"),
            "放进同一个“exclusive_group”,或删掉一条",
        )
    };
    Finding::warn("RULE-OVERLAP", &later.pointer, message, fix)
}
