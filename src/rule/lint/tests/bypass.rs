//! The ways round the lint: each is found, and its lawful neighbour is not.

use super::*;

/// The ids found at a place.
fn ids_at(document: &Json, place: &str) -> Vec<String> {
    let findings = linted(document);
    findings
        .into_iter()
        .filter(|finding| finding.pointer == place)
        .map(|finding| finding.id)
        .collect()
}

/// The base with one more rule.
fn with_rule(document: &Json, rule: Json) -> Json {
    let mut document = document.clone();
    document["rules"].as_array_mut().unwrap().push(rule);
    document
}

fn partner(fact: &str, priority: i64) -> Json {
    json!({"id": "first", "title": "先行", "on": ["referral.qualified"], "priority": priority, "exclusive_group": "g",
        "when": {"fact": fact, "op": "lt", "value": 3}, "then": [{"effect": "notify_staff", "text": "看一下"}]})
}

#[test]
fn a_reward_is_not_left_over_by_a_partner_that_looks_at_ratings_or_payments() {
    let grouped = changed("/rules/1/exclusive_group", json!("g"));
    let place = "/rules/1/exclusive_group";
    let rated = with_rule(&grouped, partner("rating.score@last(1).min", 9));
    assert_eq!(ids_at(&rated, place), ["REF-L20"]);
    let paid = with_rule(&grouped, partner("payment.succeeded@within(P30D).count", 9));
    assert_eq!(ids_at(&paid, place), ["REF-L04"]);
    let behind = with_rule(&grouped, partner("rating.score@last(1).min", -9));
    assert_eq!(linted(&behind), [], "who goes later takes nothing away");
    let plain = with_rule(&grouped, partner("inviter.qualified_count", 9));
    assert_eq!(linted(&plain), []);
}

#[test]
fn benefits_rest_on_a_friends_completed_order_alone() {
    let on = |event: &str| changed("/rules/1/on", json!([event]));
    for (event, id) in [
        ("rating.submitted", "REF-L20"),
        ("booking.completed", "REF-L09"),
        ("complaint.resolved", "REF-L09"),
        ("complaint.opened", "REF-L09"),
        ("referral.reversed", "REF-L09"),
        ("consent.granted", "REF-L23"),
    ] {
        assert_eq!(ids_at(&on(event), "/rules/1/on/0"), [id], "{event}");
    }
    let mut welcome = on("referral.redeemed");
    welcome["rules"][1]["then"][0]["to"] = json!("invitee");
    assert_eq!(linted(&welcome), [], "the friend himself may be welcomed");
    assert_eq!(linted(&on("referral.qualified")), []);
}

#[test]
fn features_are_not_opened_for_payments_ratings_yeses_or_registrations() {
    let unlocking = |event: &str| {
        let mut document = changed(
            GIVE_THEN,
            json!([{"effect": "unlock", "feature": "albums"}]),
        );
        document["rules"][1]["on"] = json!([event]);
        document
    };
    for (event, id) in [
        ("payment.succeeded", "REF-L04"),
        ("rating.submitted", "REF-L20"),
        ("referral.redeemed", "REF-L09"),
        ("consent.granted", "REF-L23"),
        ("booking.completed", "REF-L05"),
    ] {
        assert_eq!(ids_at(&unlocking(event), "/rules/1/on/0"), [id], "{event}");
    }
    assert_eq!(linted(&unlocking("referral.qualified")), []);
    assert_eq!(linted(&unlocking("complaint.resolved")), []);
}

#[test]
fn a_sensitive_word_is_found_behind_a_parameter() {
    let tagged = |word: &str| {
        let mut document = changed(
            "/rules/0/when/all/1",
            json!({"not": {"any": [{"fact": "customer.tags", "op": "contains", "value": {"parameter": "who"}}]}}),
        );
        document["parameters"] = json!({ "who": word });
        document
    };
    let place = "/rules/0/when/all/1/not/any/0";
    assert_eq!(ids_at(&tagged("孕妇"), place), ["REF-L24"]);
    assert_eq!(linted(&tagged("有宠物")), []);
}

