//! Arrangements shared by the engine's tests, and the seed's rules end to end.

use super::*;
use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Known numbers.
pub(crate) fn facts(known: &[(&str, i64)]) -> Facts {
    let mut facts = Facts::new();
    for (name, value) in known {
        facts.set(*name, *value);
    }
    facts
}

/// Noon in Shanghai on 2026-06-01.
pub(crate) fn noon() -> DateTime<Utc> {
    "2026-06-01T04:00:00Z".parse().unwrap()
}

pub(crate) fn compiled(document: &Json) -> CompiledRuleSet {
    compile(&RuleSet::from_json(document).unwrap()).unwrap()
}

pub(crate) fn event(kind: &str) -> Event {
    Event {
        id: Uuid::from_u128(1),
        kind: EventKind::parse(kind).unwrap(),
        customer_id: Uuid::from_u128(2),
    }
}

pub(crate) fn decide(document: &Json, kind: &str, facts: &Facts) -> Vec<Decision> {
    evaluate(&compiled(document), &event(kind), facts, noon())
}

fn seed() -> Json {
    serde_json::from_str(DEFAULT_RULESET).unwrap()
}

fn happy() -> Facts {
    let mut known = facts(&[
        ("booking.prepaid_ratio", 5000),
        ("rating.score", 480),
        ("customer.open_complaints", 0),
    ]);
    known.set("booking.sla_breached", false);
    known
}

#[test]
fn the_shipped_set_has_nothing_that_blocks() {
    let checked = check_text(DEFAULT_RULESET, PolicyPack::shipped());
    let serious: Vec<_> = checked
        .findings
        .iter()
        .filter(|found| found.severity != Severity::Warn)
        .collect();
    assert!(serious.is_empty(), "{serious:#?}");
    let ids: Vec<_> = checked
        .findings
        .iter()
        .map(|found| found.id.as_str())
        .collect();
    assert_eq!(ids, ["REF-L13", "REF-L13", "RULE-BUDGET"]);
    assert!(checked.publishable());
    assert_eq!(checked.worst_case.fen, Some(12_000_000));
}

#[test]
fn half_prepaid_and_four_point_eight_is_asked() {
    let decisions = decide(&seed(), "rating.submitted", &happy());
    assert_eq!(decisions.len(), 1);
    assert_eq!(
        (decisions[0].rule_id.as_str(), decisions[0].outcome),
        ("quality-baseline", Outcome::Fired)
    );
    assert!(matches!(
        &decisions[0].effects[..],
        [ResolvedEffect {
            slot: 0,
            action: Action::Invite { .. },
            ..
        }]
    ));
    let profiling = ConsentNeed {
        purpose: "referral_profiling",
        of: Whose::Customer,
    };
    assert_eq!(decisions[0].purposes, [profiling]);
    assert_eq!(decisions[0].conditions[1].want, json!(4.8));
    assert_eq!(decisions[0].conditions[1].got, json!(4.8));
}

#[test]
fn one_hundredth_below_the_line_is_not_asked() {
    for (name, value) in [
        ("booking.prepaid_ratio", 4999),
        ("rating.score", 479),
        ("customer.open_complaints", 1),
    ] {
        let mut facts = happy();
        facts.set(name, value);
        assert_eq!(
            decide(&seed(), "rating.submitted", &facts)[0].outcome,
            Outcome::Not,
            "{name}"
        );
    }
}

#[test]
fn a_missing_fact_is_unknown_and_named() {
    for name in [
        "booking.prepaid_ratio",
        "rating.score",
        "customer.open_complaints",
        "booking.sla_breached",
    ] {
        let mut facts = happy();
        facts.remove(name);
        let decisions = decide(&seed(), "rating.submitted", &facts);
        assert_eq!(decisions[0].outcome, Outcome::Unknown, "{name}");
        let unknown: Vec<_> = decisions[0]
            .conditions
            .iter()
            .filter(|one| one.outcome == Truth::Unknown)
            .collect();
        assert_eq!((unknown.len(), unknown[0].fact.as_str()), (1, name));
    }
}

