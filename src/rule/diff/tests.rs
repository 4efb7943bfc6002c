//! What is told of a change, and what is none.

use super::*;
use crate::rule::DEFAULT_RULESET;
use serde_json::{Value as Json, json};

fn shipped() -> Json {
    serde_json::from_str(DEFAULT_RULESET).unwrap()
}

fn read(document: &Json) -> RuleSet {
    RuleSet::from_json(document).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// The differences after `change` of the shipped set.
fn after(change: impl FnOnce(&mut Json)) -> Vec<Difference> {
    let mut changed = shipped();
    change(&mut changed);
    diff(&read(&shipped()), &read(&changed))
}

/// The only difference, as text and whom it favours.
fn only(change: impl FnOnce(&mut Json)) -> (String, Favours) {
    let found = after(change);
    assert_eq!(found.len(), 1, "{found:#?}");
    (found[0].text.clone(), found[0].favours)
}

#[test]
fn a_set_does_not_differ_from_itself_however_it_is_written() {
    assert!(after(|_| {}).is_empty());
    let rewritten = after(|set| {
        set["rules"].as_array_mut().unwrap().reverse();
        let when = set["rules"][2]["when"]["all"].as_array_mut().unwrap();
        when.reverse();
        when.push(json!({"all": [{"fact": "rating.score", "op": "gte", "value": "4.80"}]}));
        set["parameters"]["unused"] = json!(7);
        set["exported_from"] = json!({"version": 3, "sha256": "0".repeat(64)});
    });
    assert!(rewritten.is_empty(), "{rewritten:#?}");
}

#[test]
fn a_parameter_is_told_as_the_condition_it_stands_for() {
    let (text, favours) = only(|set| set["parameters"]["score_line"] = json!(4.9));
    assert_eq!(
        text,
        "规则“优质体验基线”(quality-baseline):条件由“评分达到 4.80 分”改为“评分达到 4.90 分”"
    );
    assert_eq!(favours, Favours::Company, "fewer people are asked");
    let (_, favours) = only(|set| set["parameters"]["score_line"] = json!(4.5));
    assert_eq!(favours, Favours::Customers);
}

#[test]
fn what_people_get_less_of_is_marked() {
    type Edit = fn(&mut Json);
    let lowered: [(&str, Edit); 11] = [
        ("感谢变少", |set| {
            set["benefits"]["thanks"]["fen"] = json!(1500);
        }),
        ("权益变短", |set| {
            set["benefits"]["welcome_1"]["expires_after"] = json!("P30D");
        }),
        ("没有感谢", |set| {
            set.as_object_mut().unwrap().remove("inviter_thanks");
        }),
        ("第三代没有礼遇", |set| {
            set["generations"].as_object_mut().unwrap().remove("3");
        }),
        ("结束得早", |set| {
            set["period"]["to"] = json!("2028-12-31");
        }),
        ("次数变少", |set| {
            set["caps"]["per_inviter"] =
                json!([{"times": 2, "per": "P30D"}, {"times": 12, "per": "P365D"}]);
        }),
        ("预算变少", |set| {
            set["rules"][0]["caps"]["budget_fen"] = json!(5_000_000);
        }),
        ("上海以外不邀请", |set| {
            set["rules"][0]["audience"] = json!({"city": ["上海"]});
        }),
        ("多一个条件", |set| {
            let all = set["rules"][0]["when"]["all"].as_array_mut().unwrap();
            all.push(json!({"fact": "rating.quality", "op": "gte", "value": 5}));
        }),
        ("停得更久", |set| {
            set["rules"][1]["then"][0]["for"] = json!("P180D");
        }),
        ("少一个时机", |set| {
            set["rules"][0]["on"] = json!(["rating.submitted"]);
        }),
    ];
    for (what, edit) in lowered {
        let (text, favours) = only(edit);
        assert_eq!(favours, Favours::Company, "{what}: {text}");
        // Looked at from the other side it is more.
        let mut changed = shipped();
        edit(&mut changed);
        let back = diff(&read(&changed), &read(&shipped()));
        assert_eq!(back.len(), 1, "{what}: {back:#?}");
        assert_eq!(
            back[0].favours,
            Favours::Customers,
            "{what}: {}",
            back[0].text
        );
    }
}

#[test]
fn rules_are_added_and_removed_by_id() {
    let found = after(|set| set["rules"][2]["id"] = json!("twice"));
    let told: Vec<(Change, Option<&str>)> = found
        .iter()
        .map(|one| (one.change, one.id.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            (Change::Removed, Some("two-in-a-row")),
            (Change::Added, Some("twice"))
        ]
    );
    assert!(found[1].text.contains("当"), "{}", found[1].text);
    let (_, favours) = only(|set| {
        set["rules"].as_array_mut().unwrap().remove(1);
    });
    assert_eq!(favours, Favours::Customers, "nobody is paused any more");
}

#[test]
fn the_order_of_rules_is_told_only_where_it_decides() {
    let two = |first: &str, second: &str, priority: i64| {
        let rule = |id: &str, priority: i64| {
            json!({"id": id, "title": id, "on": ["rating.submitted"], "priority": priority,
                "then": [{"effect": "invite", "template": "baseline"}]})
        };
        let mut set = shipped();
        set["rules"] = json!([rule(first, 5), rule(second, priority)]);
        read(&set)
    };
    let told = diff(&two("a", "b", 5), &two("b", "a", 5));
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0].part, Part::Order);
    assert!(told[0].text.contains("b、a"), "{}", told[0].text);
}

#[test]
fn lists_limits_times_and_groups_are_told_in_words() {
    let (text, _) = only(|set| set["rules"][0]["schedule"] = json!({"hours": "09:00-20:30"}));
    assert!(text.ends_with("时段由 不限 改为 09:00-20:30"), "{text}");
    let (text, _) = only(|set| set["rules"][0]["priority"] = json!(60));
    assert!(text.ends_with("优先级由 50 改为 60"), "{text}");
    let (text, favours) =
        only(|set| set["rules"][0]["caps"]["per_customer"] = json!([{"times": 1, "per": "P14D"}]));
    assert!(
        text.ends_with("每人上限由 每 30 天 至多 1 次 改为 每 14 天 至多 1 次"),
        "{text}"
    );
    assert_eq!(favours, Favours::Customers);
    let (text, favours) = only(|set| set["generations"]["2"] = json!("welcome_3"));
    assert!(
        text.starts_with("第 2 代新朋友的礼遇由 welcome_2"),
        "{text}"
    );
    assert_eq!(
        favours,
        Favours::Neither,
        "goods and a privilege have no common measure"
    );
    let (text, favours) = only(|set| set["period"]["from"] = json!("2026-02-01"));
    assert!(text.ends_with("预算从新的开始日算起"), "{text}");
    assert_eq!(
        favours,
        Favours::Neither,
        "later, and with budgets of its own"
    );
    let line = after(|set| set["benefits"]["thanks"]["fen"] = json!(1500))[0].line();
    assert_eq!(line, "↓ 权益 thanks 由¥20 自用券改为¥15 自用券(对顾客变少)");
}

#[test]
fn a_negation_moved_inward_is_no_difference() {
    let found = after(|set| {
        set["rules"][0]["when"] = json!({"not": {"any": [
            {"fact": "booking.prepaid_ratio", "op": "lt", "value": 0.5},
            {"fact": "rating.score", "op": "lt", "value": 4.8},
            {"fact": "customer.open_complaints", "op": "ne", "value": 0},
            {"fact": "booking.sla_breached", "op": "eq", "value": true}]}});
    });
    assert!(found.is_empty(), "{found:#?}");
}
