//! Edits of a running campaign: what lowers a promise is refused, what betters it passes.

use super::*;
use crate::rule::DEFAULT_RULESET;
use serde_json::{Value as Json, json};

fn shipped() -> Json {
    serde_json::from_str(DEFAULT_RULESET).unwrap()
}

fn at_day(new: &Json, day: &str) -> Vec<String> {
    let (old, new) = (
        RuleSet::from_json(&shipped()).unwrap(),
        RuleSet::from_json(new).unwrap(),
    );
    let found = lint_edit(&old, &new, PolicyPack::shipped(), day.parse().unwrap());
    found.into_iter().map(|one| one.pointer).collect()
}

fn edited(change: impl FnOnce(&mut Json)) -> Vec<String> {
    let mut new = shipped();
    change(&mut new);
    at_day(&new, "2026-06-01")
}

#[test]
fn the_same_set_lowers_nothing() {
    assert_eq!(edited(|_| {}), [""; 0]);
}

#[test]
fn lowering_is_found_where_it_was_done() {
    assert_eq!(
        edited(|set| set["benefits"]["thanks"]["fen"] = json!(1999)),
        ["/benefits/thanks/fen"]
    );
    let shorter = edited(|set| set["benefits"]["welcome_1"]["expires_after"] = json!("P30D"));
    assert_eq!(shorter, ["/benefits/welcome_1/expires_after"]);
    let gone = edited(|set| drop(set["generations"].as_object_mut().unwrap().remove("3")));
    assert_eq!(gone, ["/generations/3"]);
    let gone = edited(|set| drop(set.as_object_mut().unwrap().remove("inviter_thanks")));
    assert_eq!(gone, ["/inviter_thanks"]);
    let other = edited(|set| set["benefits"]["welcome_2"] = json!({"kind": "coupon", "fen": 9000}));
    assert_eq!(other, ["/benefits/welcome_2/kind"]);
    assert_eq!(
        edited(|set| set["period"]["to"] = json!("2029-12-31")),
        ["/period/to"]
    );
    assert_eq!(
        edited(|set| set["period"]["from"] = json!("2026-07-01")),
        ["/period/from"]
    );
    assert_eq!(
        edited(|set| set["period"]["from"] = json!("2025-12-31")),
        ["/period/from"],
        "what was spent in December would count"
    );
    assert_eq!(
        edited(|set| set["caps"]["budget_fen"] = json!(5)),
        ["/caps/budget_fen"]
    );
    let fewer = edited(|set| set["caps"]["per_inviter"] = json!([{"times": 2, "per": "P30D"}]));
    assert_eq!(fewer, ["/caps/per_inviter"]);
    let removed = edited(|set| drop(set["rules"].as_array_mut().unwrap().remove(2)));
    assert_eq!(removed, ["/rules"]);
}

#[test]
fn a_rule_that_gives_may_not_get_stricter() {
    let place = "/rules/2";
    let cases: [(&str, Json); 6] = [
        (
            "when",
            json!({"fact": "inviter.consecutive_qualified", "op": "gte", "value": 3}),
        ),
        (
            "when",
            json!({"all": [{"fact": "inviter.consecutive_qualified", "op": "gte", "value": 2},
            {"fact": "customer.city", "op": "eq", "value": "上海"}]}),
        ),
        ("on", json!(["referral.redeemed"])),
        (
            "caps",
            json!({"per_customer": [{"times": 1, "per": "P366D"}], "per_rule": [{"times": 500, "per": "P365D"}]}),
        ),
        (
            "caps",
            json!({"per_customer": [{"times": 1, "per": "P365D"}], "per_rule": [{"times": 499, "per": "P365D"}]}),
        ),
        (
            "then",
            json!([{"effect": "grant", "to": "inviter", "benefit": "priority_scheduling", "once": true, "expires_after": "P90D"}]),
        ),
    ];
    for (key, value) in cases {
        let found = edited(|set| set["rules"][2][key] = value.clone());
        assert_eq!(found.len(), 1, "{key} {value}: {found:?}");
        assert!(found[0].starts_with(&format!("{place}/{key}")), "{found:?}");
    }
    let pushed = edited(|set| {
        set["rules"][2]["exclusive_group"] = json!("g");
        set["rules"].as_array_mut().unwrap().push(
            json!({"id": "first", "title": "先", "on": ["referral.qualified"],
            "exclusive_group": "g", "priority": 99, "then": [{"effect": "tag", "tag": "x"}]}),
        );
    });
    assert_eq!(pushed, ["/rules/2/exclusive_group"]);
}

/// The shipped set with a rule ahead of the giving one in its group, which acts from three friends in a row on.
fn grouped(first: &Json) -> Json {
    let mut set = shipped();
    set["rules"][2]["exclusive_group"] = json!("g");
    let mut ahead = json!({"id": "first", "title": "先", "on": ["referral.qualified"], "exclusive_group": "g", "priority": 99,
        "when": {"fact": "inviter.consecutive_qualified", "op": "gte", "value": 3}, "then": [{"effect": "tag", "tag": "x"}]});
    ahead
        .as_object_mut()
        .unwrap()
        .extend(first.as_object().unwrap().clone());
    set["rules"].as_array_mut().unwrap().push(ahead);
    set
}