#[test]
fn minors_are_found_behind_not_any_and_parameters() {
    let aiming = |when: Json, minors: bool| {
        let mut document = changed("/rules/0/when/all/1", when);
        document["parameters"] = json!({ "minors": minors });
        document
    };
    let minor =
        |op: &str, value: Json| json!({"fact": "customer.is_minor", "op": op, "value": value});
    let cases = [
        (
            json!({"any": [minor("eq", json!(true)), minor("eq", json!(false))]}),
            true,
        ),
        (json!({"not": minor("eq", json!(false))}), true),
        (
            json!({"any": [minor("eq", json!({"parameter": "minors"}))]}),
            true,
        ),
    ];
    for (when, minors) in cases {
        let found = linted(&aiming(when.clone(), minors));
        assert!(found.iter().any(|one| one.id == "REF-L25"), "{when}");
    }
    for when in [
        json!({"not": minor("eq", json!(true))}),
        json!({"any": [minor("ne", json!({"parameter": "minors"}))]}),
    ] {
        assert_eq!(linted(&aiming(when, true)), []);
    }
}

#[test]
fn a_cap_nobody_reaches_is_none() {
    let often = changed(
        "/rules/1/caps/per_customer",
        json!([{"times": 1_000_000, "per": "PT1S"}]),
    );
    assert_eq!(ids_at(&often, "/rules/1/caps/per_customer"), ["REF-L15"]);
    let bursts = |times: u32, per: &str| {
        changed(
            "/rules/1/caps/per_customer",
            json!([{"times": times, "per": per}]),
        )
    };
    for (times, per) in [(1464, "P3660D"), (13, "P31D"), (11, "P29D"), (5, "P14D")] {
        let place = "/rules/1/caps/per_customer";
        assert_eq!(ids_at(&bursts(times, per), place), ["REF-L15"], "{per}");
    }
    for (times, per) in [(12, "P3660D"), (12, "P30D"), (4, "P10D"), (2, "P7D")] {
        assert_eq!(linted(&bursts(times, per)), [], "{per}");
    }
    let rich = changed("/rules/1/caps/budget_fen", json!(i64::MAX));
    assert_eq!(ids_at(&rich, "/rules/1/caps/budget_fen"), ["REF-L15"]);
    let programme = changed(
        "/caps",
        json!({"per_inviter": [{"times": 1000, "per": "P1D"}], "budget_fen": i64::MAX}),
    );
    assert_eq!(ids_at(&programme, "/caps/per_inviter"), ["REF-L15"]);
    assert_eq!(ids_at(&programme, "/caps/budget_fen"), ["REF-L15"]);
    let modest = changed(
        "/caps",
        json!({"per_inviter": [{"times": 1000, "per": "P1D"}, {"times": 5, "per": "P30D"}], "budget_fen": 100_000}),
    );
    assert_eq!(linted(&modest), [], "the strictest of several caps counts");
}

#[test]
fn cash_does_not_hide_in_a_slug() {
    let thanks = |benefit: Json| changed("/benefits/thanks", benefit);
    for (benefit, field) in [
        (
            json!({"kind": "goods", "sku": "cash-100", "value_fen": 100}),
            "sku",
        ),
        (
            json!({"kind": "goods", "sku": "red_packet", "value_fen": 100}),
            "sku",
        ),
        (
            json!({"kind": "privilege", "privilege": "hongbao88"}),
            "privilege",
        ),
        (
            json!({"kind": "privilege", "privilege": "wallet-withdraw"}),
            "privilege",
        ),
    ] {
        let found = linted(&thanks(benefit.clone()));
        let place = format!("/benefits/thanks/{field}");
        let hit = found
            .iter()
            .any(|one| one.id == "REF-L06" && one.pointer == place);
        assert!(hit, "{benefit}: {found:#?}");
    }
    let kit = thanks(json!({"kind": "goods", "sku": "cashmere-brush", "value_fen": 100}));
    assert_eq!(linted(&kit), []);
    let unlock = changed(
        GIVE_THEN,
        json!([{"effect": "unlock", "feature": "cash-out"}]),
    );
    assert_eq!(ids_at(&unlock, "/rules/1/then/0/feature"), ["REF-L06"]);
}

