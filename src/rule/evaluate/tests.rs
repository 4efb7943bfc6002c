//! The evaluator against a plain Kleene reading of the document, and its order of precedence.

use super::*;
use crate::rule::document::Condition;
use crate::rule::tests::{compiled, decide, event, facts, noon};
use crate::rule::{RuleSet, Truth};
use proptest::prelude::*;

fn rule(id: &str, more: &Json) -> Json {
    let mut rule = json!({"id": id, "title": id, "on": ["rating.submitted"], "then": [{"effect": "invite", "template": id}]});
    for (key, value) in more.as_object().unwrap() {
        rule[key] = value.clone();
    }
    rule
}

fn set(rules: &[Json]) -> Json {
    json!({"schema": 1, "name": "试", "rules": rules})
}

fn outcomes(document: &Json, facts: &Facts) -> Vec<(String, Outcome)> {
    let decisions = decide(document, "rating.submitted", facts);
    decisions
        .into_iter()
        .map(|decision| (decision.rule_id, decision.outcome))
        .collect()
}

fn pairs(expected: &[(&str, Outcome)]) -> Vec<(String, Outcome)> {
    expected
        .iter()
        .map(|(id, outcome)| ((*id).to_owned(), *outcome))
        .collect()
}

#[test]
fn only_rules_listening_to_the_event_are_decided() {
    let document = set(&[
        rule("a", &json!({})),
        rule("b", &json!({"on": ["booking.completed"]})),
    ]);
    assert_eq!(
        outcomes(&document, &Facts::new()),
        pairs(&[("a", Outcome::Fired)])
    );
}

#[test]
fn the_highest_priority_of_a_group_wins_and_losers_say_why() {
    let group = |priority: i64| json!({"priority": priority, "exclusive_group": "g"});
    let document = set(&[
        rule("low", &group(1)),
        rule("high", &group(9)),
        rule("even", &group(9)),
    ]);
    let decisions = decide(&document, "rating.submitted", &Facts::new());
    let ids: Vec<_> = decisions
        .iter()
        .map(|one| (one.rule_id.as_str(), one.outcome))
        .collect();
    assert_eq!(
        ids,
        [
            ("high", Outcome::Fired),
            ("even", Outcome::Not),
            ("low", Outcome::Not)
        ]
    );
    assert_eq!(decisions[2].blocked_by, None);
    assert_eq!(decisions[2].reason.as_deref(), Some("同组的规则“high”优先"));
    assert!(decisions[2].effects.is_empty());
}

#[test]
fn a_suppression_of_the_same_event_vetoes_invitations_and_leaves_grants() {
    let mut document = set(&[
        rule("ask", &json!({"priority": 100})),
        rule(
            "both",
            &json!({"then": [{"effect": "tag", "tag": "x"}, {"effect": "invite", "template": "t"}]}),
        ),
        rule(
            "stop",
            &json!({"then": [{"effect": "suppress_invitations", "for": "P90D", "appeal": true}]}),
        ),
    ]);
    let expected = [
        ("stop", Outcome::Fired),
        ("ask", Outcome::Held),
        ("both", Outcome::Fired),
    ];
    assert_eq!(outcomes(&document, &Facts::new()), pairs(&expected));
    let decisions = decide(&document, "rating.submitted", &Facts::new());
    assert_eq!(decisions[1].blocked_by, Some(BlockedBy::Suppression));
    let slots: Vec<_> = decisions[2]
        .effects
        .iter()
        .map(|effect| effect.slot)
        .collect();
    assert_eq!(slots, [0]);
    document["rules"][2]["when"] = json!({"fact": "rating.score", "op": "lt", "value": 2});
    assert_eq!(
        outcomes(&document, &facts(&[("rating.score", 500)]))[1],
        ("ask".to_owned(), Outcome::Fired)
    );
}

#[test]
fn open_complaints_and_minors_are_never_asked_whatever_the_rule_says() {
    let document = set(&[rule("ask", &json!({}))]);
    assert_eq!(
        outcomes(&document, &facts(&[("customer.open_complaints", 1)])),
        pairs(&[("ask", Outcome::Held)])
    );
    let mut minor = Facts::new();
    minor.set("customer.is_minor", true);
    assert_eq!(
        outcomes(&document, &minor),
        pairs(&[("ask", Outcome::Held)])
    );
    minor.set("customer.is_minor", false);
    assert_eq!(
        outcomes(&document, &minor),
        pairs(&[("ask", Outcome::Fired)])
    );
}

