//! One bad and one good document per lint. The good one differs as little as possible.

mod bypass;
mod people;
mod worth;

use super::*;
use crate::rule::Severity;
use serde_json::{Value as Json, json};

/// A lawful set every case starts from.
fn base() -> Json {
    json!({"schema": 1, "name": "春季转介绍", "organiser": "某家政公司", "period": {"from": "2026-03-01", "to": "2026-06-30"},
        "rules": [
            {"id": "ask", "title": "邀约", "on": ["rating.submitted"],
                "when": {"all": [{"fact": "customer.open_complaints", "op": "eq", "value": 0},
                                 {"fact": "rating.score", "op": "gte", "value": 4.8},
                                 {"fact": "booking.prepaid_ratio", "op": "gte", "value": 0.5}]},
                "then": [{"effect": "invite", "template": "t"}],
                "caps": {"per_customer": [{"times": 1, "per": "P30D"}], "budget_fen": 1000},
                "audience": {"city": ["上海"]}, "schedule": {"hours": "09:00-20:30"}},
            {"id": "give", "title": "答谢", "on": ["referral.qualified"],
                "when": {"fact": "inviter.consecutive_qualified", "op": "gte", "value": 2},
                "then": [{"effect": "grant", "to": "inviter", "benefit": "thanks", "once": true}],
                "caps": {"per_customer": [{"times": 1, "per": "P30D"}], "budget_fen": 1000}},
            {"id": "stop", "title": "停发", "on": ["complaint.sla_breached"],
                "then": [{"effect": "suppress_invitations", "for": "P90D", "appeal": true}]}],
        "benefits": {"welcome": {"kind": "price_off", "fen": 3000}, "thanks": {"kind": "coupon", "fen": 2000}},
        "generations": {"1": "welcome"}, "inviter_thanks": "thanks"})
}

fn linted(document: &Json) -> Vec<Finding> {
    lint(
        &RuleSet::from_json(document).unwrap_or_else(|faults| panic!("{faults:#?}")),
        PolicyPack::shipped(),
    )
}

/// The base with one place changed.
fn changed(pointer: &str, value: Json) -> Json {
    let mut document = base();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    match parent {
        Json::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        _ if value.is_null() => drop(parent.as_object_mut().unwrap().remove(key)),
        _ => parent[key] = value,
    }
    document
}

/// The bad change is found under this id and place; the good change leaves the set clean.
fn case(id: &str, found_at: &str, (bad_at, bad): (&str, Json), (good_at, good): (&str, Json)) {
    let findings = linted(&changed(bad_at, bad));
    let hit = findings
        .iter()
        .find(|finding| finding.id == id && finding.pointer == found_at);
    let hit = hit.unwrap_or_else(|| panic!("{id} not found at {found_at}: {findings:#?}"));
    assert!(hit.clause.is_some() && !hit.message.is_empty() && !hit.fix.is_empty());
    assert_eq!(hit.severity, PolicyPack::shipped().severity(id));
    let findings = linted(&changed(good_at, good));
    assert!(findings.is_empty(), "{id} good: {findings:#?}");
}

const GIVE_WHEN: &str = "/rules/1/when";
const GIVE_THEN: &str = "/rules/1/then";

fn reads(fact: &str, value: &Json) -> (&'static str, Json) {
    (
        GIVE_WHEN,
        json!({"fact": fact, "op": "gte", "value": value}),
    )
}

fn qualified() -> (&'static str, Json) {
    reads("inviter.qualified_count", &json!(1))
}

fn grant(field: &str, value: &Json) -> (&'static str, Json) {
    let mut effect = json!({"effect": "grant", "to": "inviter", "benefit": "thanks", "once": true});
    effect[field] = value.clone();
    (GIVE_THEN, json!([effect]))
}

#[test]
fn the_base_is_clean() {
    assert_eq!(linted(&base()), []);
}

#[test]
fn l01_nobody_beyond_the_direct_inviter_is_paid() {
    case(
        "REF-L01",
        "/rules/1/then/0/to",
        grant("to", &json!("inviters_inviter")),
        grant("to", &json!("invitee")),
    );
    case(
        "REF-L01",
        "/rules/1/then/0/hop",
        grant("hop", &json!(2)),
        grant("hop", &json!(1)),
    );
}

