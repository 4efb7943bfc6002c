//! What a back-test says: what it could not see, who gains and loses, what it costs, and what it leaves out.

use crate::rules::{drafts, publishes, shipped, with_rules};
use crate::support::{Crew, Person, TestApp};
use entity::values::StaffRole;
use serde_json::{Value, json};

/// The whole history through a draft and what is live.
async fn tried(marketing: &Person, document: &Value) -> Value {
    let id = drafts(marketing, document).await;
    let ever = json!({ "from": "2020-01-01", "to": "2099-12-31", "against": "live" });
    let path = format!("admin/rulesets/{id}/backtest");
    marketing.post(&path, ever).await.expect(200)
}

fn rule<'a>(out: &'a Value, id: &str) -> &'a Value {
    let rules = out["rules"].as_array().unwrap();
    let found = rules.iter().find(|one| one["rule_id"] == id);
    found.unwrap_or_else(|| panic!("no rule {id}: {out}"))
}

/// A customer who agreed to be asked, and his visit with the best rating.
async fn rated(app: &TestApp, crew: &Crew, name: &str) -> Person {
    let person = app.customer(name).await;
    person.consents("referral_profiling", None).await;
    let booking = app.visit(&person, crew).await;
    app.rates(&person, &booking, [5, 5, 5, 5, 5]).await;
    person
}

on_both! {
    async fn a_draft_is_told_which_events_and_facts_history_does_not_hold(app) {
        let crew = app.crew("13800001000").await;
        rated(app, &crew, "mei").await;
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let mut further = shipped();
        further["rules"][0]["when"]["all"].as_array_mut().unwrap()
            .push(json!({"fact": "booking.total_fen", "op": "gte", "value": 1}));
        let visited = json!({"id": "visited", "title": "服务完成", "on": ["booking.completed"],
            "then": [{"effect": "notify_staff", "text": "服务完成了"}]});
        further["rules"].as_array_mut().unwrap().push(visited);
        let out = tried(&marketing, &further).await;
        let missing: Vec<&str> = out["not_recorded"]["events"].as_array().unwrap().iter()
            .map(|one| one["event"].as_str().unwrap()).collect();
        assert!(missing.contains(&"booking.completed") && !missing.contains(&"rating.submitted"), "{out}");
        let facts: Vec<_> = out["not_recorded"]["facts"].as_array().unwrap().iter()
            .map(|one| (one["fact"].clone(), one["event"].clone(), one["recorded"].clone(), one["other_reads_it"].clone())).collect();
        let never = |event: &str| (json!("booking.total_fen"), json!(event), json!(0), json!(false));
        assert_eq!(facts, [never("rating.submitted"), never("payment.succeeded")], "{out}");
        let notes = out["notes"].as_array().unwrap();
        assert!(notes.iter().any(|note| note.as_str().unwrap().contains("“服务完成”")), "{out}");
        assert!(notes.iter().any(|note| note.as_str().unwrap().contains("“订单总价”")), "{out}");
        let asks = rule(&out, "quality-baseline");
        assert_eq!((&asks["events"], &asks["events_before"]), (&json!(2), &json!(2)), "a payment and a rating: {asks}");
        assert_eq!((&asks["fired"], &asks["fired_before"]), (&json!(0), &json!(1)), "{asks}");
        assert_eq!((&asks["unknown"], &asks["unknown_before"]), (&json!(2), &json!(1)), "nobody had rated when he paid: {asks}");
        let silent = rule(&out, "visited");
        assert_eq!((&silent["events"], &silent["events_before"], &silent["fired"]), (&json!(0), &json!(0), &json!(0)), "{silent}");
        assert_eq!(rule(&out, "sla-breach")["title"], "投诉处理超时,暂停邀约");
    }

    async fn a_draft_that_looks_at_what_was_read_all_along_misses_nothing(app) {
        let crew = app.crew("13800001000").await;
        rated(app, &crew, "mei").await;
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let rated = json!([{"id": "good", "title": "好评", "on": ["rating.submitted"],
            "when": {"fact": "rating.score", "op": "gte", "value": 4}, "then": [{"effect": "tag", "tag": "满意"}]}]);
        let out = tried(&marketing, &with_rules(&rated)).await;
        assert_eq!(out["not_recorded"], json!({"events": [], "facts": []}), "{out}");
        let good = rule(&out, "good");
        assert_eq!((&good["events"], &good["unknown"], &good["fired"]), (&json!(1), &json!(0), &json!(1)), "{good}");
    }

    async fn a_fact_read_since_a_later_version_is_known_of_part_of_history(app) {
        let crew = app.crew("13800001000").await;
        rated(app, &crew, "mei").await;
        let mut further = shipped();
        further["rules"][0]["when"]["all"].as_array_mut().unwrap()
            .push(json!({"fact": "booking.total_fen", "op": "gte", "value": 1}));
        let marketing = publishes(app, &further).await;
        rated(app, &crew, "li").await;
        let out = tried(&marketing, &further).await;
        let facts = out["not_recorded"]["facts"].as_array().unwrap();
        let rating = facts.iter().find(|one| one["event"] == "rating.submitted").unwrap();
        assert_eq!((&rating["records"], &rating["recorded"], &rating["other_reads_it"]), (&json!(2), &json!(1), &json!(true)), "{out}");
    }
}