#[test]
fn the_period_is_counted_in_business_days() {
    let mut document = set(&[rule("ask", &json!({}))]);
    document["period"] = json!({"from": "2026-06-01", "to": "2026-06-01"});
    let set = compiled(&document);
    let at = |time: &str| {
        evaluate(
            &set,
            &event("rating.submitted"),
            &Facts::new(),
            time.parse().unwrap(),
        )[0]
        .outcome
    };
    assert_eq!(at("2026-05-31T15:59:59Z"), Outcome::Not);
    assert_eq!(at("2026-05-31T16:00:00Z"), Outcome::Fired);
    assert_eq!(at("2026-06-01T15:59:59Z"), Outcome::Fired);
    assert_eq!(at("2026-06-01T16:00:00Z"), Outcome::Not);
}

#[test]
fn a_schedule_moves_effects_to_its_next_opening_and_loses_none() {
    let set = compiled(&set(&[rule(
        "ask",
        &json!({"schedule": {"hours": "09:00-20:30"}}),
    )]));
    let due = |time: &str| {
        evaluate(
            &set,
            &event("rating.submitted"),
            &Facts::new(),
            time.parse().unwrap(),
        )[0]
        .effects[0]
            .not_before
    };
    assert_eq!(due("2026-06-01T04:00:00Z"), noon());
    assert_eq!(
        due("2026-06-01T14:00:00Z").to_rfc3339(),
        "2026-06-02T01:00:00+00:00"
    );
    assert_eq!(
        due("2026-05-31T20:00:00Z").to_rfc3339(),
        "2026-06-01T01:00:00+00:00"
    );
    assert_eq!(
        due("2026-06-01T12:30:00Z").to_rfc3339(),
        "2026-06-02T01:00:00+00:00"
    );
}

#[test]
fn the_audience_is_one_more_condition() {
    let document = set(&[rule(
        "ask",
        &json!({"audience": {"city": ["上海", "北京"]}}),
    )]);
    let mut facts = Facts::new();
    assert_eq!(outcomes(&document, &facts)[0].1, Outcome::Unknown);
    facts.set("customer.city", "广州");
    let decision = decide(&document, "rating.submitted", &facts).remove(0);
    assert_eq!(
        (decision.outcome, decision.conditions[0].pointer.as_str()),
        (Outcome::Not, "/rules/0/audience/city")
    );
    facts.set("customer.city", "上海");
    assert_eq!(outcomes(&document, &facts)[0].1, Outcome::Fired);
}

#[test]
fn a_value_of_the_wrong_shape_counts_as_missing() {
    let document = set(&[rule(
        "ask",
        &json!({"when": {"fact": "rating.score", "op": "gte", "value": 1}}),
    )]);
    let mut facts = Facts::new();
    facts.set("rating.score", "4.80");
    assert_eq!(outcomes(&document, &facts)[0].1, Outcome::Unknown);
}

const NAMES: [&str; 4] = [
    "rating.score",
    "rating.quality",
    "rating.attitude",
    "rating.value",
];

fn leaf() -> impl Strategy<Value = Json> {
    let op = prop::sample::select(vec![
        "eq",
        "ne",
        "gt",
        "gte",
        "lt",
        "lte",
        "is_known",
        "is_unknown",
        "between",
        "in",
        "not_in",
        "fact",
    ]);
    (prop::sample::select(NAMES.to_vec()), op, 101_i64..499).prop_map(|(fact, op, value)| {
        let value = crate::rule::decimal_text(value, 2);
        match op {
            "is_known" | "is_unknown" => json!({"fact": fact, "op": op}),
            "between" => json!({"fact": fact, "op": op, "value": ["1.50", "3.00"]}),
            "in" | "not_in" => json!({"fact": fact, "op": op, "value": [value, "4.00"]}),
            "fact" => json!({"fact": fact, "op": "gte", "value": {"fact": "rating.score"}}),
            _ => json!({"fact": fact, "op": op, "value": value}),
        }
    })
}

fn tree() -> impl Strategy<Value = Json> {
    leaf().prop_recursive(4, 20, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|all| json!({"all": all})),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|any| json!({"any": any})),
            inner.prop_map(|not| json!({"not": not})),
        ]
    })
}

fn known() -> impl Strategy<Value = Facts> {
    proptest::collection::vec(proptest::option::of(100_i64..=500), NAMES.len()).prop_map(|values| {
        let mut facts = Facts::new();
        for (name, value) in NAMES.iter().zip(values) {
            facts.set_known(*name, value);
        }
        facts
    })
}

/// Kleene's reading of the written tree, `not` included; only leaves are taken from the compiled set.
fn oracle(condition: &Condition, results: &[ConditionResult]) -> Truth {
    match condition {
        Condition::All(inner) => inner
            .iter()
            .map(|one| oracle(one, results))
            .fold(Truth::True, Truth::and),
        Condition::Any(inner) => inner
            .iter()
            .map(|one| oracle(one, results))
            .fold(Truth::False, Truth::or),
        Condition::Not(inner) => !oracle(inner, results),
        Condition::Test(test) => {
            let found = results
                .iter()
                .find(|one| *one.pointer == *test.pointer)
                .unwrap();
            if found.op == test.op {
                found.outcome
            } else {
                !found.outcome
            }
        }
    }
}

