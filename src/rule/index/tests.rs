//! The index against the oracle: on any set and any case both find the same rules.

use super::{Matcher, Method};
use crate::rule::compile::CompiledRuleSet;
use crate::rule::decision::{ConsentNeed, Decision, Outcome};
use crate::rule::evaluate::{decide, evaluate_with};
use crate::rule::event::EventKind;
use crate::rule::tests::{compiled, event, noon};
use crate::rule::tree::Truth;
use crate::rule::value::{Facts, Value};
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

const KIND: EventKind = EventKind::RatingSubmitted;

/// Facts the random rules read, with values around which their thresholds lie.
const NUMBERS: [(&str, i64, i64); 6] = [
    ("rating.score", 100, 500),
    ("rating.quality", 100, 500),
    ("rating.score@last(3).min", 100, 500),
    ("customer.open_complaints", 0, 6),
    ("customer.completed_bookings", 0, 40),
    ("booking.total_fen", 0, 1_000),
];
const WORDS: [&str; 4] = ["上海", "北京", "杭州", "南京"];
const TAGS: [&str; 3] = ["a", "b", "c"];

fn score(hundredths: i64, name: &str) -> Json {
    if name.starts_with("rating") {
        json!(format!("{}.{:02}", hundredths / 100, hundredths % 100))
    } else {
        json!(hundredths)
    }
}

fn number_test() -> impl Strategy<Value = Json> {
    (0..NUMBERS.len(), 0..10_usize, any::<u16>(), any::<u16>()).prop_map(|(fact, op, one, two)| {
        let (name, low, high) = NUMBERS[fact];
        let at = |raw: u16| low + i64::from(raw) % (high - low + 1);
        let (one, two) = (at(one).min(at(two)), at(one).max(at(two)));
        let (one, two) = (score(one, name), score(two, name));
        match op {
            0 => json!({"fact": name, "op": "between", "value": [one, two]}),
            1 => json!({"fact": name, "op": "in", "value": [one, two]}),
            2 => json!({"fact": name, "op": "not_in", "value": [two]}),
            3 => json!({"fact": name, "op": "is_known"}),
            4 => json!({"fact": name, "op": "is_unknown"}),
            5 => json!({"fact": name, "op": "eq", "value": one}),
            6 => json!({"fact": name, "op": "ne", "value": one}),
            7 => json!({"fact": name, "op": "gte", "value": one}),
            8 => json!({"fact": name, "op": "gt", "value": one}),
            _ => json!({"fact": name, "op": "lte", "value": two}),
        }
    })
}

/// Any comparison whose value is possible at all; `gt` of the greatest score is not and would not compile.
fn test() -> impl Strategy<Value = Json> {
    let word = prop::sample::select(&WORDS[..3]);
    let tag = prop::sample::select(&TAGS[..2]);
    prop_oneof![
        6 => number_test().prop_filter("possible", |test| {
            let text = test.to_string();
            !(test["op"] == "gt" && (text.contains("5.00") || text.contains("\"1.00")))
        }),
        1 => word.prop_map(|word| json!({"fact": "customer.city", "op": "eq", "value": word})),
        1 => word_list().prop_map(|words| json!({"fact": "customer.city", "op": "not_in", "value": words})),
        1 => any::<bool>().prop_map(|flag| json!({"fact": "booking.sla_breached", "op": "eq", "value": flag})),
        1 => tag.prop_map(|tag| json!({"fact": "customer.tags", "op": "contains", "value": tag})),
        1 => prop::sample::select(vec!["eq", "ne", "gt", "gte", "lt", "lte"]).prop_map(
            |op| json!({"fact": "rating.score", "op": op, "value": {"fact": "rating.quality"}})),
    ]
}

fn word_list() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(&WORDS[..3]), 1..3)
}

fn condition() -> impl Strategy<Value = Json> {
    test().prop_recursive(3, 16, 5, |inner| {
        let group = prop::collection::vec(inner.clone(), 1..5);
        prop_oneof![
            3 => group.clone().prop_map(|all| json!({"all": all})),
            2 => group.prop_map(|any| json!({"any": any})),
            1 => inner.prop_map(|not| json!({"not": not})),
        ]
    })
}

fn set(rules: std::ops::Range<usize>) -> impl Strategy<Value = CompiledRuleSet> {
    prop::collection::vec(condition(), rules).prop_map(|conditions| {
        let rules: Vec<_> = conditions
            .into_iter()
            .enumerate()
            .map(|(place, when)| {
                json!({"id": format!("r{place}"), "title": "试", "on": ["rating.submitted"], "when": when,
                    "priority": place % 7, "then": [{"effect": "tag", "tag": "x"}]})
            })
            .collect();
        compiled(&json!({"schema": 1, "name": "试", "rules": rules}))
    })
}

