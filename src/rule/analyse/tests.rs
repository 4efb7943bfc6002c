//! Contradictions, shadows, gaps and budgets; and that nothing is called dead that can act.

use super::*;
use crate::rule::tests::{decide, facts};
use crate::rule::{Outcome, PolicyPack, check};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn found(document: &Json) -> Vec<(String, String)> {
    let checked = check(document, PolicyPack::shipped());
    assert!(checked.compiled.is_some(), "{:?}", checked.findings);
    let analysis = checked
        .findings
        .into_iter()
        .filter(|finding| finding.id.starts_with("RULE-"));
    analysis
        .map(|finding| (finding.id, finding.pointer))
        .collect()
}

fn one(when: &Json) -> Json {
    json!({"schema": 1, "name": "试", "rules": [
        {"id": "r", "title": "试", "on": ["rating.submitted"], "when": when, "then": [{"effect": "tag", "tag": "满意"}]}]})
}

fn score(op: &str, value: &str) -> Json {
    json!({"fact": "rating.score", "op": op, "value": value})
}

#[test]
fn the_rules_of_one_event_look_back_over_a_bounded_number_of_stretches() {
    let looking_back = |stretches: usize| {
        let rule = |(place, days): (usize, Vec<usize>)| {
            let all: Vec<_> = days
                .into_iter()
                .flat_map(|days| {
                    // Folds of one stretch are one look.
                    ["min", "max"].map(|fold| json!({"fact": format!("rating.score@within(P{days}D).{fold}"), "op": "gte", "value": 4}))
                })
                .collect();
            json!({"id": format!("r{place}"), "title": "试", "on": ["rating.submitted"], "when": {"all": all},
                "then": [{"effect": "tag", "tag": "满意"}]})
        };
        let days: Vec<_> = (1..=stretches).collect();
        let rules: Vec<_> = days
            .chunks(30)
            .map(<[usize]>::to_vec)
            .enumerate()
            .map(rule)
            .collect();
        found(&json!({"schema": 1, "name": "试", "rules": rules}))
    };
    let size = |found: Vec<(String, String)>| {
        found.contains(&("RULE-SIZE".to_owned(), "/rules".to_owned()))
    };
    assert!(!size(looking_back(64)));
    assert!(size(looking_back(65)));
}

#[test]
fn contradicting_conditions_are_found() {
    let dead = [
        json!({"all": [score("gte", "4.80"), score("lt", "4.50")]}),
        json!({"all": [score("gt", "4.79"), {"not": score("gte", "4.80")}]}),
        json!({"all": [score("gte", "4.80"), {"fact": "rating.score", "op": "is_unknown"}]}),
        json!({"all": [score("gte", "4.80"), {"any": [score("lt", "2.00"), score("eq", "3.00")]}]}),
        json!({"all": [{"fact": "customer.city", "op": "eq", "value": "上海"}, {"fact": "customer.city", "op": "eq", "value": "北京"}]}),
        json!({"all": [{"fact": "booking.is_rework", "op": "ne", "value": true}, {"fact": "booking.is_rework", "op": "ne", "value": false}]}),
    ];
    for when in dead {
        assert_eq!(
            found(&one(&when)),
            [("RULE-CONTRADICTION".to_owned(), "/rules/0/when".to_owned())],
            "{when}"
        );
    }
}

#[test]
fn what_can_happen_is_not_called_a_contradiction() {
    let alive = [
        json!({"all": [score("gte", "4.80"), score("lte", "4.80")]}),
        json!({"any": [score("gte", "4.80"), score("lt", "4.50")]}),
        json!({"any": [{"all": [score("gte", "4.80"), score("lt", "4.50")]}, score("lt", "4.50")]}),
        json!({"all": [{"fact": "customer.city", "op": "ne", "value": "上海"}, {"fact": "customer.city", "op": "ne", "value": "北京"}]}),
    ];
    for when in alive {
        assert_eq!(found(&one(&when)), Vec::new(), "{when}");
    }
}

fn grouped(first: &Json, second: &Json) -> Json {
    let rule = |id: &str, when: &Json, priority: i64| {
        json!({"id": id, "title": id, "on": ["rating.submitted"], "when": when, "then": [{"effect": "tag", "tag": id}],
            "priority": priority, "exclusive_group": "g"})
    };
    json!({"schema": 1, "name": "试", "rules": [rule("a", first, 9), rule("b", second, 1)]})
}

#[test]
fn a_rule_behind_a_wider_one_of_its_group_is_shadowed() {
    let shadow = [("RULE-SHADOW".to_owned(), "/rules/1".to_owned())];
    assert_eq!(
        found(&grouped(&score("gte", "4.00"), &score("gte", "4.80"))),
        shadow
    );
    assert_eq!(
        found(&grouped(&score("gte", "4.80"), &score("gte", "4.00"))),
        []
    );
    let narrower = json!({"all": [score("gte", "4.00"), {"fact": "booking.is_rework", "op": "eq", "value": false}]});
    assert_eq!(found(&grouped(&narrower, &score("gte", "4.80"))), []);
    assert_eq!(found(&grouped(&score("gte", "4.00"), &narrower)), shadow);
}

