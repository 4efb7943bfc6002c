//! Typing: what is refused, and where.

use crate::rule::tests::{compiled, decide, facts};
use crate::rule::{Finding, Outcome, RuleSet, compile, decimal_text};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn with_when(when: &Json) -> Json {
    json!({"schema": 1, "name": "试", "rules": [{"id": "r", "title": "试", "on": ["rating.submitted"], "when": when,
        "then": [{"effect": "tag", "tag": "满意"}]}]})
}

fn refused(document: &Json) -> Vec<Finding> {
    compile(&RuleSet::from_json(document).unwrap()).unwrap_err()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn ill_typed_comparisons_are_refused_where_they_stand() {
    let cases = [
        (
            "RULE-FACT",
            "fact",
            json!({"fact": "booking.colour", "op": "eq", "value": "red"}),
        ),
        (
            "RULE-TYPE",
            "op",
            json!({"fact": "booking.sla_breached", "op": "gte", "value": true}),
        ),
        (
            "RULE-TYPE",
            "op",
            json!({"fact": "rating.score", "op": "contains", "value": "x"}),
        ),
        (
            "RULE-TYPE",
            "op",
            json!({"fact": "customer.tags", "op": "eq", "value": "x"}),
        ),
        (
            "RULE-TYPE",
            "value",
            json!({"fact": "rating.score", "op": "gte", "value": true}),
        ),
        (
            "RULE-TYPE",
            "value",
            json!({"fact": "rating.score", "op": "gte", "value": 4.805}),
        ),
        (
            "RULE-TYPE",
            "value",
            json!({"fact": "rating.score", "op": "in", "value": 4.8}),
        ),
        (
            "RULE-TYPE",
            "value",
            json!({"fact": "rating.score", "op": "between", "value": [5, 4]}),
        ),
        (
            "RULE-TYPE",
            "value",
            json!({"fact": "rating.score", "op": "gte", "value": {"fact": "booking.total_fen"}}),
        ),
        (
            "RULE-TYPE",
            "value",
            json!({"fact": "rating.score", "op": "gte", "value": {"parameter": "nowhere"}}),
        ),
        (
            "RULE-TYPE",
            "value",
            json!({"fact": "complaint.kind", "op": "eq", "value": "weather"}),
        ),
        (
            "RULE-VALUE",
            "value",
            json!({"fact": "rating.score", "op": "gte", "value": 6}),
        ),
        (
            "RULE-VALUE",
            "value",
            json!({"fact": "rating.score", "op": "lt", "value": 1}),
        ),
        (
            "RULE-VALUE",
            "value",
            json!({"fact": "booking.prepaid_ratio", "op": "gt", "value": 1}),
        ),
        (
            "RULE-TYPE",
            "value",
            json!({"fact": "customer.generation", "op": "eq", "value": 4}),
        ),
    ];
    for (id, field, when) in cases {
        let found = refused(&with_when(&when));
        let first = (found[0].id.as_str(), found[0].pointer.clone());
        assert_eq!(first, (id, format!("/rules/0/when/{field}")), "{when}");
    }
}

#[test]
fn every_fault_is_reported_not_only_the_first() {
    let when = json!({"all": [{"fact": "a.b", "op": "eq", "value": 1}, {"fact": "rating.score", "op": "gte", "value": 6}]});
    assert_eq!(refused(&with_when(&when)).len(), 2);
}

#[test]
fn cash_and_recipients_further_up_never_compile() {
    let mut document = with_when(&json!({"fact": "rating.score", "op": "gte", "value": 4}));
    document["benefits"] = json!({"money": {"kind": "cash", "fen": 100}});
    assert_eq!(refused(&document)[0].pointer, "/benefits/money/kind");
    document["benefits"] = json!({"c": {"kind": "coupon", "fen": 100}});
    for (field, value) in [("to", json!("inviters_inviter")), ("hop", json!(2))] {
        let mut grant = json!({"effect": "grant", "to": "inviter", "benefit": "c"});
        grant[field] = value;
        document["rules"][0]["then"] = json!([grant]);
        let found = refused(&document);
        assert_eq!(
            (found[0].id.as_str(), found[0].pointer.clone()),
            ("REF-L01", format!("/rules/0/then/0/{field}"))
        );
    }
    document["rules"][0]["then"] =
        json!([{"effect": "grant", "to": "inviter", "benefit": "nothing"}]);
    assert_eq!(refused(&document)[0].id, "RULE-BENEFIT");
}

#[test]
fn generations_beyond_three_never_compile() {
    for key in ["4", "0", "3+", "*"] {
        let document = json!({"schema": 1, "name": "试", "rules": [], "benefits": {"c": {"kind": "coupon", "fen": 1}}, "generations": {key: "c"}});
        assert_eq!(refused(&document)[0].id, "REF-L12", "{key}");
    }
}

#[test]
fn a_parameter_stands_in_for_its_literal() {
    let mut document =
        with_when(&json!({"fact": "rating.score", "op": "gte", "value": {"parameter": "line"}}));
    document["parameters"] = json!({"line": "4.80"});
    let outcomes = [479, 480].map(|score| {
        decide(
            &document,
            "rating.submitted",
            &facts(&[("rating.score", score)]),
        )[0]
        .outcome
    });
    assert_eq!(outcomes, [Outcome::Not, Outcome::Fired]);
}

#[test]
fn consents_of_all_facts_are_collected_even_under_not() {
    let when = json!({"not": {"fact": "customer.tags", "op": "contains", "value": "新客"}});
    let set = compiled(
        &json!({"schema": 1, "name": "试", "rules": [{"id": "r", "title": "试", "on": ["referral.redeemed"],
        "when": {"all": [when, {"fact": "referral.generation", "op": "eq", "value": 1}]},
        "then": [{"effect": "notify_staff", "text": "新朋友"}]}]}),
    );
    let purposes: Vec<_> = set.rules[0]
        .purposes
        .iter()
        .map(|need| need.purpose)
        .collect();
    assert_eq!(purposes, ["referral_link", "referral_profiling"]);
}

proptest! {
    #[test]
    fn a_comparison_is_refused_exactly_when_no_score_can_meet_it_as_written(
        op in prop_oneof![Just("eq"), Just("ne"), Just("gt"), Just("gte"), Just("lt"), Just("lte")],
        hundredths in 0_i64..700,
        negated in any::<bool>(),
    ) {
        let test = json!({"fact": "rating.score", "op": op, "value": decimal_text(hundredths, 2)});
        let document = with_when(&if negated { json!({"not": test}) } else { test });
        let mut scores = 100..=500;
        let possible = match op {
            // What is met or missed exactly must be a score.
            "eq" | "ne" => scores.contains(&hundredths),
            "gt" => scores.any(|score| score > hundredths),
            "gte" => scores.any(|score| score >= hundredths),
            "lt" => scores.any(|score| score < hundredths),
            _ => scores.any(|score| score <= hundredths),
        };
        prop_assert_eq!(compile(&RuleSet::from_json(&document).unwrap()).is_ok(), possible);
    }
}

#[test]
fn many_rules_keep_their_order_and_every_fault_its_place() {
    let rule = |place: usize| {
        let fact = if place % 100 == 7 {
            "booking.colour"
        } else {
            "rating.score"
        };
        json!({"id": format!("r{place}"), "title": "试", "on": ["rating.submitted"],
            "when": {"fact": fact, "op": "gte", "value": 4}, "then": [{"effect": "tag", "tag": "满意"}]})
    };
    let of = |places: Vec<usize>| {
        let rules: Vec<_> = places.into_iter().map(rule).collect();
        json!({"schema": 1, "name": "试", "rules": rules})
    };
    let faulty = refused(&of((0..1_000).collect()));
    let places: Vec<_> = faulty.iter().map(|found| found.pointer.clone()).collect();
    let wanted: Vec<_> = (0..10)
        .map(|hundred| format!("/rules/{}/when/fact", hundred * 100 + 7))
        .collect();
    assert_eq!(places, wanted);
    let good = compiled(&of((0..1_000).filter(|place| place % 100 != 7).collect()));
    assert!(good.rules.iter().map(|rule| rule.place).eq(0..990));
}