fn case() -> impl Strategy<Value = Facts> {
    let numbers = NUMBERS.map(|(name, low, high)| {
        prop::option::weighted(0.85, low - 1..=high + 1).prop_map(move |value| (name, value))
    });
    let word = prop::option::of(prop::sample::select(&WORDS[..]));
    let tags = prop::option::of(prop::sample::subsequence(&TAGS[..], 0..=3));
    (numbers, word, any::<Option<bool>>(), tags, 0..20_u8).prop_map(
        |(numbers, word, breached, tags, odd)| {
            let mut facts = Facts::new();
            for (name, value) in numbers {
                facts.set_known(name, value);
            }
            let tags = tags.map(|tags| tags.into_iter().map(str::to_owned).collect::<Vec<_>>());
            facts
                .set_known("customer.city", word)
                .set_known("booking.sla_breached", breached)
                .set_known("customer.tags", tags);
            match odd {
                // A value of the wrong shape counts as missing; extremes must not overflow.
                0 => facts.set("rating.score", "五星"),
                1 => facts.set("booking.total_fen", i64::MAX),
                2 => facts.set("booking.total_fen", i64::MIN),
                3 => facts.set("rating.quality", Value::Bool(true)),
                _ => &mut facts,
            };
            facts
        },
    )
}

/// What is decided of the matched rules is what is decided of all, without those that do not hold.
fn decisions_agree(set: &CompiledRuleSet, cases: &[Facts], now: DateTime<Utc>) {
    let event = event("rating.submitted");
    let mut binding = set.matcher(KIND).unwrap().binding();
    for (number, facts) in cases.iter().enumerate() {
        let granted = |need: ConsentNeed| number % 3 != 0 || need.purpose != "referral_profiling";
        let mut all = evaluate_with(set, &event, facts, now, &granted);
        let held = |one: &Decision| {
            one.conditions
                .iter()
                .all(|test| test.outcome == Truth::True)
        };
        let found = decide(set, &event, facts, now, (&granted, &mut binding));
        let holding: BTreeSet<_> = found.iter().map(|one| one.rule_id.clone()).collect();
        all.retain(|one| {
            holding.contains(&one.rule_id) || (one.outcome == Outcome::Fired || held(one))
        });
        assert_eq!(found, all);
    }
}

fn oracle(set: &CompiledRuleSet, facts: &Facts) -> Vec<u32> {
    (0..)
        .zip(set.listening(KIND))
        .filter(|(_, rule)| rule.when.truth(facts) == Truth::True)
        .map(|(place, _)| place)
        .collect()
}

fn agree(set: &CompiledRuleSet, cases: &[Facts]) {
    let made = |method| set.matcher_by(KIND, method).unwrap();
    let matchers: [Matcher; 3] = [Method::Index, Method::Walk, Method::Auto].map(made);
    let mut bindings: Vec<_> = matchers.iter().map(Matcher::binding).collect();
    for facts in cases {
        let wanted = oracle(set, facts);
        for (matcher, binding) in matchers.iter().zip(&mut bindings) {
            assert_eq!(matcher.find(facts, binding), wanted, "{facts:?}");
        }
    }
}

fn many_effects(conditions: &[Json]) -> CompiledRuleSet {
    let effects = [
        json!([{"effect": "invite", "template": "a"}]),
        json!([{"effect": "tag", "tag": "x"}]),
        json!([{"effect": "invite", "template": "b"}, {"effect": "tag", "tag": "y"}]),
        json!([{"effect": "suppress_invitations", "for": "P9D", "appeal": true}]),
        json!([{"effect": "invite", "template": "c"}, {"effect": "suppress_invitations", "for": "P9D", "appeal": true}]),
    ];
    let rules: Vec<_> = conditions
        .iter()
        .enumerate()
        .map(|(place, when)| {
            let mut rule = json!({"id": format!("r{place}"), "title": format!("规则{place}"), "on": ["rating.submitted"],
                "when": when, "priority": place % 5, "then": effects[place * 7 % 5]});
            if place % 3 == 0 {
                rule["exclusive_group"] = json!(format!("g{}", place % 2));
            }
            rule
        })
        .collect();
    compiled(
        &json!({"schema": 1, "name": "试", "period": {"from": "2026-03-01", "to": "2026-06-30"}, "rules": rules}),
    )
}