#[test]
fn an_sla_breach_suppresses_for_ninety_days_with_appeal() {
    let decisions = decide(&seed(), "complaint.sla_breached", &Facts::new());
    let [effect] = &decisions[0].effects[..] else {
        panic!("one effect")
    };
    let ninety = crate::kernel::Span::days(90);
    assert_eq!(
        effect.action,
        Action::SuppressInvitations {
            lasts: ninety,
            appeal: true
        }
    );
    assert_eq!(effect.action.reversal(), Reversal::Lift);
    assert!(decisions[0].purposes.is_empty());
}

#[test]
fn two_qualified_friends_in_a_row_give_priority_once() {
    let one = decide(
        &seed(),
        "referral.qualified",
        &facts(&[("inviter.consecutive_qualified", 1)]),
    );
    assert_eq!(one[0].outcome, Outcome::Not);
    let two = decide(
        &seed(),
        "referral.qualified",
        &facts(&[("inviter.consecutive_qualified", 2)]),
    );
    let Action::Grant {
        to, once, benefit, ..
    } = &two[0].effects[0].action
    else {
        panic!("a grant")
    };
    assert_eq!(
        (*to, *once, benefit.name.as_str()),
        (Beneficiary::Inviter, true, "priority_scheduling")
    );
    assert_eq!(
        two[0].purposes,
        [ConsentNeed {
            purpose: "referral_link",
            of: Whose::Invitee
        }]
    );
}

#[test]
fn the_three_generations_and_the_thanks_are_resolved() {
    let set = compiled(&seed());
    let names: Vec<_> = (0..5)
        .map(|generation| set.welcome(generation).map(|found| found.name.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            None,
            Some("welcome_1"),
            Some("welcome_2"),
            Some("welcome_3"),
            None
        ]
    );
    assert_eq!(
        set.inviter_thanks
            .as_ref()
            .and_then(|found| found.benefit.cost_fen()),
        Some(2000)
    );
}

#[test]
fn only_the_facts_an_event_needs_are_asked_for() {
    let set = compiled(&seed());
    let names = |kind: &str| -> Vec<String> {
        set.facts_for(event(kind).kind)
            .map(ToString::to_string)
            .collect()
    };
    assert_eq!(
        names("referral.qualified"),
        ["inviter.consecutive_qualified"]
    );
    assert_eq!(names("complaint.sla_breached"), Vec::<String>::new());
    assert_eq!(
        names("rating.submitted"),
        [
            // What is paid and what it is paid of are read to say how much is missing.
            "booking.prepaid_fen",
            "booking.prepaid_ratio",
            "booking.sla_breached",
            "booking.total_fen",
            "customer.is_minor",
            "customer.open_complaints",
            "rating.score"
        ]
    );
}

#[test]
fn a_decision_survives_being_recorded() {
    let decision = decide(&seed(), "rating.submitted", &happy()).remove(0);
    let text = serde_json::to_string(&decision).unwrap();
    assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), decision);
}

#[test]
fn what_cannot_compile_always_shows_a_blocking_finding() {
    let mut document = seed();
    document["benefits"]["thanks"] = json!({"kind": "insurance"});
    let checked = check(&document, PolicyPack::shipped());
    let ids: Vec<_> = checked
        .findings
        .iter()
        .filter(|found| found.blocks())
        .map(|found| found.id.as_str())
        .collect();
    assert_eq!((checked.publishable(), ids), (false, vec!["RULE-BENEFIT"]));
    document["benefits"]["thanks"] = json!({"kind": "cash", "fen": 1});
    let checked = check(&document, PolicyPack::shipped());
    let ids: Vec<_> = checked
        .findings
        .iter()
        .filter(|found| found.blocks())
        .map(|found| found.id.as_str())
        .collect();
    assert_eq!((checked.publishable(), ids), (false, vec!["REF-L06"]));
}