#[test]
fn l02_rewards_do_not_rest_on_headcount() {
    case(
        "REF-L02",
        GIVE_WHEN,
        reads("inviter.invited_count", &json!(3)),
        qualified(),
    );
    case(
        "REF-L02",
        "/rules/1/then/0/basis",
        grant("basis", &json!("headcount")),
        grant("basis", &json!("fixed")),
    );
    let mut repeated = changed("/rules/1/caps", json!({"budget_fen": 1000}));
    repeated["rules"][1]["then"][0]["once"] = json!(false);
    assert!(
        linted(&repeated)
            .iter()
            .any(|finding| finding.id == "REF-L02")
    );
}

#[test]
fn l03_rewards_do_not_rest_on_a_team() {
    case(
        "REF-L03",
        GIVE_WHEN,
        reads("inviter.team_size", &json!(3)),
        qualified(),
    );
}

#[test]
fn l04_prepaying_is_a_timing_signal_and_no_entry_fee() {
    let timing = (
        "/rules/0/when/all/2",
        json!({"fact": "booking.prepaid_ratio", "op": "gte", "value": 0.8}),
    );
    case(
        "REF-L04",
        GIVE_WHEN,
        reads("booking.prepaid_ratio", &json!(0.5)),
        timing.clone(),
    );
    case(
        "REF-L04",
        GIVE_WHEN,
        reads("customer.topup_fen", &json!(1)),
        timing.clone(),
    );
    case(
        "REF-L04",
        GIVE_WHEN,
        reads("payment.succeeded@within(P30D).count", &json!(1)),
        timing,
    );
    let paid = ("/rules/1/on", json!(["payment.succeeded"]));
    case(
        "REF-L04",
        "/rules/1/on/0",
        paid,
        ("/rules/1/on", json!(["referral.qualified"])),
    );
}

#[test]
fn l05_a_prior_purchase_needs_approval() {
    case(
        "REF-L05",
        GIVE_WHEN,
        reads("customer.completed_bookings", &json!(1)),
        qualified(),
    );
}

#[test]
fn l06_rewards_are_not_cash() {
    let coupon = ("/benefits/thanks", json!({"kind": "coupon", "fen": 1000}));
    for kind in ["cash", "red_packet", "withdrawable", "transferable"] {
        case(
            "REF-L06",
            "/benefits/thanks/kind",
            ("/benefits/thanks", json!({"kind": kind, "fen": 1000})),
            coupon.clone(),
        );
    }
    let passed_on = (
        "/benefits/thanks",
        json!({"kind": "coupon", "fen": 1000, "transferable": true}),
    );
    case("REF-L06", "/benefits/thanks", passed_on, coupon);
}

#[test]
fn l07_an_inviter_gets_no_share_of_the_order() {
    let fixed = ("/benefits/thanks", json!({"kind": "coupon", "fen": 1000}));
    case(
        "REF-L07",
        "/benefits/thanks/kind",
        (
            "/benefits/thanks",
            json!({"kind": "percent_of_order", "percent": 10}),
        ),
        fixed,
    );
    case(
        "REF-L07",
        "/rules/1/then/0/basis",
        grant("basis", &json!("percent_of_order")),
        grant("basis", &json!("fixed")),
    );
}

#[test]
fn l08_shares_are_neither_condition_nor_trigger() {
    case(
        "REF-L08",
        GIVE_WHEN,
        reads("referral.share_count", &json!(3)),
        qualified(),
    );
    case(
        "REF-L08",
        GIVE_WHEN,
        reads("referral.share_rate", &json!(0.7)),
        qualified(),
    );
    case(
        "REF-L08",
        "/rules/1/on/0",
        ("/rules/1/on", json!(["share.succeeded"])),
        ("/rules/1/on", json!(["referral.qualified"])),
    );
}

#[test]
fn l09_clicks_and_registrations_earn_nothing() {
    let completed = ("/rules/1/on", json!(["referral.qualified"]));
    for event in [
        "referral.clicked",
        "referral.registered",
        "phone.bound",
        "referral.redeemed",
    ] {
        case(
            "REF-L09",
            "/rules/1/on/0",
            ("/rules/1/on", json!([event])),
            completed.clone(),
        );
    }
    case(
        "REF-L09",
        GIVE_WHEN,
        reads("referral.click_count", &json!(1)),
        qualified(),
    );
}

