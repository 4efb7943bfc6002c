//! The grammar's edges: bounds, unknown fields, empty groups, keys written twice, arbitrary JSON.

use crate::rule::document::{BenefitSpec, MAX_BYTES, Trigger};
use crate::rule::{DEFAULT_RULESET, Finding, PolicyPack, RuleSet, check};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn with_when(when: &Json) -> Json {
    json!({"schema": 1, "name": "试", "rules": [{"id": "r", "title": "试", "on": ["rating.submitted"], "when": when,
        "then": [{"effect": "tag", "tag": "满意"}]}]})
}

fn faults(document: &Json) -> Vec<Finding> {
    RuleSet::from_json(document).unwrap_err()
}

fn leaf() -> Json {
    json!({"fact": "rating.score", "op": "gte", "value": 4.8})
}

fn nested(depth: usize) -> Json {
    (0..depth).fold(leaf(), |inner, _| json!({"all": [inner]}))
}

#[test]
fn the_shipped_document_reads_the_same_as_text_and_as_json() {
    let json = serde_json::from_str(DEFAULT_RULESET).unwrap();
    assert_eq!(
        RuleSet::parse(DEFAULT_RULESET).unwrap(),
        RuleSet::from_json(&json).unwrap()
    );
}

#[test]
fn empty_groups_are_refused() {
    for word in ["all", "any"] {
        let found = faults(&with_when(&json!({ word: [] })));
        assert_eq!(found[0].pointer, format!("/rules/0/when/{word}"));
        assert!(found[0].message.contains("空"));
    }
}

#[test]
fn unknown_fields_are_refused_with_their_place() {
    let mut document = with_when(&leaf());
    document["rules"][0]["wen"] = json!({});
    document["surprise"] = json!(1);
    document["rules"][0]["then"][0]["extra"] = json!(1);
    let pointers: Vec<_> = faults(&document)
        .into_iter()
        .map(|found| found.pointer)
        .collect();
    assert_eq!(
        pointers,
        ["/rules/0/then/0/extra", "/rules/0/wen", "/surprise"]
    );
    let both = json!({"all": [leaf()], "any": [leaf()]});
    assert_eq!(faults(&with_when(&both))[0].pointer, "/rules/0/when/any");
}

#[test]
fn sixteen_levels_are_read_and_seventeen_refused() {
    assert!(RuleSet::from_json(&with_when(&nested(16))).is_ok());
    let found = faults(&with_when(&nested(17)));
    assert_eq!(found[0].id, "RULE-SIZE");
    assert!(found[0].pointer.ends_with("/all/0"));
}

#[test]
fn sixty_four_conditions_are_read_and_sixty_five_refused() {
    let wide = |width: usize| json!({"all": vec![leaf(); width]});
    assert!(RuleSet::from_json(&with_when(&wide(64))).is_ok());
    let found = faults(&with_when(&wide(65)));
    assert_eq!(
        (found[0].id.as_str(), found[0].pointer.as_str()),
        ("RULE-SIZE", "/rules/0/when")
    );
}

#[test]
fn ten_thousand_rules_are_read_and_one_more_refused() {
    let rules = |count: usize| {
        let rules: Vec<_> = (0..count)
            .map(|index| json!({"id": format!("r{index}"), "title": "试", "on": ["rating.submitted"], "then": [{"effect": "tag", "tag": "x"}]}))
            .collect();
        json!({"schema": 1, "name": "试", "rules": rules})
    };
    assert_eq!(
        RuleSet::from_json(&rules(10_000)).unwrap().rules.len(),
        10_000
    );
    assert_eq!(faults(&rules(10_001))[0].pointer, "/rules");
}

#[test]
fn more_than_four_mebibytes_are_refused() {
    let huge = format!("{{\"name\": \"{}\"}}", "长".repeat(MAX_BYTES / 3 + 1));
    assert_eq!(RuleSet::parse(&huge).unwrap_err()[0].id, "RULE-SIZE");
    assert_eq!(
        RuleSet::from_json(&json!({"name": "x".repeat(MAX_BYTES)})).unwrap_err()[0].id,
        "RULE-SIZE"
    );
}

#[test]
fn a_key_written_twice_is_refused() {
    let text = r#"{"schema": 1, "name": "试", "rules": [], "name": "另"}"#;
    let found = RuleSet::parse(text).unwrap_err();
    assert_eq!(found[0].id, "RULE-JSON");
    assert_eq!(found[0].message, "第 1 行第 52 列:“name”写了两次");
}

#[test]
fn what_is_no_json_is_told_in_chinese_with_its_place() {
    for (text, wanted) in [
        (
            "{\"schema\": 1,\n \"name\": \"试\"",
            "文档到第 2 行第 12 列就断了,后面还缺内容",
        ),
        (
            "{\"schema\": 1,\n \"name\" \"试\"}",
            "第 2 行第 9 列不是合法的 JSON",
        ),
        ("", "文档到第 1 行第 0 列就断了,后面还缺内容"),
        ("[1e999]", "第 1 行第 6 列的数字太大"),
        ("[\"a\nb\"]", "第 2 行第 0 列的文字里有换行或别的控制字符"),
        (&"[".repeat(200), "第 1 行第 128 列嵌套得太深"),
    ] {
        let found = RuleSet::parse(text).unwrap_err();
        assert_eq!((found.len(), found[0].message.as_str()), (1, wanted));
    }
}