#[test]
fn what_is_decided_of_matched_rules_is_what_is_decided_of_all() {
    let mut runner = TestRunner::deterministic();
    let later = noon() + chrono::Duration::days(60);
    for round in 0..60 {
        let conditions = prop::collection::vec(condition(), 1..50);
        let set = many_effects(&conditions.new_tree(&mut runner).unwrap().current());
        let cases = prop::collection::vec(case(), 60);
        let now = if round % 6 == 0 { later } else { noon() };
        decisions_agree(&set, &cases.new_tree(&mut runner).unwrap().current(), now);
    }
}

#[test]
fn matching_allocates_nothing() {
    let mut runner = TestRunner::deterministic();
    let set = set(300..301).new_tree(&mut runner).unwrap().current();
    let cases = prop::collection::vec(case(), 200)
        .new_tree(&mut runner)
        .unwrap()
        .current();
    for method in [Method::Index, Method::Walk] {
        let matcher = set.matcher_by(KIND, method).unwrap();
        let mut binding = matcher.binding();
        let mut found = 0;
        let counted = allocation_counter::measure(|| {
            for facts in &cases {
                found += matcher.find(facts, &mut binding).len();
            }
        });
        assert!(found > 0);
        assert_eq!(counted.count_total, 0);
    }
}

/// 100,000 cases over 200 sets.
#[test]
fn the_index_finds_what_the_tree_finds() {
    let mut runner = TestRunner::deterministic();
    for round in 0..200 {
        let most = if round % 20 == 0 { 300 } else { 30 };
        let set = set(1..most).new_tree(&mut runner).unwrap().current();
        let cases = prop::collection::vec(case(), 500);
        agree(&set, &cases.new_tree(&mut runner).unwrap().current());
    }
}

#[test]
fn thousands_of_thresholds_are_cut_and_asked_again() {
    let rules: Vec<_> = (0..12_000)
        .map(|place| {
            let fen = place * 7 % 100_003;
            json!({"fact": "booking.total_fen", "op": "between", "value": [fen, fen + 500]})
        })
        .collect();
    let sets: Vec<_> = rules.chunks(9_999).map(of_conditions).collect();
    let cases: Vec<Facts> = (0..200)
        .map(|step| {
            let mut facts = Facts::new();
            facts.set("booking.total_fen", step * 503);
            facts
        })
        .collect();
    for set in &sets {
        agree(set, &cases);
    }
    // Over ten thousand rows the summary goes first.
    let wide: Vec<_> = rules
        .chunks(2)
        .map(|pair| json!({"any": [pair[0], {"all": [pair[1], {"fact": "customer.open_complaints", "op": "eq", "value": 0}]}]}))
        .collect();
    let set = of_conditions(&wide);
    let matcher = set.matcher_by(KIND, Method::Index).unwrap();
    assert!(matches!(&matcher.plan, super::Plan::Index(index) if !index.summary.is_empty()));
    agree(&set, &cases);
}

fn of_conditions(conditions: &[Json]) -> CompiledRuleSet {
    let rules: Vec<_> = conditions
        .iter()
        .enumerate()
        .map(|(place, when)| {
            json!({"id": format!("r{place}"), "title": "试", "on": ["rating.submitted"], "when": when,
                "then": [{"effect": "tag", "tag": "x"}]})
        })
        .collect();
    compiled(&json!({"schema": 1, "name": "试", "rules": rules}))
}

#[test]
fn unique_thresholds_stay_within_the_budget_of_memory() {
    let conditions: Vec<_> = (0..9_000)
        .map(|place| json!({"fact": "booking.total_fen", "op": "gte", "value": place * 11}))
        .collect();
    let matcher = of_conditions(&conditions)
        .matcher_by(KIND, Method::Index)
        .unwrap();
    assert!(matcher.bytes() < 4 * 1024 * 1024, "{}", matcher.bytes());
}

#[test]
fn equal_groups_are_stored_once() {
    let group = json!({"any": [
        {"fact": "rating.score", "op": "gte", "value": "4.80"}, {"fact": "customer.open_complaints", "op": "eq", "value": 0},
        {"fact": "rating.quality", "op": "gte", "value": 4}, {"fact": "rating.value", "op": "gte", "value": 4},
        {"fact": "rating.attitude", "op": "gte", "value": 4}, {"fact": "customer.city", "op": "eq", "value": "上海"},
        {"fact": "rating.punctuality", "op": "gte", "value": 4}, {"fact": "rating.communication", "op": "gte", "value": 4},
        {"fact": "booking.total_fen", "op": "gte", "value": 1}]});
    let conditions: Vec<_> = (0..100)
        .map(|place| json!({"all": [group, {"fact": "booking.prepaid_fen", "op": "gte", "value": place}]}))
        .collect();
    let set = of_conditions(&conditions);
    let matcher = set.matcher_by(KIND, Method::Index).unwrap();
    // One node a leaf, one the group.
    assert_eq!(matcher.arena.len(), 10);
}
