//! What the inviter gets beside what his friend gets, and beside an order: REF-L16.

use super::*;

/// Where REF-L16 is found, and that nothing else is.
fn places(document: &Json) -> Vec<String> {
    let findings = linted(document);
    assert!(
        findings
            .iter()
            .all(|one| ["REF-L16", "REF-L13"].contains(&one.id.as_str())),
        "{findings:#?}"
    );
    let found = findings.into_iter().filter(|one| one.id == "REF-L16");
    found.map(|one| one.pointer).collect()
}

fn none() -> Vec<String> {
    Vec::new()
}

#[test]
fn l16_the_friend_gets_at_least_as_much_as_the_inviter() {
    let thanks = |fen: i64| ("/benefits/thanks", json!({"kind": "coupon", "fen": fen}));
    case("REF-L16", "/inviter_thanks", thanks(3001), thanks(3000));
}

#[test]
fn a_rule_gives_the_inviter_no_more_than_his_friend_gets() {
    let mut document = base();
    document["benefits"]["extra"] = json!({"kind": "coupon", "fen": 3001});
    document["rules"][1]["then"][0]["benefit"] = json!("extra");
    assert_eq!(places(&document), ["/rules/1/then/0/benefit"]);
    document["benefits"]["extra"]["fen"] = json!(3000);
    assert_eq!(places(&document), none());
}

#[test]
fn two_grants_of_one_rule_count_together_and_so_does_what_the_friend_gets_by_it() {
    let grant = |to: &str| json!({"effect": "grant", "to": to, "benefit": "thanks", "once": true});
    let both = changed(GIVE_THEN, json!([grant("inviter"), grant("inviter")]));
    assert_eq!(places(&both), ["/rules/1/then/1/benefit"]);
    let shared = changed(
        GIVE_THEN,
        json!([grant("inviter"), grant("inviter"), grant("invitee")]),
    );
    assert_eq!(places(&shared), none());
}

#[test]
fn the_generation_that_gets_least_is_the_measure() {
    let generations = |value: Json| {
        let mut document = changed("/generations", value);
        document["benefits"]["less"] = json!({"kind": "coupon", "fen": 1000});
        document["benefits"]["kit"] = json!({"kind": "goods", "sku": "kit"});
        document["benefits"]["perk"] = json!({"kind": "privilege", "privilege": "butler"});
        places(&document)
    };
    let more = ["/inviter_thanks", "/rules/1/then/0/benefit"];
    assert_eq!(generations(json!({"1": "welcome", "2": "less"})), more);
    assert_eq!(
        generations(json!({"1": "welcome", "3": "welcome"})),
        more,
        "the second gets nothing"
    );
    assert_eq!(
        generations(json!({"1": "welcome", "2": "kit"})),
        more,
        "nobody knows what it is worth"
    );
    assert_eq!(generations(json!({})), more, "nobody is welcomed");
    assert_eq!(
        generations(json!({"1": "perk"})),
        more,
        "a privilege has no price"
    );
    assert_eq!(
        generations(json!({"1": "welcome", "2": "welcome", "3": "perk"})),
        none()
    );
}

#[test]
fn a_privilege_for_a_privilege_is_fine() {
    let mut document = base();
    for name in ["welcome", "thanks"] {
        document["benefits"][name] = json!({"kind": "privilege", "privilege": "butler"});
    }
    assert_eq!(places(&document), none());
}

#[test]
fn a_dearer_order_is_not_written_into_a_document_without_a_second_person() {
    let mut document = base();
    document["benefits"]["welcome"] = json!({"kind": "price_off", "fen": 6001});
    assert_eq!(places(&document), ["/benefits/welcome"]);
    assert!(!linted(&document)[0].fix.contains("typical_order_fen"));
    document["typical_order_fen"] = json!(30_005);
    assert_eq!(places(&document), ["/typical_order_fen"]);
    document["typical_order_fen"] = json!(30_000);
    assert_eq!(places(&document), ["/benefits/welcome"]);
    document["typical_order_fen"] = json!(20_000);
    document["benefits"]["welcome"]["fen"] = json!(4000);
    assert_eq!(places(&document), none());
    document["benefits"]["welcome"]["fen"] = json!(4001);
    assert_eq!(
        places(&document),
        ["/benefits/welcome"],
        "a cheaper order is a stricter measure"
    );
}
