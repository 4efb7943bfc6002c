//! What a set may cost at most, and goods whose price nobody wrote, which no budget can hold.

use super::super::compile::{CompiledRule, CompiledRuleSet};
use super::super::decision::{Action, NamedBenefit};
use super::super::document::{Cap, ProgrammeCaps, RuleSet};
use super::super::finding::{Finding, at, short};
use super::super::value::yuan;
use super::{WorstCase, given};
use chrono::NaiveDate;
use std::collections::BTreeSet;

/// Goods that are given to somebody and have no price: budgets count them as nothing, so they would never run out.
pub(super) fn prices(set: &RuleSet) -> Vec<Finding> {
    let given = given(set);
    let unpriced = set.benefits.iter().filter(|(name, spec)| {
        given.contains(name.as_str()) && spec.lawful().is_some_and(|gift| gift.cost_fen().is_none())
    });
    unpriced
        .map(|(name, spec)| {
            Finding::block(
                "RULE-PRICE",
                &at(spec.pointer(), "value_fen"),
                format!(
                    "礼品“{}”没有写价格:没有价格的东西不占预算,送多少都拦不住",
                    short(name)
                ),
                "写上“value_fen”:一件的成本,单位是分,如 30 元写 3000",
            )
        })
        .collect()
}
/// Everything together. A budget bounds what it can count; goods without a price it cannot.
pub(super) fn worst_case(compiled: &CompiledRuleSet, programme: &ProgrammeCaps) -> WorstCase {
    let mut unbounded = Vec::new();
    let mut total: i64 = 0;
    let days = compiled
        .from
        .zip(compiled.to)
        .map(|(from, to)| days(from, to));
    for rule in &compiled.rules {
        match rule_cost(rule, days) {
            Some(fen) => total = total.saturating_add(fen),
            None => unbounded.push(rule.pointer.clone()),
        }
    }
    let gifts: Vec<&NamedBenefit> = (1..=3)
        .filter_map(|generation| compiled.welcome(generation))
        .chain(&compiled.inviter_thanks)
        .collect();
    if gifts.iter().any(|gift| gift.benefit.cost_fen() != Some(0)) {
        match programme.budget_fen {
            Some(fen) => total = total.saturating_add(fen),
            None => unbounded.push("/caps/budget_fen".to_owned()),
        }
    }
    let unpriced: BTreeSet<&str> = gifts
        .into_iter()
        .filter(|gift| gift.benefit.cost_fen().is_none())
        .map(|gift| gift.name.as_str())
        .collect();
    let places = unpriced.into_iter().map(|name| at("/benefits", name));
    unbounded.extend(places.map(|place| at(&place, "value_fen")));
    WorstCase {
        fen: if unbounded.is_empty() {
            Some(total)
        } else {
            None
        },
        unbounded,
    }
}

/// What one rule can cost: its budget, else its benefits times how often the rule may fire. Goods without a price count as
/// nothing against the budget, so it is no bound for them.
fn rule_cost(rule: &CompiledRule, days: Option<i64>) -> Option<i64> {
    let mut each: i64 = 0;
    for effect in &rule.effects {
        if let Action::Grant { benefit, .. } = effect {
            each = each.saturating_add(benefit.benefit.cost_fen()?);
        }
    }
    if each == 0 {
        return Some(0);
    }
    let times = days.and_then(|days| rule.caps.per_rule.iter().map(|cap| times(*cap, days)).min());
    let by_count = times.map(|times| times.saturating_mul(each));
    match (rule.caps.budget_fen, by_count) {
        (Some(budget), Some(count)) => Some(budget.min(count)),
        (budget, count) => budget.or(count),
    }
}

/// How often a rolling cap lets something happen within so many days: once more than the spans that fit.
fn times(cap: Cap, days: i64) -> i64 {
    let seconds = days.saturating_mul(86_400);
    let spans = seconds / cap.per.get().num_seconds().max(1);
    i64::from(cap.times).saturating_mul(spans.saturating_add(1))
}

fn days(from: NaiveDate, to: NaiveDate) -> i64 {
    (to - from).num_days().saturating_add(1)
}

/// What is said of it.
pub(super) fn budget(worst: &WorstCase) -> Option<Finding> {
    match (worst.fen, worst.unbounded.first()) {
        (Some(0), _) => None,
        (Some(fen), _) => Some(Finding::warn(
            "RULE-BUDGET",
            "",
            format!("最坏情况下一共支出 {}", yuan(fen)),
            "确认这笔预算已获批准",
        )),
        (None, first) => Some(Finding::warn(
            "RULE-BUDGET",
            first.map_or("", String::as_str),
            format!("最坏情况下的支出没有上限(共 {} 处)", worst.unbounded.len()),
            "给这些地方写上“budget_fen”;没有价格的礼品写上“value_fen”",
        )),
    }
}