#[test]
fn a_rule_that_gives_may_not_lose_its_groups_turn_more_often() {
    let change = |first: &Json| {
        let (old, new) = (grouped(&json!({})), grouped(first));
        let (old, new) = (
            RuleSet::from_json(&old).unwrap(),
            RuleSet::from_json(&new).unwrap(),
        );
        let found = lint_edit(
            &old,
            &new,
            PolicyPack::shipped(),
            "2026-06-01".parse().unwrap(),
        );
        found.into_iter().map(|one| one.pointer).collect::<Vec<_>>()
    };
    let row = |op: &str, value: i64| json!({"fact": "inviter.consecutive_qualified", "op": op, "value": value});
    let pushed = ["/rules/2/exclusive_group"];
    assert_eq!(change(&json!({"when": row("gte", 2)})), pushed, "wider");
    assert_eq!(change(&json!({"when": row("gte", 4)})), [""; 0], "narrower");
    assert_eq!(
        change(&json!({"when": row("eq", 1)})),
        [""; 0],
        "elsewhere: the giving rule never acts there"
    );
    assert_eq!(
        change(&json!({"on": ["referral.qualified", "rating.submitted"]})),
        [""; 0],
        "at an event the giving rule does not listen to"
    );
}

#[test]
fn a_rule_that_gives_may_not_ask_for_another_consent() {
    let tagging = edited(|set| {
        let then = set["rules"][2]["then"].as_array_mut().unwrap();
        then.push(json!({"effect": "tag", "tag": "老带新"}));
    });
    assert_eq!(tagging, ["/rules/2"], "a tag needs the inviter's profiling");
    let told = edited(|set| {
        let then = set["rules"][2]["then"].as_array_mut().unwrap();
        then.push(json!({"effect": "notify_staff", "text": "老带新"}));
    });
    assert_eq!(told, [""; 0]);
}

#[test]
fn what_favours_people_passes() {
    let better: [fn(&mut Json); 10] = [
        |set| set["benefits"]["thanks"]["fen"] = json!(2500),
        |set| set["benefits"]["thanks"] = json!({"kind": "coupon", "fen": 2000}),
        |set| set["period"]["to"] = json!("2031-12-31"),
        |set| set["period"]["from"] = json!("2026-02-01"),
        |set| set["caps"]["budget_fen"] = json!(13_000_000),
        |set| set["caps"]["per_inviter"] = json!([{"times": 4, "per": "P30D"}]),
        |set| set["rules"][2]["when"]["value"] = json!(1),
        |set| drop(set["rules"][2].as_object_mut().unwrap().remove("when")),
        |set| set["rules"][0]["caps"]["per_customer"] = json!([{"times": 1, "per": "P90D"}]),
        |set| drop(set["rules"].as_array_mut().unwrap().remove(0)),
    ];
    for change in better {
        assert_eq!(edited(change), [""; 0]);
    }
    // Rules may change places and a benefit its name.
    let moved = edited(|set| {
        set["rules"].as_array_mut().unwrap().reverse();
        let gift = set["benefits"]["thanks"].clone();
        set["benefits"]["gratitude"] = gift;
        set["inviter_thanks"] = json!("gratitude");
    });
    assert_eq!(moved, [""; 0]);
}

#[test]
fn where_nothing_has_a_budget_the_first_day_may_move_back() {
    let mut old = shipped();
    old["rules"] = json!([old["rules"][2]]);
    old["generations"] = json!({});
    drop(old.as_object_mut().unwrap().remove("inviter_thanks"));
    let mut new = old.clone();
    new["period"]["from"] = json!("2025-12-31");
    let moved = |old: &Json, new: &Json| {
        let (old, new) = (
            RuleSet::from_json(old).unwrap(),
            RuleSet::from_json(new).unwrap(),
        );
        let day = "2026-06-01".parse().unwrap();
        lint_edit(&old, &new, PolicyPack::shipped(), day).len()
    };
    assert_eq!(moved(&old, &new), 0, "a privilege costs nothing");
    for set in [&mut old, &mut new] {
        set["inviter_thanks"] = json!("thanks");
    }
    assert_eq!(moved(&old, &new), 1, "a thanks has the programme's budget");
}

#[test]
fn outside_its_period_a_campaign_binds_nobody() {
    let mut lowered = shipped();
    lowered["benefits"]["thanks"]["fen"] = json!(1);
    assert_eq!(at_day(&lowered, "2030-12-31").len(), 1);
    assert_eq!(at_day(&lowered, "2031-01-01"), [""; 0]);
    assert_eq!(at_day(&lowered, "2025-12-31"), [""; 0]);
}

#[test]
fn what_got_better_is_told_in_words() {
    let mut new = shipped();
    new["benefits"]["thanks"]["fen"] = json!(2500);
    new["period"]["to"] = json!("2031-12-31");
    let told = favours(
        &RuleSet::from_json(&shipped()).unwrap(),
        &RuleSet::from_json(&new).unwrap(),
    );
    assert_eq!(
        told,
        [
            "给邀请人的答谢:¥20 自用券,90 天内有效改为¥25 自用券,90 天内有效",
            "活动延长到 2031-12-31"
        ]
    );
}