proptest! {
    #[test]
    fn pushing_not_inward_keeps_every_truth_value(when in tree(), facts in known()) {
        let document = set(&[rule("r", &json!({"when": when}))]);
        let written = RuleSet::from_json(&document).unwrap();
        let decision = decide(&document, "rating.submitted", &facts).remove(0);
        let expected = match oracle(written.rules[0].when.as_ref().unwrap(), &decision.conditions) {
            Truth::True => Outcome::Fired,
            Truth::Unknown => Outcome::Unknown,
            Truth::False => Outcome::Not,
        };
        prop_assert_eq!(decision.outcome, expected);
    }

    #[test]
    fn double_negation_and_de_morgan_hold_for_documents(a in tree(), b in tree(), facts in known()) {
        let decided = |when: Json| decide(&set(&[rule("r", &json!({"when": when}))]), "rating.submitted", &facts)[0].outcome;
        prop_assert_eq!(decided(json!({"not": {"not": a.clone()}})), decided(a.clone()));
        let not_all = json!({"not": {"all": [a.clone(), b.clone()]}});
        prop_assert_eq!(decided(not_all), decided(json!({"any": [{"not": a.clone()}, {"not": b.clone()}]})));
        let not_any = json!({"not": {"any": [a.clone(), b.clone()]}});
        prop_assert_eq!(decided(not_any), decided(json!({"all": [{"not": a}, {"not": b}]})));
    }

    #[test]
    fn an_unknown_fact_in_a_conjunction_never_fires(score in 100_i64..=500, want in 100_i64..=500, negate: bool) {
        let want = crate::rule::decimal_text(want, 2);
        let missing = json!({"fact": "rating.quality", "op": "lte", "value": want});
        let missing = if negate { json!({"not": missing}) } else { missing };
        let when = json!({"all": [{"fact": "rating.score", "op": "gte", "value": 1}, missing]});
        let decision = decide(&set(&[rule("r", &json!({"when": when}))]), "rating.submitted", &facts(&[("rating.score", score)])).remove(0);
        prop_assert_eq!(decision.outcome, Outcome::Unknown);
        prop_assert!(decision.effects.is_empty());
    }

    #[test]
    fn a_better_rating_never_loses_a_gte_rule(line in 100_i64..=500, low in 100_i64..=500, more in 0_i64..=400) {
        let document = set(&[rule("r", &json!({"when": {"fact": "rating.score", "op": "gte", "value": crate::rule::decimal_text(line, 2)}}))]);
        let fires = |score: i64| decide(&document, "rating.submitted", &facts(&[("rating.score", score)]))[0].outcome == Outcome::Fired;
        prop_assert!(!fires(low) || fires((low + more).min(500)));
        prop_assert_eq!(fires(low), low >= line);
    }

    #[test]
    fn meeting_the_decisive_conditions_fires_the_rule(when in tree(), facts in known()) {
        let decision = decide(&set(&[rule("r", &json!({"when": when.clone()}))]), "rating.submitted", &facts).remove(0);
        let all_met = decision.conditions.iter().map(|one| ConditionResult {
            outcome: if one.decisive { Truth::True } else { one.outcome }, ..one.clone()
        }).collect::<Vec<_>>();
        let document = set(&[rule("r", &json!({"when": when}))]);
        let written = RuleSet::from_json(&document).unwrap();
        prop_assert_eq!(oracle(written.rules[0].when.as_ref().unwrap(), &all_met), Truth::True);
    }
}

#[test]
fn a_rule_without_its_consent_wins_no_group_and_shows_nothing() {
    let asking = rule(
        "ask",
        &json!({"priority": 9, "exclusive_group": "g", "when": {"fact": "rating.score", "op": "gte", "value": 1}}),
    );
    let telling = rule(
        "tell",
        &json!({"exclusive_group": "g", "then": [{"effect": "notify_staff", "text": "看一下"}]}),
    );
    let set = compiled(&set(&[asking, telling]));
    let known = facts(&[("rating.score", 500)]);
    let none = evaluate_with(&set, &event("rating.submitted"), &known, noon(), &|_| false);
    assert_eq!(
        (none[0].outcome, none[0].blocked_by),
        (Outcome::Held, Some(BlockedBy::Consent))
    );
    assert!(none[0].conditions.is_empty() && none[0].effects.is_empty());
    assert_eq!(none[1].outcome, Outcome::Fired);
    let all = evaluate(&set, &event("rating.submitted"), &known, noon());
    assert_eq!(all[1].outcome, Outcome::Not);
}