#[test]
fn an_invitation_always_vetoed_by_a_suppression_is_shadowed() {
    let document = json!({"schema": 1, "name": "试", "organiser": "甲", "period": {"from": "2026-01-01", "to": "2026-12-31"}, "rules": [
        {"id": "ask", "title": "问", "on": ["complaint.sla_breached"], "then": [{"effect": "invite", "template": "t"}]},
        {"id": "stop", "title": "停", "on": ["complaint.sla_breached"], "then": [{"effect": "suppress_invitations", "for": "P1D", "appeal": true}]}]});
    assert_eq!(
        found(&document),
        [("RULE-SHADOW".to_owned(), "/rules/0".to_owned())]
    );
}

#[test]
fn gaps_in_generations_and_unused_benefits_are_named() {
    let document = json!({"schema": 1, "name": "试", "rules": [], "generations": {"1": "a", "3": "a"},
        "benefits": {"a": {"kind": "privilege", "privilege": "x"}, "b": {"kind": "coupon", "fen": 1}}});
    let expected = [
        ("RULE-GENERATION", "/generations"),
        ("RULE-UNUSED", "/benefits/b"),
    ];
    assert_eq!(
        found(&document),
        expected.map(|(id, pointer)| (id.to_owned(), pointer.to_owned()))
    );
}

fn granting(caps: &Json) -> WorstCase {
    let document = json!({"schema": 1, "name": "试", "period": {"from": "2026-01-01", "to": "2026-01-30"}, "rules": [
        {"id": "r", "title": "试", "on": ["referral.qualified"], "caps": caps,
            "then": [{"effect": "grant", "to": "inviter", "benefit": "c"}]}],
        "benefits": {"c": {"kind": "coupon", "fen": 2000}}});
    check(&document, PolicyPack::shipped()).worst_case
}

#[test]
fn the_worst_case_is_the_tighter_of_budget_and_count() {
    assert_eq!(granting(&json!({"budget_fen": 5000})).fen, Some(5000));
    let ten = json!([{"times": 10, "per": "P30D"}]);
    // 30 days may touch two rolling spans of 30 days.
    assert_eq!(granting(&json!({"per_rule": ten})).fen, Some(40_000));
    assert_eq!(
        granting(&json!({"per_rule": ten, "budget_fen": 5000})).fen,
        Some(5000)
    );
    let open = granting(&json!({}));
    assert_eq!(
        (open.fen, open.unbounded),
        (None, vec!["/rules/0".to_owned()])
    );
}

/// A set that gives goods at this price by a rule with a budget.
fn giving_goods(value_fen: Option<i64>) -> Json {
    let mut document = json!({"schema": 1, "name": "试", "rules": [
        {"id": "r", "title": "试", "on": ["referral.qualified"], "caps": {"budget_fen": 5000},
            "then": [{"effect": "grant", "to": "inviter", "benefit": "c"}]}],
        "benefits": {"c": {"kind": "goods", "sku": "x"}}});
    if let Some(fen) = value_fen {
        document["benefits"]["c"]["value_fen"] = json!(fen);
    }
    document
}

#[test]
fn goods_without_a_price_are_not_given_away_behind_the_budget() {
    let place = "/benefits/c/value_fen".to_owned();
    let unpriced = ("RULE-PRICE".to_owned(), place.clone());
    let worst = |document: &Json| check(document, PolicyPack::shipped()).worst_case;
    for price in [None, Some(0)] {
        let by_rule = giving_goods(price);
        assert!(found(&by_rule).contains(&unpriced), "{by_rule}");
        let open = worst(&by_rule);
        assert_eq!(
            (open.fen, open.unbounded),
            (None, vec!["/rules/0".to_owned()])
        );
        for programme in ["generations", "inviter_thanks"] {
            let mut document = giving_goods(price);
            document["rules"] = json!([]);
            assert!(!found(&document).contains(&unpriced), "only declared");
            document[programme] = if programme == "generations" {
                json!({"1": "c"})
            } else {
                json!("c")
            };
            assert!(found(&document).contains(&unpriced), "{document}");
            let open = worst(&document);
            assert_eq!((open.fen, open.unbounded), (None, vec![place.clone()]));
        }
    }
    let priced = giving_goods(Some(1));
    assert!(!found(&priced).contains(&unpriced));
    assert_eq!(worst(&priced).fen, Some(5000));
}