#[test]
fn unlawful_forms_are_kept_for_the_lint() {
    let mut document = with_when(&leaf());
    document["benefits"] = json!({"money": {"kind": "cash", "fen": 100, "bank": "x"}});
    document["rules"][0]["on"] = json!(["referral.clicked"]);
    let set = RuleSet::from_json(&document).unwrap();
    assert!(matches!(&set.benefits["money"], BenefitSpec::Unlawful { kind, .. } if kind == "cash"));
    assert_eq!(
        set.rules[0].on,
        [Trigger::Other("referral.clicked".to_owned())]
    );
}

#[test]
fn plain_mistakes_are_each_named() {
    let mistakes = [
        (
            "/period/to",
            json!({"schema": 1, "name": "试", "rules": [], "period": {"from": "2026-02-01", "to": "2026-01-01"}}),
        ),
        (
            "/period/from",
            json!({"schema": 1, "name": "试", "rules": [], "period": {"from": "2026-02-30"}}),
        ),
        ("/schema", json!({"schema": 2, "name": "试", "rules": []})),
        ("", json!({"schema": 1, "rules": []})),
        ("", json!([])),
        (
            "/generations/1",
            json!({"schema": 1, "name": "试", "rules": [], "generations": {"1": 5}}),
        ),
        (
            "/benefits/a/fen",
            json!({"schema": 1, "name": "试", "rules": [], "benefits": {"a": {"kind": "coupon", "fen": -1}}}),
        ),
        (
            "/caps/per_inviter/0/per",
            json!({"schema": 1, "name": "试", "rules": [], "caps": {"per_inviter": [{"times": 1, "per": "P1M"}]}}),
        ),
    ];
    for (pointer, document) in mistakes {
        assert_eq!(faults(&document)[0].pointer, pointer, "{document}");
    }
}

#[test]
fn rule_mistakes_are_each_named() {
    let mistakes = [
        ("id", json!("Großer Name")),
        ("on", json!([])),
        ("then", json!([])),
        ("priority", json!(1.5)),
        ("schedule", json!("nights")),
        ("audience", json!({})),
        ("caps", json!([])),
    ];
    for (key, value) in mistakes {
        let mut document = with_when(&leaf());
        document["rules"][0][key] = value;
        let found = faults(&document);
        assert_eq!(
            (found.len(), found[0].pointer.as_str()),
            (1, format!("/rules/0/{key}").as_str())
        );
    }
    let mut hours = with_when(&leaf());
    for text in [
        "20:00-09:00",
        "9:00-10:00",
        "09:00-25:00",
        "09:60-10:00",
        "09:00",
    ] {
        hours["rules"][0]["schedule"] = json!({"hours": text});
        assert_eq!(
            faults(&hours)[0].pointer,
            "/rules/0/schedule/hours",
            "{text}"
        );
    }
}

#[test]
fn two_rules_may_not_share_an_id() {
    let mut document = with_when(&leaf());
    let rule = document["rules"][0].clone();
    document["rules"].as_array_mut().unwrap().push(rule);
    assert_eq!(faults(&document)[0].pointer, "/rules/1/id");
}

fn any_json() -> impl Strategy<Value = Json> {
    let scalar = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,12}".prop_map(Json::from),
        prop::sample::select(vec![
            "rating.score",
            "gte",
            "invite",
            "grant",
            "rating.submitted",
            "P7D",
            "r1",
            "cash",
            "rating.score@last(3).min"
        ])
        .prop_map(Json::from),
    ];
    let key = prop::sample::select(vec![
        "schema",
        "name",
        "rules",
        "id",
        "title",
        "on",
        "when",
        "then",
        "all",
        "any",
        "not",
        "fact",
        "op",
        "value",
        "effect",
        "benefits",
        "kind",
        "generations",
        "caps",
        "period",
        "audience",
        "schedule",
        "hours",
        "template",
        "to",
        "benefit",
        "~/",
    ]);
    scalar.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            proptest::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn checking_arbitrary_json_never_panics(json in any_json(), when in any_json(), then in any_json()) {
        let _ = check(&json, PolicyPack::shipped());
        let mut document = with_when(&when);
        let _ = check(&document, PolicyPack::shipped());
        document["rules"][0]["then"] = then;
        let _ = check(&document, PolicyPack::shipped());
        document["rules"] = json;
        let _ = check(&document, PolicyPack::shipped());
    }

    #[test]
    fn parsing_arbitrary_text_never_panics(text in ".{0,200}") {
        let _ = RuleSet::parse(&text);
    }
}

#[test]
fn nul_characters_are_a_finding_wherever_they_hide() {
    let plain = json!({"schema": 1, "name": "试", "rules": []});
    for (key, value, place) in [
        ("name", json!("a\0b"), "/name"),
        ("parameters", json!({"p": ["x", "\0"]}), "/parameters/p/1"),
        ("benefits", json!({"a\0": {}}), "/benefits"),
    ] {
        let mut document = plain.clone();
        document[key] = value;
        let faults = RuleSet::from_json(&document).unwrap_err();
        assert_eq!(faults[0].pointer, place);
        assert_eq!(faults[0].id, "RULE-FIELD");
    }
    assert!(RuleSet::from_json(&plain).is_ok());
}