#[test]
fn a_tag_does_not_launder_what_it_was_given_for() {
    let tagging = |fact: &str, tag: &str| {
        json!({"id": "tag", "title": "标签", "on": ["complaint.resolved"], "when": {"fact": fact, "op": "gte", "value": 4},
            "then": [{"effect": "tag", "tag": tag}]})
    };
    let mut wanting = changed(
        GIVE_WHEN,
        json!({"fact": "customer.tags", "op": "contains", "value": "常客"}),
    );
    // A privilege, so that REF-L30 (prices) has nothing to say.
    wanting["benefits"]["thanks"] = json!({"kind": "privilege", "privilege": "x"});
    let rated = with_rule(&wanting, tagging("rating.score", "常客"));
    assert_eq!(ids_at(&rated, GIVE_WHEN), ["REF-L20"]);
    let mut chained = with_rule(&wanting, tagging("booking.prepaid_fen", "付过款"));
    chained = with_rule(
        &chained,
        json!({"id": "again", "title": "再标", "on": ["complaint.resolved"],
            "when": {"fact": "customer.tags", "op": "contains", "value": "付过款"}, "then": [{"effect": "tag", "tag": "常客"}]}),
    );
    assert_eq!(ids_at(&chained, GIVE_WHEN), ["REF-L04"]);
    assert_eq!(
        ids_at(&wanting, GIVE_WHEN),
        ["REF-L20"],
        "nobody knows what for"
    );
    let lawful = with_rule(&wanting, tagging("inviter.qualified_count", "常客"));
    assert_eq!(linted(&lawful), []);
}

#[test]
fn a_tag_for_whoever_rates_pays_buys_agrees_or_brings_somebody_rests_on_that() {
    let mut wanting = changed(
        GIVE_WHEN,
        json!({"fact": "customer.tags", "op": "contains", "value": "常客"}),
    );
    wanting["benefits"]["thanks"] = json!({"kind": "privilege", "privilege": "x"});
    let found = |on: Json| {
        let tagging = json!({"id": "tag", "title": "标签", "on": on, "then": [{"effect": "tag", "tag": "常客"}]});
        ids_at(&with_rule(&wanting, tagging), GIVE_WHEN)
    };
    for (event, id) in [
        ("rating.submitted", "REF-L20"),
        ("payment.succeeded", "REF-L04"),
        ("booking.completed", "REF-L05"),
        ("consent.granted", "REF-L23"),
        ("referral.redeemed", "REF-L02"),
    ] {
        assert_eq!(found(json!([event])), [id], "{event}");
        assert_eq!(found(json!(["complaint.resolved", event])), [id], "{event}");
    }
    for event in ["referral.qualified", "complaint.resolved"] {
        assert!(found(json!([event])).is_empty(), "{event}");
    }
}

#[test]
fn leave_luck_and_insurance_do_not_hide_in_a_slug() {
    let goods = |sku: &str| json!({"kind": "goods", "sku": sku, "value_fen": 100});
    let privilege = |slug: &str| json!({"kind": "privilege", "privilege": slug});
    let thanks = |benefit: Json| changed("/benefits/thanks", benefit);
    for (id, field, benefit) in [
        ("REF-L18", "privilege", privilege("paid-leave")),
        ("REF-L18", "privilege", privilege("two_days_off")),
        ("REF-L18", "sku", goods("xiujia3")),
        ("REF-L19", "sku", goods("blind-box")),
        ("REF-L19", "privilege", privilege("lottery_2026")),
        ("REF-L41", "sku", goods("home-insurance")),
        ("REF-L41", "privilege", privilege("baoxian")),
    ] {
        let place = format!("/benefits/thanks/{field}");
        assert_eq!(ids_at(&thanks(benefit.clone()), &place), [id], "{benefit}");
    }
    let unlocking =
        |feature: &str| changed(GIVE_THEN, json!([{"effect": "unlock", "feature": feature}]));
    for (id, feature) in [
        ("REF-L18", "paid-leave"),
        ("REF-L19", "lottery"),
        ("REF-L41", "insurance"),
    ] {
        let found = ids_at(&unlocking(feature), "/rules/1/then/0/feature");
        assert_eq!(found, [id], "{feature}");
    }
    for lawful in [
        "leaves-sweeping",
        "randomised-visit",
        "box",
        "holiday-visit",
    ] {
        assert_eq!(linted(&thanks(privilege(lawful))), [], "{lawful}");
        assert_eq!(linted(&unlocking(lawful)), [], "{lawful}");
    }
}

