//! Ratings, complaints, whom a rule looks for and what people read: REF-L20 to REF-L42.

use super::*;

#[test]
fn l20_no_reward_depends_on_a_rating() {
    let timing = (
        "/rules/0/when/all/1",
        json!({"fact": "rating.score", "op": "gte", "value": 4.9}),
    );
    case(
        "REF-L20",
        GIVE_WHEN,
        reads("rating.score", &json!(4.8)),
        timing.clone(),
    );
    case(
        "REF-L20",
        GIVE_WHEN,
        reads("rating.attitude@last(3).min", &json!(4.8)),
        timing,
    );
    let hidden = json!({"not": {"any": [{"fact": "rating.score", "op": "lt", "value": 4.8}]}});
    assert!(
        linted(&changed(GIVE_WHEN, hidden))
            .iter()
            .any(|finding| finding.id == "REF-L20")
    );
}

#[test]
fn l21_an_invitation_says_no_open_complaint() {
    let good = json!({"not": {"fact": "customer.open_complaints", "op": "gt", "value": 0}});
    let bad = json!({"fact": "customer.open_complaints", "op": "lte", "value": 1});
    case(
        "REF-L21",
        "/rules/0",
        ("/rules/0/when/all/0", bad),
        ("/rules/0/when/all/0", good),
    );
    let either = json!({"any": [{"fact": "customer.open_complaints", "op": "eq", "value": 0}, {"fact": "rating.score", "op": "gte", "value": 4}]});
    assert!(
        linted(&changed("/rules/0/when", either))
            .iter()
            .any(|finding| finding.id == "REF-L21")
    );
}

#[test]
fn l24_nobody_is_sought_by_a_sensitive_attribute() {
    let plain = json!({"fact": "customer.tags", "op": "contains", "value": "有宠物"});
    let bad = json!({"fact": "customer.tags", "op": "contains", "value": "孕妇"});
    case(
        "REF-L24",
        "/rules/0/when/all/1",
        ("/rules/0/when/all/1", bad),
        ("/rules/0/when/all/1", plain.clone()),
    );
    let child = json!({"fact": "customer.has_child", "op": "eq", "value": true});
    case(
        "REF-L24",
        "/rules/0/when/all/1",
        ("/rules/0/when/all/1", child),
        ("/rules/0/when/all/1", plain),
    );
}

#[test]
fn l25_minors_are_not_marketed_to() {
    let minor = |value: bool| {
        (
            "/rules/0/when/all/1",
            json!({"fact": "customer.is_minor", "op": "eq", "value": value}),
        )
    };
    case("REF-L25", "/rules/0/when/all/1", minor(true), minor(false));
}

#[test]
fn l37_one_time_messages_are_service_notices() {
    let template = |name: &str| ("/rules/0/then/0/template", json!(name));
    case(
        "REF-L37",
        "/rules/0/then/0/template",
        template("autumn-coupon"),
        template("visit-followup"),
    );
    let pack = PolicyPack::shipped();
    assert_eq!(lint_notice("", "优惠券到账提醒", pack)[0].id, "REF-L37");
    assert_eq!(lint_notice("", "服务完成通知", pack), []);
    assert_eq!(
        lint_notice("", "couponless", pack),
        [],
        "parts, not letters"
    );
}

#[test]
fn l28_l29_l36_words_on_the_rule_page_are_plain() {
    let title = |text: &str| ("/rules/0/title", json!(text));
    case(
        "REF-L28",
        "/rules/0/title",
        title("全城第一的保洁"),
        title("满意再推荐"),
    );
    case(
        "REF-L29",
        "/rules/0/title",
        title("躺赚好礼"),
        title("满意再推荐"),
    );
    case(
        "REF-L36",
        "/rules/0/title",
        title("最终解释权归本公司"),
        title("满意再推荐"),
    );
    assert_eq!(
        lint_words("/text", "张阿姨获得对方的高度认可", PolicyPack::shipped())[0].id,
        "REF-L28"
    );
    assert_eq!(
        lint_words("/text", "您对这次服务满意吗?", PolicyPack::shipped()),
        []
    );
}

#[test]
fn l30_prices_do_not_depend_on_profile_tags() {
    let tags = (
        GIVE_WHEN,
        json!({"fact": "customer.tags", "op": "contains", "value": "高消费"}),
    );
    let city = (
        GIVE_WHEN,
        json!({"fact": "customer.city", "op": "eq", "value": "上海"}),
    );
    case("REF-L30", GIVE_WHEN, tags, city);
}

#[test]
fn l31_nobody_is_asked_at_night_or_too_often() {
    let hours = |text: &str| ("/rules/0/schedule", json!({"hours": text}));
    case(
        "REF-L31",
        "/rules/0/schedule/hours",
        hours("08:00-20:00"),
        hours("09:00-21:00"),
    );
    case(
        "REF-L31",
        "/rules/0/schedule/hours",
        hours("19:00-21:30"),
        hours("19:00-20:30"),
    );
    let often = |times: i64| {
        (
            "/rules/0/caps/per_customer",
            json!([{"times": times, "per": "P30D"}]),
        )
    };
    case("REF-L31", "/rules/0/caps/per_customer", often(2), often(1));
}

#[test]
fn l32_a_suppression_can_be_appealed() {
    let stop = |appeal: bool| {
        (
            "/rules/2/then",
            json!([{"effect": "suppress_invitations", "for": "P90D", "appeal": appeal}]),
        )
    };
    case("REF-L32", "/rules/2/then/0", stop(false), stop(true));
}

#[test]
fn l34_the_organiser_and_the_period_are_public() {
    case(
        "REF-L34",
        "/organiser",
        ("/organiser", Json::Null),
        ("/organiser", json!("另一家公司")),
    );
    case(
        "REF-L34",
        "/period/from",
        ("/period", json!({"to": "2026-03-01"})),
        ("/period/from", json!("2026-03-02")),
    );
}

#[test]
fn l39_sensors_set_nothing_off() {
    case(
        "REF-L39",
        "/rules/0/on/0",
        ("/rules/0/on", json!(["voice.greeting"])),
        ("/rules/0/on", json!(["booking.completed"])),
    );
}

#[test]
fn l40_people_come_from_first_hand_sources() {
    let audience = |key: &str, word: &str| ("/rules/0/audience", json!({ key: [word] }));
    case(
        "REF-L40",
        "/rules/0/audience/source",
        audience("source", "address_book"),
        audience("city", "北京"),
    );
}

#[test]
fn l41_insurance_needs_approval() {
    let coupon = ("/benefits/thanks", json!({"kind": "coupon", "fen": 1000}));
    case(
        "REF-L41",
        "/benefits/thanks/kind",
        ("/benefits/thanks", json!({"kind": "insurance"})),
        coupon,
    );
}

#[test]
fn l42_self_invites_are_checked_for() {
    let set = RuleSet::from_json(&base()).unwrap();
    let mut pack = PolicyPack::shipped().clone();
    pack.self_invite_checks = false;
    let findings = lint(&set, &pack);
    assert_eq!(
        (findings[0].id.as_str(), findings[0].severity),
        ("REF-L42", Severity::Warn)
    );
    pack.self_invite_checks = true;
    assert_eq!(lint(&set, &pack), []);
}