#[test]
fn l10_moments_posts_earn_nothing() {
    case(
        "REF-L10",
        "/rules/1/on/0",
        ("/rules/1/on", json!(["moments.posted"])),
        ("/rules/1/on", json!(["referral.qualified"])),
    );
}

#[test]
fn l11_nothing_is_locked_behind_sharing() {
    let mut document = changed(
        GIVE_THEN,
        json!([{"effect": "unlock", "feature": "discount"}]),
    );
    assert_eq!(linted(&document), []);
    document["rules"][1]["when"]["fact"] = json!("referral.share_count");
    assert!(
        linted(&document)
            .iter()
            .any(|finding| finding.id == "REF-L11")
    );
}

#[test]
fn l12_generations_end_at_three() {
    for key in ["4", "3+", "*"] {
        let pointer = format!("/generations/{key}");
        case(
            "REF-L12",
            &pointer,
            ("/generations", json!({"1": "welcome", key: "welcome"})),
            ("/generations", json!({"1": "welcome"})),
        );
    }
}

#[test]
fn l13_later_generations_are_worth_a_look() {
    case(
        "REF-L13",
        "/generations/2",
        ("/generations", json!({"1": "welcome", "2": "welcome"})),
        ("/generations", json!({"1": "welcome"})),
    );
}

#[test]
fn l14_the_subtree_alarm_stays_at_thirty_and_three() {
    let set = RuleSet::from_json(&base()).unwrap();
    let mut pack = PolicyPack::shipped().clone();
    for alarm in [
        None,
        Some(SubtreeAlarm {
            people: 31,
            levels: 3,
        }),
        Some(SubtreeAlarm {
            people: 30,
            levels: 4,
        }),
    ] {
        pack.subtree_alarm = alarm;
        assert_eq!(lint(&set, &pack)[0].id, "REF-L14");
    }
    pack.subtree_alarm = Some(SubtreeAlarm {
        people: 20,
        levels: 2,
    });
    assert_eq!(lint(&set, &pack), []);
}

#[test]
fn l14_promises_no_alarm_that_does_not_exist() {
    let document = changed("/checks", json!({"subtree": false}));
    let findings = linted(&document);
    let hit = findings.iter().find(|one| one.id == "REF-L14").unwrap();
    assert!(hit.fix.contains("系统还不会自动报警"), "{}", hit.fix);
}

#[test]
fn l15_caps_budget_and_end_date_are_written() {
    let whole = (
        "/rules/0/caps",
        json!({"per_customer": [{"times": 1, "per": "P90D"}], "budget_fen": 5}),
    );
    case(
        "REF-L15",
        "/rules/0/caps",
        ("/rules/0/caps", Json::Null),
        whole.clone(),
    );
    case(
        "REF-L15",
        "/rules/0/caps",
        ("/rules/0/caps", json!({"budget_fen": 5})),
        whole.clone(),
    );
    case(
        "REF-L15",
        "/rules/0/caps",
        (
            "/rules/0/caps",
            json!({"per_customer": [{"times": 1, "per": "P90D"}]}),
        ),
        whole,
    );
    case(
        "REF-L15",
        "/period/to",
        ("/period", json!({"from": "2026-03-01"})),
        ("/period/to", json!("2026-04-01")),
    );
    let mut privilege = changed("/rules/1/caps", Json::Null);
    privilege["benefits"]["thanks"] = json!({"kind": "privilege", "privilege": "x"});
    assert_eq!(
        linted(&privilege),
        [],
        "once is a cap, and a privilege costs nothing"
    );
}

#[test]
fn l17_customers_are_not_ranked() {
    case(
        "REF-L17",
        GIVE_WHEN,
        reads("inviter.rank", &json!(1)),
        qualified(),
    );
}

#[test]
fn l18_leave_is_no_prize_and_l19_luck_is_none_either() {
    let fixed = ("/benefits/thanks", json!({"kind": "coupon", "fen": 1000}));
    case(
        "REF-L18",
        "/benefits/thanks/kind",
        ("/benefits/thanks", json!({"kind": "paid_leave", "days": 2})),
        fixed.clone(),
    );
    case(
        "REF-L19",
        "/benefits/thanks/kind",
        ("/benefits/thanks", json!({"kind": "lottery", "top": 2})),
        fixed,
    );
}