#[test]
fn a_rule_without_budget_for_its_coupon_is_dead() {
    let mut document = json!({"schema": 1, "name": "试", "rules": [{"id": "r", "title": "试", "on": ["referral.qualified"],
        "caps": {"budget_fen": 0}, "then": [{"effect": "grant", "to": "inviter", "benefit": "c"}]}],
        "benefits": {"c": {"kind": "coupon", "fen": 1}}});
    assert_eq!(
        found(&document)[0],
        (
            "RULE-DEAD".to_owned(),
            "/rules/0/caps/budget_fen".to_owned()
        )
    );
    document["benefits"]["c"] = json!({"kind": "privilege", "privilege": "x"});
    assert_eq!(found(&document), []);
}

proptest! {
    #[test]
    fn nothing_that_fires_is_called_a_contradiction(
        low in 101_i64..500, high in 101_i64..500, op in prop::sample::select(vec!["gte", "lte", "eq", "ne", "gt", "lt"]),
        flip: bool, any: bool, got in 100_i64..=500,
    ) {
        let text = |value: i64| crate::rule::decimal_text(value, 2);
        let second = score(op, &text(high.min(499)));
        let second = if flip { json!({"not": second}) } else { second };
        let when = json!({ if any { "any" } else { "all" }: [score("gte", &text(low)), second] });
        let document = one(&when);
        let fired = decide(&document, "rating.submitted", &facts(&[("rating.score", got)]))[0].outcome == Outcome::Fired;
        let dead = found(&document).iter().any(|(id, _)| id == "RULE-CONTRADICTION");
        prop_assert!(!(fired && dead));
    }
}

#[test]
fn the_shadow_check_stops_at_its_budget_and_says_so() {
    let words: Vec<String> = (0..900).map(|word| format!("w{word}")).collect();
    let rules: Vec<Json> = (0..300)
        .map(|index| {
            json!({"id": format!("r{index}"), "title": "试", "on": ["rating.submitted"], "exclusive_group": "g",
                "when": {"all": [{"fact": "customer.city", "op": "in", "value": words},
                                 {"fact": "rating.score", "op": "eq", "value": "4.80"},
                                 {"fact": "booking.total_fen", "op": "eq", "value": index}]},
                "then": [{"effect": "tag", "tag": "满意"}]})
        })
        .collect();
    let document = json!({"schema": 1, "name": "试", "rules": rules});
    let stopped = ("RULE-SHADOW".to_owned(), "/rules".to_owned());
    assert!(found(&document).contains(&stopped));
}

#[test]
fn long_lists_are_folded_in_one_pass() {
    let points: Vec<i64> = (0..1000).rev().map(|point| point * 2).collect();
    let tests: Vec<Json> = (0..64)
        .map(|_| json!({"fact": "booking.total_fen", "op": "not_in", "value": points}))
        .collect();
    assert_eq!(found(&one(&json!({ "all": tests }))), Vec::new());
}

#[test]
fn caps_and_hours_nothing_looks_at_are_not_published() {
    let ruled = |then: Json, key: &str, value: &Json| {
        let mut document = json!({"schema": 1, "name": "试", "organiser": "甲", "period": {"from": "2026-01-01", "to": "2026-12-31"},
            "rules": [{"id": "r", "title": "试", "on": ["referral.qualified"], "then": then}],
            "benefits": {"b": {"kind": "privilege", "privilege": "x"}}});
        document["rules"][0][key] = value.clone();
        let found = found(&document).into_iter();
        let found = found.filter(|(id, _)| id == "RULE-IGNORED");
        found.map(|(_, pointer)| pointer).collect::<Vec<_>>()
    };
    let invite = json!({"effect": "invite", "template": "baseline"});
    let grant = json!({"effect": "grant", "to": "inviter", "benefit": "b"});
    let idle = [
        json!({"effect": "tag", "tag": "满意"}),
        json!({"effect": "notify_staff", "text": "看一下"}),
        json!({"effect": "unlock", "feature": "albums"}),
        json!({"effect": "suppress_invitations", "for": "P1D", "appeal": true}),
    ];
    let hours = json!({"hours": "10:00-12:00"});
    for caps in [
        json!({"per_customer": [{"times": 1, "per": "P30D"}]}),
        json!({"per_rule": [{"times": 1, "per": "P30D"}]}),
        json!({"budget_fen": 1000}),
    ] {
        let place = ["/rules/0/caps"];
        assert_eq!(ruled(json!(idle), "caps", &caps), place, "{caps}");
        for one in &idle {
            assert_eq!(ruled(json!([one]), "caps", &caps), place, "{one}");
        }
        assert_eq!(ruled(json!([idle[0], grant]), "caps", &caps), [""; 0]);
        assert_eq!(ruled(json!([invite]), "caps", &caps), [""; 0]);
    }
    for one in idle.iter().chain([&grant]) {
        let place = ["/rules/0/schedule"];
        assert_eq!(ruled(json!([one]), "schedule", &hours), place, "{one}");
    }
    assert_eq!(ruled(json!([idle[0], invite]), "schedule", &hours), [""; 0]);
    assert_eq!(ruled(json!(idle), "priority", &json!(3)), [""; 0]);
}
