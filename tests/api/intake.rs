//! What third parties tell: once, in form, and of nobody who has not agreed.

use crate::{
    rules::{decisions, publishes, shipped, with_rules},
    support::{Answer, Backend, Person, TestApp},
};
use chrono::Duration;
use entity::{outbox, received_event, values::StaffRole};
use linjian::{app::Half, intake};
use proptest::{
    prelude::{Just, any, prop_oneof},
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

const PHONE: &str = "13700001234";

/// A third party with its key.
#[derive(Clone)]
struct Sender {
    client: reqwest::Client,
    address: String,
    key: String,
    id: String,
}

impl Sender {
    async fn sends(&self, body: &Value) -> Answer {
        let request = self.client.post(&self.address).json(body);
        let request = request.header("x-api-key", &self.key);
        Answer::read(request.send().await.unwrap()).await
    }
}

fn registration(slug: &str, kinds: &[&str]) -> Value {
    json!({ "name": "示例家电", "slug": slug, "kinds": kinds, "provenance": "用户在厂商小程序里登记的家电",
        "contract_id": "HT-2026-017", "authorisation": "用户在厂商小程序里勾选“把保养提醒告诉家政公司”" })
}

async fn sender(app: &TestApp, slug: &str, kinds: &[&str]) -> Sender {
    let officer = app.staff(&[StaffRole::Pipo]).await;
    let made = officer
        .post("admin/event-sources", registration(slug, kinds))
        .await
        .expect(201);
    Sender {
        client: reqwest::Client::new(),
        address: format!("{}/api/v1/events", app.node.url()),
        key: made["key"].as_str().unwrap().to_owned(),
        id: made["source"]["id"].as_str().unwrap().to_owned(),
    }
}

/// A filter that is nearly done.
fn due(app: &TestApp, key: &str, phone: &str) -> Value {
    let at = app.ctx().env.now() - Duration::hours(1);
    json!({ "key": key, "kind": "partner.filter_due", "occurred_at": at, "customer": { "phone": phone },
        "authorisation": "SQ-1", "data": { "appliance": "range_hood", "life_left": 0.1 } })
}

/// A customer with a phone.
async fn reachable(app: &TestApp, name: &str, phone: &str) -> Person {
    let person = app.customer(name).await;
    person
        .post("auth/phone", json!({ "code": format!("phone-{phone}") }))
        .await
        .expect(200);
    person
}

async fn agreeing(app: &TestApp, name: &str, phone: &str) -> Person {
    let person = reachable(app, name, phone).await;
    person.consents("referral_profiling", None).await;
    person.consents("partner_events", None).await;
    app.drain().await;
    person
}

/// Asks whose filter is nearly done.
fn asking() -> Value {
    let mut rule = shipped()["rules"][0].clone();
    rule["id"] = json!("filter");
    rule["title"] = json!("滤网到期,顺便问一句");
    rule["on"] = json!(["partner.filter_due"]);
    rule["when"] = json!({"all": [
        {"fact": "partner.filter_due.life_left", "op": "lte", "value": 0.2},
        {"fact": "partner.filter_due.appliance", "op": "eq", "value": "range_hood"},
        {"fact": "customer.open_complaints", "op": "eq", "value": 0}]});
    with_rules(&json!([rule]))
}

async fn told(app: &TestApp) -> u64 {
    let rows = outbox::Entity::find().filter(outbox::Column::Kind.starts_with("partner."));
    rows.count(app.ctx().db.read()).await.unwrap()
}

async fn received(app: &TestApp) -> Vec<received_event::Model> {
    received_event::Entity::find()
        .all(app.ctx().db.read())
        .await
        .unwrap()
}

on_both! {
    async fn what_a_partner_tells_fires_a_rule_and_makes_an_invitation(app) {
        let marketing = publishes(app, &asking()).await;
        let sender = sender(app, "hood", &["partner.filter_due"]).await;
        let mei = agreeing(app, "mei", PHONE).await;
        let answer = sender.sends(&due(app, "a-1", "+86 137-0000-1234")).await.expect(202);
        assert_eq!(answer, json!({ "accepted": true }));
        app.drain().await;
        let decision = decisions(&marketing, &mei).await.remove(0);
        assert_eq!((&decision["outcome"], &decision["event"]), (&json!("fired"), &json!("partner.filter_due")));
        let found = decision["conditions"].as_array().unwrap().iter().find(|one| one["fact"] == "partner.filter_due.life_left");
        assert_eq!(found.unwrap()["got"], json!(0.1));
        let list = mei.get("me/invitations").await.expect(200);
        assert_eq!(list["items"][0]["rule_id"], "filter");
        let row = received(app).await.remove(0);
        assert_eq!(row.kind.as_deref(), Some("partner.filter_due"));
        assert!(row.consent_record_id.is_some());
        assert_eq!(marketing.get("admin/decisions?event=partner.filter_due").await.expect(200)["items"].as_array().unwrap().len(), 1);
        assert!(marketing.get("admin/facts").await.expect(200).to_string().contains("partner.filter_due.life_left"));
    }

    async fn a_delivery_counts_once_per_sender_and_key(app) {
        publishes(app, &asking()).await;
        let hood = sender(app, "hood", &["partner.filter_due"]).await;
        let other = sender(app, "other", &["partner.filter_due"]).await;
        agreeing(app, "mei", PHONE).await;
        let body = due(app, "a-1", PHONE);
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (hood, body) = (hood.clone(), body.clone());
                tokio::spawn(async move { hood.sends(&body).await.expect(202) })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), json!({ "accepted": true }));
        }
        hood.sends(&body).await.expect(202);
        assert_eq!(told(app).await, 1);
        let mut changed = body.clone();
        changed["data"]["life_left"] = json!(0.2);
        hood.sends(&changed).await.problem(409, "conflict");
        other.sends(&body).await.expect(202);
        other.sends(&changed).await.problem(409, "conflict");
        assert_eq!(told(app).await, 2, "another sender's keys are its own");
        // A repetition is one however late it comes.
        app.advance("P40D").await;
        hood.sends(&body).await.expect(202);
        assert_eq!(told(app).await, 2);
    }

    async fn of_whoever_has_not_agreed_or_is_not_known_nothing_is_kept_and_the_answer_is_the_same(app) {
        let marketing = publishes(app, &asking()).await;
        let sender = sender(app, "hood", &["partner.filter_due"]).await;
        let mei = reachable(app, "mei", PHONE).await;
        let li = reachable(app, "li", "13700002222").await;
        li.consents("referral_profiling", None).await;
        let wang = reachable(app, "wang", "13700003333").await;
        wang.consents("partner_events", None).await;
        let mut answers = Vec::new();
        for (key, phone) in [("1", PHONE), ("2", "13700002222"), ("3", "13700003333"), ("4", "13799999999")] {
            let body = due(app, key, phone);
            answers.push(sender.sends(&body).await.expect(202));
            answers.push(sender.sends(&body).await.expect(202));
            let mut other = body;
            other["authorisation"] = json!("SQ-2");
            answers.push(sender.sends(&other).await.problem(409, "conflict")["detail"].clone());
        }
        let mut nobody = due(app, "5", PHONE);
        nobody["customer"] = json!({ "customer_id": "01930000-0000-7000-8000-000000000000" });
        assert_eq!(sender.sends(&nobody).await.expect(202), answers[0]);
        for chunk in answers.chunks(3) {
            assert_eq!(chunk, &answers[..3]);
        }
        app.drain().await;
        for row in received(app).await {
            assert_eq!((row.kind, row.customer_id, row.authorisation, row.occurred_at), (None, None, None, None));
            assert!(!row.payload_hash.contains(PHONE));
        }
        assert_eq!(told(app).await, 0);
        for person in [&mei, &li, &wang] {
            assert!(decisions(&marketing, person).await.is_empty());
        }
    }

    async fn whoever_takes_his_consent_back_is_forgotten_and_heard_of_no_more(app) {
        let marketing = publishes(app, &asking()).await;
        let sender = sender(app, "hood", &["partner.filter_due"]).await;
        let mei = agreeing(app, "mei", PHONE).await;
        sender.sends(&due(app, "1", PHONE)).await.expect(202);
        app.drain().await;
        // One that is still on its way when the consent goes.
        sender.sends(&due(app, "2", PHONE)).await.expect(202);
        mei.delete("me/consents/partner_events").await.expect(200);
        app.drain().await;
        assert_eq!(decisions(&marketing, &mei).await.len(), 1);
        app.drain().await;
        for row in received(app).await {
            assert_eq!((row.kind, row.customer_id, row.authorisation), (None, None, None));
        }
        let left = outbox::Entity::find().filter(outbox::Column::Kind.starts_with("partner."));
        for row in left.all(app.ctx().db.read()).await.unwrap() {
            assert!(row.payload.get("data").is_none(), "{:?}", row.payload);
        }
        sender.sends(&due(app, "3", PHONE)).await.expect(202);
        app.drain().await;
        assert_eq!(decisions(&marketing, &mei).await.len(), 1);
    }

    async fn deliveries_are_forgotten_after_ninety_days(app) {
        let sender = sender(app, "hood", &["partner.filter_due"]).await;
        agreeing(app, "mei", PHONE).await;
        sender.sends(&due(app, "1", PHONE)).await.expect(202);
        app.drain().await;
        app.advance("P89D").await;
        assert_eq!(intake::forget_old(app.ctx()).await.unwrap(), 0);
        app.advance("P2D").await;
        assert_eq!(intake::forget_old(app.ctx()).await.unwrap(), 1);
        assert_eq!((told(app).await, received(app).await.len()), (0, 0));
    }

    async fn how_often_a_partner_told_something_is_a_fact_of_the_past(app) {
        let rule = json!([{"id": "tell", "title": "提醒", "on": ["complaint.opened", "partner.lease_ended"],
            "when": {"fact": "partner.filter_due@within(P30D).count", "op": "gte", "value": 2},
            "then": [{"effect": "notify_staff", "text": "请看一下", "role": "service"}]}]);
        let marketing = publishes(app, &with_rules(&rule)).await;
        let sender = sender(app, "hood", &["partner.filter_due", "partner.lease_ended"]).await;
        let mei = agreeing(app, "mei", PHONE).await;
        let mut lease = due(app, "lease", PHONE);
        lease["kind"] = json!("partner.lease_ended");
        lease["data"] = json!({ "handover_in_days": -3 });
        for (key, outcome) in [("1", "not"), ("2", "fired")] {
            sender.sends(&due(app, key, PHONE)).await.expect(202);
            lease["key"] = json!(format!("lease-{key}"));
            sender.sends(&lease).await.expect(202);
            app.drain().await;
            assert_eq!(decisions(&marketing, &mei).await[0]["outcome"], outcome);
        }
    }

    async fn a_rule_reads_a_partners_field_on_that_partners_event_alone_and_rewards_nobody_for_it(app) {
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let refused = async |rules: Value| {
            let id = crate::rules::drafts(&marketing, &with_rules(&rules)).await;
            let refused = marketing.post(&format!("admin/rulesets/{id}/publish"), json!({})).await;
            refused.problem(422, "rule_rejected")["findings"].to_string()
        };
        let tell = json!([{"effect": "notify_staff", "text": "请看一下", "role": "service"}]);
        let leaf = json!({"fact": "partner.filter_due.life_left", "op": "lte", "value": 0.2});
        let rules = json!([{"id": "x", "title": "试", "on": ["rating.submitted"], "when": leaf, "then": tell}]);
        assert!(refused(rules).await.contains("RULE-FACT"));
        let rules = json!([{"id": "x", "title": "试", "on": ["partner.voiceprint"], "then": tell}]);
        assert!(refused(rules).await.contains("RULE-EVENT"));
        let rules = json!([{"id": "x", "title": "试", "on": ["partner.filter_due"],
            "then": [{"effect": "grant", "to": "inviter", "benefit": "thanks"}],
            "caps": {"per_customer": [{"times": 1, "per": "P30D"}], "budget_fen": 1000}}]);
        assert!(refused(rules).await.contains("REF-L09"));
    }

    async fn keys_are_shown_once_end_at_once_and_are_the_officers_to_give(app) {
        let officer = app.staff(&[StaffRole::Pipo]).await;
        let hood = sender(app, "hood", &["partner.filter_due"]).await;
        let body = due(app, "1", PHONE);
        let list = officer.get("admin/event-sources").await.expect(200);
        assert!(!list.to_string().contains(&hood.key) && list["items"][0].get("key").is_none());
        assert!(!list.to_string().contains("key_hash"));
        officer.post("admin/event-sources", registration("hood", &["partner.filter_due"])).await.problem(409, "conflict");
        for (at, value) in [("kinds", json!(["partner.voice"])), ("slug", json!("Hood")), ("provenance", json!(""))] {
            let mut wrong = registration("x", &["partner.filter_due"]);
            wrong[at] = value;
            officer.post("admin/event-sources", wrong).await.problem(422, "validation");
        }
        let rotated = officer.post(&format!("admin/event-sources/{}/rotate", hood.id), json!({})).await.expect(200);
        hood.sends(&body).await.problem(401, "unauthenticated");
        let fresh = Sender { key: rotated["key"].as_str().unwrap().to_owned(), ..hood.clone() };
        fresh.sends(&body).await.expect(202);
        for _ in 0..2 {
            let revoked = officer.post(&format!("admin/event-sources/{}/revoke", hood.id), json!({})).await.expect(200);
            assert!(revoked["revoked_at"].is_string());
        }
        fresh.sends(&body).await.problem(401, "unauthenticated");
        officer.post(&format!("admin/event-sources/{}/rotate", hood.id), json!({})).await.problem(409, "invalid_state");
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        marketing.post("admin/event-sources", registration("y", &["partner.filter_due"])).await.problem(403, "forbidden");
        assert!(marketing.get("admin/event-kinds").await.expect(200)["items"].as_array().unwrap().len() >= 4);
        let audit = officer.get("admin/audit").await.expect(200).to_string();
        assert!(audit.contains("event-sources") && !audit.contains(&hood.key));
    }

    async fn what_is_out_of_form_is_refused_with_its_place(app) {
        let sender = sender(app, "hood", &["partner.filter_due"]).await;
        agreeing(app, "mei", PHONE).await;
        let now = app.ctx().env.now();
        for (at, value, place) in [
            ("/key", json!(""), "/key"), ("/key", json!("手机"), "/key"), ("/key", json!("x".repeat(65)), "/key"),
            ("/kind", json!("partner.voice"), "/kind"), ("/kind", json!("rating.submitted"), "/kind"),
            ("/occurred_at", json!(now + Duration::days(1)), "/occurred_at"),
            ("/occurred_at", json!(now - Duration::days(31)), "/occurred_at"), ("/occurred_at", json!("yesterday"), "/occurred_at"),
            ("/customer", json!({}), "/customer"), ("/customer", json!({"phone": "12345678901234"}), "/customer/phone"),
            ("/customer", json!({"phone": PHONE, "customer_id": "01930000-0000-7000-8000-000000000000"}), "/customer"),
            ("/customer", json!({"phone": PHONE, "name": "梅"}), "/customer"),
            ("/authorisation", json!(""), "/authorisation"), ("/data", json!([]), "/data"),
            ("/data/appliance", json!(null), "/data/appliance"), ("/data/appliance", json!("toaster"), "/data/appliance"),
            ("/data/life_left", json!(2), "/data/life_left"), ("/data/life_left", json!("much"), "/data/life_left"),
            ("/data/colour", json!("red"), "/data/colour"),
        ] {
            let mut body = due(app, "1", PHONE);
            let (parent, key) = at.rsplit_once('/').unwrap();
            body.pointer_mut(parent).unwrap()[key] = value;
            let refused = sender.sends(&body).await.problem(422, "validation");
            let pointer = refused["errors"][0]["pointer"].as_str().unwrap();
            assert!(pointer.starts_with(place), "{at}: {refused}");
        }
        let mut missing = due(app, "1", PHONE);
        missing["data"] = json!({});
        let refused = sender.sends(&missing).await.problem(422, "validation");
        assert_eq!((&refused["errors"][0]["pointer"], &refused["errors"][0]["code"]), (&json!("/data/appliance"), &json!("required")));
        let mut not_theirs = due(app, "1", PHONE);
        not_theirs["kind"] = json!("partner.lease_ended");
        sender.sends(&not_theirs).await.problem(403, "forbidden");
        let mut long = due(app, "1", PHONE);
        long["data"]["appliance"] = json!("x".repeat(9000));
        sender.sends(&long).await.problem(413, "payload_too_large");
        assert!(received(app).await.is_empty(), "what is refused leaves nothing");
        sender.sends(&due(app, "1", PHONE)).await.expect(202);
    }

    async fn no_json_at_all_is_ever_our_fault(app) {
        let sender = sender(app, "hood", &["partner.filter_due"]).await;
        agreeing(app, "mei", PHONE).await;
        let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from), ".{0,12}".prop_map(Value::from)];
        let json = leaf.prop_recursive(3, 12, 4, |inner| prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("phone|customer_id|appliance|life_left|[a-z]{0,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]);
        let mut runner = TestRunner::deterministic();
        for round in 0..80 {
            let value = json.new_tree(&mut runner).unwrap().current();
            let mut body = due(app, &format!("r-{round}"), PHONE);
            let at = ["key", "kind", "occurred_at", "customer", "authorisation", "data", "data", "data"][round % 8];
            body[at] = value.clone();
            for body in [&body, &value] {
                let status = sender.sends(body).await.status;
                assert!(status < 500 && status != 404, "{status} to {body}");
            }
        }
        app.drain().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_floods_is_slowed_down_and_no_other_with_it() {
    let app = TestApp::with(Backend::Embedded, Half::ApiOnly, &[("limits.event", "3")]).await;
    let (loud, quiet) = (
        sender(&app, "loud", &["partner.filter_due"]).await,
        sender(&app, "quiet", &["partner.filter_due"]).await,
    );
    for number in 0..3 {
        loud.sends(&due(&app, &number.to_string(), PHONE))
            .await
            .expect(202);
    }
    let refused = loud.sends(&due(&app, "9", PHONE)).await;
    assert!(refused.headers.contains_key("retry-after"));
    refused.problem(429, "rate_limited");
    quiet.sends(&due(&app, "1", PHONE)).await.expect(202);
    app.finish().await;
}