#[test]
fn insurance_is_not_given_and_a_link_to_it_is_approved_by_a_second_person() {
    let set = |benefit: Json| {
        crate::rule::check(&changed("/benefits/thanks", benefit), PolicyPack::shipped())
    };
    let serious = |checked: &crate::rule::Checked| {
        let found = checked
            .findings
            .iter()
            .filter(|one| one.severity != Severity::Warn);
        found.map(|one| one.id.clone()).collect::<Vec<_>>()
    };
    let kind = set(json!({"kind": "insurance"}));
    assert_eq!(serious(&kind), ["RULE-BENEFIT", "REF-L41"]);
    let told = kind
        .findings
        .iter()
        .find(|one| one.id == "REF-L41")
        .unwrap();
    assert!(told.message.contains("系统不发保险") && told.fix.contains("另一个人"));
    let link = set(json!({"kind": "privilege", "privilege": "insurance-link"}));
    assert_eq!(serious(&link), ["REF-L41"]);
    assert!(link.publishable());
}

#[test]
fn counting_does_not_wash_off_what_is_counted() {
    let wanting = |fact: &str| {
        let when = json!({"fact": fact, "op": "gte", "value": 1});
        let mut document = changed(GIVE_WHEN, when);
        // A privilege, so that REF-L30 (prices) has nothing to say.
        document["benefits"]["thanks"] = json!({"kind": "privilege", "privilege": "x"});
        document
    };
    for (fact, id) in [
        ("booking.late_minutes@last(3).count", "REF-L05"),
        ("booking.sla_breached@within(P90D).count", "REF-L05"),
        ("booking.is_rework@last(100).count", "REF-L05"),
        ("booking.late_minutes@within(P365D).sum", "REF-L05"),
        ("booking.completed@within(P90D).count", "REF-L05"),
        ("booking.total_fen@last(3).count", "REF-L04"),
        ("booking.prepaid_ratio@last(3).count", "REF-L04"),
        ("rating.submitted@within(P90D).count", "REF-L20"),
        ("rating.has_comment@last(3).count", "REF-L20"),
        ("consent.granted@within(P90D).count", "REF-L23"),
    ] {
        assert_eq!(ids_at(&wanting(fact), GIVE_WHEN), [id], "{fact}");
    }
    for lawful in [
        "referral.qualified@within(P90D).count",
        "complaint.opened@within(P90D).count",
        "complaint.resolved@last(3).count",
    ] {
        assert_eq!(linted(&wanting(lawful)), [], "{lawful}");
    }
}

#[test]
fn whom_to_ask_and_when_may_still_rest_on_counts() {
    for fact in [
        "booking.late_minutes@last(3).count",
        "rating.submitted@within(P90D).count",
        "consent.granted@within(P90D).count",
    ] {
        let when = json!({"fact": fact, "op": "gte", "value": 1});
        assert_eq!(linted(&changed("/rules/0/when/all/1", when)), [], "{fact}");
    }
}

#[test]
fn a_count_is_not_washed_off_by_a_tag() {
    let mut wanting = changed(
        GIVE_WHEN,
        json!({"fact": "customer.tags", "op": "contains", "value": "常客"}),
    );
    wanting["benefits"]["thanks"] = json!({"kind": "privilege", "privilege": "x"});
    for (fact, id) in [
        ("consent.granted@last(3).count", "REF-L23"),
        ("rating.submitted@last(3).count", "REF-L20"),
        ("booking.is_rework@last(3).count", "REF-L05"),
    ] {
        let tagging = json!({"id": "tag", "title": "标", "on": ["complaint.resolved"],
            "when": {"fact": fact, "op": "gte", "value": 1}, "then": [{"effect": "tag", "tag": "常客"}]});
        assert_eq!(
            ids_at(&with_rule(&wanting, tagging), GIVE_WHEN),
            [id],
            "{fact}"
        );
    }
}

#[test]
fn a_long_span_does_not_let_invitations_come_all_at_once() {
    let place = "/rules/0/caps/per_customer";
    let asking = |caps: Json| changed(place, caps);
    let yearly = json!([{"times": 12, "per": "P365D"}]);
    assert_eq!(ids_at(&asking(yearly), place), ["REF-L31"]);
    for caps in [
        json!([{"times": 3, "per": "P365D"}]),
        json!([{"times": 12, "per": "P365D"}, {"times": 3, "per": "P90D"}]),
        json!([{"times": 1, "per": "P30D"}]),
    ] {
        assert_eq!(linted(&asking(caps.clone())), [], "{caps}");
    }
}
