//! Consent: notices, acts, gates, receipts, the chain.

use crate::support::{Person, TestApp};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use entity::{notice, values::StaffRole};
use linjian::{
    app::{self, Half},
    config, consent,
    platform::vault::sha256_hex,
};
use sea_orm::{ConnectionTrait, EntityTrait};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Value, json};

/// The receipt's fields (api.md), CR-01 … CR-26 in order.
const FIELDS: [&str; 37] = [
    "schema_version",
    "record_id",
    "subject_id",
    "acting_party",
    "controller",
    "notice_id",
    "notice_version",
    "notice_sha256",
    "language",
    "purpose",
    "purpose_text",
    "consent_type",
    "legal_basis",
    "article",
    "data_categories",
    "sensitive",
    "necessity",
    "effect_on_rights",
    "processing_method",
    "automated",
    "retention_rule",
    "storage_location",
    "recipients",
    "withdrawal_method",
    "rights_link",
    "jurisdiction",
    "state",
    "decided_at",
    "expires_at",
    "expression_method",
    "evidence",
    "pia_id",
    "scope",
    "supersedes",
    "prev_hash",
    "hash",
    "key_id",
];

/// The keys of an object as they came over the wire.
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Listing;
        impl<'de> Visitor<'de> for Listing {
            type Value = Keys;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Keys, M::Error> {
                let mut keys = Vec::new();
                while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        from.deserialize_map(Listing)
    }
}

#[derive(Deserialize)]
struct Ordered {
    receipt: Keys,
}

async fn notice_of(person: &Person, purpose: &str) -> Value {
    let notices = person.get("consent/notices").await.expect(200);
    let items = notices["items"].as_array().unwrap();
    let found = items.iter().find(|notice| notice["purpose"] == purpose);
    found.unwrap().clone()
}

async fn body(person: &Person, purpose: &str, decision: &str, channel: &str) -> Value {
    let notice = notice_of(person, purpose).await;
    json!({
        "purpose": purpose, "decision": decision, "channel": channel, "notice_version": notice["version"],
        "notice_sha256": notice["sha256"],
    })
}

/// The person's rows of a purpose.
async fn rows(person: &Person, purpose: &str) -> Vec<Value> {
    let mine = person.get("me/consents").await.expect(200);
    let items = mine["items"].as_array().unwrap();
    let of_purpose = items.iter().filter(|row| row["purpose"] == purpose);
    of_purpose.cloned().collect()
}

async fn state(person: &Person, purpose: &str) -> Value {
    rows(person, purpose).await[0]["state"].clone()
}

async fn sql(app: &TestApp, statement: &str) {
    let tx = app.ctx().db.begin_write().await.unwrap();
    tx.execute_unprepared(statement).await.unwrap();
    tx.commit().await.unwrap();
}

async fn verified(app: &TestApp) -> Value {
    let officer = app.staff(&[StaffRole::Pipo]).await;
    officer.get("admin/consents/verify").await.expect(200)
}

async fn code_of(app: &TestApp, name: &str) -> Value {
    let friend = app.customer(name).await;
    friend.post("me/invitations", json!({})).await.expect(201)["code"].clone()
}

/// Whether the signature of a receipt holds over its canonical form, with the key it names.
fn holds(answer: &Value) -> bool {
    let bytes = |key: &str| STANDARD.decode(answer[key].as_str().unwrap()).unwrap();
    let key = bytes("public_key");
    assert_eq!(answer["algorithm"], "Ed25519");
    assert_eq!(answer["key_id"], sha256_hex(&key)[..16]);
    let signed = answer["receipt"].to_string();
    UnparsedPublicKey::new(&ED25519, key)
        .verify(signed.as_bytes(), &bytes("signature"))
        .is_ok()
}

/// Posts the bodies at once and answers the statuses, sorted.
async fn at_once(person: &Person, bodies: Vec<Value>) -> Vec<u16> {
    let tasks = bodies.into_iter().map(|body| {
        let person = person.clone();
        tokio::spawn(async move {
            let answer = match body.get("withdraw").and_then(Value::as_str) {
                Some(purpose) => person.delete(&format!("me/consents/{purpose}")).await,
                None => person.post("me/consents", body).await,
            };
            answer.status
        })
    });
    let mut statuses = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        statuses.push(task.await.unwrap());
    }
    statuses.sort_unstable();
    statuses
}

on_both! {
    async fn notices_are_addressed_by_their_content_and_say_what_the_contract_asks(app) {
        let stored = notice::Entity::find().all(app.ctx().db.read()).await.unwrap();
        let notices = app.stranger().get("consent/notices").await.expect(200);
        for notice in notices["items"].as_array().unwrap() {
            let purpose = notice["purpose"].as_str().unwrap();
            let kept = stored.iter().find(|row| row.sha256 == notice["sha256"].as_str().unwrap());
            let kept = kept.unwrap_or_else(|| panic!("{purpose} is shown but not kept"));
            assert_eq!(sha256_hex(kept.body.to_string().as_bytes()), kept.sha256);
            assert_eq!(kept.body["text"], notice["text"]);
            assert_eq!(notice["separate"], true, "{purpose}");
            assert!(notice["sensitive"].is_boolean());
            assert!(notice["version"].as_str().unwrap().len() <= 16);
            for key in ["title", "needed_for", "refusal_effect", "withdraw_how"] {
                assert!(!notice[key].as_str().unwrap().is_empty(), "{purpose}: {key}");
            }
        }
    }

    async fn a_stale_version_or_a_wrong_hash_is_a_conflict(app) {
        let mei = app.customer("mei").await;
        let good = body(&mei, "mkt_wechat", "granted", "popup").await;
        let mut stale = good.clone();
        stale["notice_version"] = json!("0.9-000000");
        mei.post("me/consents", stale).await.problem(409, "conflict");
        let mut wrong = good.clone();
        wrong["notice_sha256"] = json!("0".repeat(64));
        mei.post("me/consents", wrong).await.problem(409, "conflict");
        assert!(rows(&mei, "mkt_wechat").await.is_empty());
        mei.post("me/consents", good).await.expect(201);
    }

    async fn a_person_grants_and_withdraws_and_sees_every_act(app) {
        let mei = app.customer("mei").await;
        let granted = mei.decides("mkt_wechat", "granted", "popup", None).await;
        assert_eq!(granted["state"], "granted");
        let withdrawn = mei.delete("me/consents/mkt_wechat").await.expect(200);
        assert_eq!(withdrawn["state"], "withdrawn");
        assert_eq!(withdrawn["prev_hash"], granted["hash"]);
        assert_eq!(withdrawn["notice_version"], granted["notice_version"]);
        let again = mei.delete("me/consents/mkt_wechat").await.expect(200);
        assert_eq!(again["id"], withdrawn["id"], "taking back twice is one act");
        let mine = mei.get("me/consents").await.expect(200);
        let states: Vec<&Value> = mine["history"].as_array().unwrap().iter().map(|act| &act["state"]).collect();
        assert_eq!(states, ["withdrawn", "granted"]);
        mei.delete("me/consents/mkt_sms").await.problem(409, "invalid_state");
        for purpose in ["nothing", "%00", "%F0%9F%92%A9", "a%20b"] {
            mei.delete(&format!("me/consents/{purpose}")).await.problem(404, "not_found");
        }
    }

    async fn a_refusal_is_recorded_and_can_become_a_grant(app) {
        let mei = app.customer("mei").await;
        let refused = mei.decides("referral_profiling", "refused", "agreement", None).await;
        assert_eq!(refused["state"], "refused");
        assert_eq!(refused["expires_at"], Value::Null);
        mei.decides("referral_profiling", "granted", "settings", None).await;
        assert_eq!(state(&mei, "referral_profiling").await, "granted");
        let guardian = mei.decides("minor_u14", "refused", "popup", None).await;
        assert_eq!(guardian["state"], "refused", "CR-31: a no needs no guardian");
        let yes = body(&mei, "minor_u14", "granted", "popup").await;
        mei.post("me/consents", yes).await.problem(422, "validation");
    }

    async fn what_is_said_about_the_app_is_short_and_printable(app) {
        let mei = app.customer("mei").await;
        let good = body(&mei, "mkt_wechat", "granted", "popup").await;
        for (key, value) in [("screen", "\u{0}"), ("app_version", "1\n2"), ("screen", ""), ("colour", "red")] {
            let mut bad = good.clone();
            bad[key] = json!(value);
            mei.post("me/consents", bad).await.problem(422, "validation");
        }
        let mut share = body(&mei, "partner_share", "granted", "popup").await;
        share["scope"] = json!({ "recipient_id": "insurer\u{0}" });
        mei.post("me/consents", share.clone()).await.problem(422, "validation");
        share["scope"] = json!({ "recipient_id": "insurer-1" });
        mei.post("me/consents", share).await.expect(201);
    }

    async fn accepting_an_agreement_is_no_separate_consent(app) {
        let mei = app.customer("mei").await;
        let clause = body(&mei, "mkt_wechat", "granted", "agreement").await;
        let refused = mei.post("me/consents", clause).await.problem(422, "validation");
        assert_eq!(refused["errors"][0]["pointer"], "/channel");
        for channel in ["settings", "paper", "popup"] {
            assert_eq!(mei.decides("mkt_wechat", "granted", channel, None).await["state"], "granted", "{channel}");
        }
    }

    async fn the_graph_opens_with_two_acts_in_either_order_and_not_with_one_twice(app) {
        let mei = app.customer("mei").await;
        for _ in 0..2 {
            assert_eq!(mei.decides("graph_analysis", "granted", "popup", None).await["state"], "requested");
        }
        assert_eq!(mei.decides("graph_analysis", "granted", "agreement", None).await["state"], "granted");
        mei.delete("me/consents/graph_analysis").await.expect(200);
        assert_eq!(mei.decides("graph_analysis", "granted", "agreement", None).await["state"], "requested");
        assert_eq!(mei.decides("graph_analysis", "granted", "settings", None).await["state"], "granted");
        mei.decides("graph_analysis", "refused", "popup", None).await;
        assert_eq!(mei.decides("graph_analysis", "granted", "popup", None).await["state"], "requested");
    }

    async fn no_half_of_an_ended_grant_opens_the_graph_again(app) {
        let mei = app.customer("mei").await;
        let first = mei.consents("graph_analysis", None).await;
        app.advance("P300D").await;
        let mei = app.customer("mei").await;
        let renewed = mei.decides("graph_analysis", "granted", "popup", None).await;
        assert_eq!(renewed["state"], "granted");
        let end = |record: &Value| record["expires_at"].as_str().unwrap()[..10].to_owned();
        assert_eq!(end(&renewed), end(&first), "one half renewed does not renew the other");
        app.advance("P66D").await;
        let mei = app.customer("mei").await;
        assert_eq!(state(&mei, "graph_analysis").await, "expired");
        assert_eq!(mei.decides("graph_analysis", "granted", "popup", None).await["state"], "requested");
        app.advance("P366D").await;
        let mei = app.customer("mei").await;
        assert_eq!(mei.decides("graph_analysis", "granted", "agreement", None).await["state"], "requested");
    }

    async fn a_consent_ends_with_its_time_and_the_gate_closes(app) {
        app.customer("mei").await.consents("referral_link", None).await;
        app.advance("P731D").await;
        let code = code_of(app, "li").await;
        let mei = app.customer("mei").await;
        assert_eq!(state(&mei, "referral_link").await, "expired");
        mei.post("referrals", json!({ "code": code })).await.problem(403, "consent_required");
    }

    async fn a_per_order_consent_is_about_ones_own_order_however_its_id_is_written(app) {
        let crew = app.crew("13800001000").await;
        let (mei, li) = (app.customer("mei").await, app.customer("li").await);
        let booking = app.books(&mei).await;
        app.pays(&mei, &booking, booking["total_fen"].as_i64().unwrap()).await;
        let id = booking["id"].as_str().unwrap();
        let decision = async |who: &Person, scope: Value| {
            let mut body = body(who, "photo_capture", "granted", "popup").await;
            body["scope"] = scope;
            who.post("me/consents", body).await
        };
        decision(&li, json!({ "booking_id": id })).await.problem(404, "not_found");
        for scope in [json!({}), json!({ "booking_id": "x" }), json!({ "booking_id": id, "more": "x" }), json!({ "order": id })] {
            decision(&mei, scope).await.problem(422, "validation");
        }
        let spelt = format!("{{{}}}", id.to_uppercase());
        let record = decision(&mei, json!({ "booking_id": spelt })).await.expect(201);
        assert_eq!(record["scope"]["booking_id"], id);
        app.advance_to(&booking["start_at"]).await;
        let jobs = crew.device.get("worker/jobs").await.expect(200);
        assert!(jobs["items"][0]["checklist"].is_array());
        assert_eq!(rows(&mei, "photo_capture").await.len(), 1);
        let gone = mei.delete(&format!("me/consents/photo_capture?booking_id={id}")).await.expect(200);
        assert_eq!(gone["scope"]["booking_id"], id);
    }

    async fn taking_back_several_orders_answers_a_record_that_says_withdrawn(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        for _ in 0..3 {
            let booking = app.books(&mei).await;
            mei.consents("photo_capture", Some(json!({ "booking_id": booking["id"] }))).await;
        }
        // The last row in the order of ids was taken back before: its record is not the answer.
        let ids: Vec<Value> = rows(&mei, "photo_capture").await;
        let last = ids.last().unwrap()["scope"].as_str().unwrap().strip_prefix("booking_id=").unwrap().to_owned();
        let earlier = mei.delete(&format!("me/consents/photo_capture?booking_id={last}")).await.expect(200);
        let now = mei.delete("me/consents/photo_capture").await.expect(200);
        assert_eq!(now["state"], "withdrawn");
        assert_ne!(now["id"], earlier["id"]);
        assert!(rows(&mei, "photo_capture").await.iter().all(|row| row["state"] == "withdrawn"));
    }

    async fn a_receipt_has_every_field_in_order_and_its_signature_holds(app) {
        let mei = app.customer("mei").await;
        let mut decision = body(&mei, "mkt_wechat", "granted", "popup").await;
        (decision["screen"], decision["app_version"]) = (json!("invite/after-rating"), json!("1.4.2"));
        let record = mei.post("me/consents", decision).await.expect(201);
        let path = record["receipt_url"].as_str().unwrap();
        let raw = mei.get(path).await;
        let order = serde_json::from_slice::<Ordered>(&raw.bytes).unwrap().receipt.0;
        assert_eq!(order[..FIELDS.len()], FIELDS);
        let mut answer = raw.expect(200);
        assert!(holds(&answer));
        let receipt = &answer["receipt"];
        for key in ["receipt_id", "created_at"] {
            assert!(answer[key].is_string());
            assert_eq!(answer[key], receipt[key], "{key} is under the signature");
        }
        assert_ne!(mei.get(path).await.expect(200)["receipt_id"], answer["receipt_id"]);
        for key in ["name", "address", "phone", "email", "pipo"] {
            assert!(receipt["controller"][key].is_string(), "{key}");
        }
        let recipient = &receipt["recipients"][0];
        assert!(recipient["name"].as_str().unwrap().contains("腾讯"));
        assert!(recipient["contact"].is_string() && recipient["purpose"].is_string() && recipient["categories"].is_array());
        let method = &receipt["expression_method"];
        assert_eq!(method["channel"], "popup");
        assert_eq!(method["screen"], "invite/after-rating");
        assert_eq!(method["app_version"], "1.4.2");
        let evidence = &receipt["evidence"];
        assert_eq!(evidence["address_masked"], "127.0.0.0/24");
        assert_eq!(evidence["openid_sha256"].as_str().unwrap().len(), 64);
        assert!(evidence["request_id"].is_string() && evidence["device"].is_string());
        assert_eq!((&receipt["record_id"], &receipt["hash"]), (&record["id"], &record["hash"]));
        assert_eq!(receipt["key_id"], answer["key_id"]);
        answer["receipt"]["state"] = json!("refused");
        assert!(!holds(&answer), "a changed receipt must not verify");
        let li = app.customer("li").await;
        li.get(path).await.problem(404, "not_found");
    }

    async fn a_sensitive_receipt_names_necessity_effect_and_order(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        let record = mei.consents("photo_capture", Some(json!({ "booking_id": booking["id"] }))).await;
        let receipt = mei.get(record["receipt_url"].as_str().unwrap()).await.expect(200)["receipt"].clone();
        assert_eq!(receipt["sensitive"], true);
        assert!(receipt["necessity"].is_string() && receipt["effect_on_rights"].is_string());
        assert_eq!(receipt["scope"]["booking_id"], booking["id"]);
        let recipients = receipt["recipients"].as_array().unwrap();
        assert_eq!(recipients.len(), 1, "WeChat checks the photos, and nobody else has them");
        assert!(recipients[0]["name"].as_str().unwrap().contains("腾讯"));
    }

    async fn the_chain_is_whole_until_somebody_changes_or_cuts_it(app) {
        let mei = app.customer("mei").await;
        for decision in ["granted", "refused", "granted", "refused"] {
            mei.decides("mkt_wechat", decision, "popup", None).await;
        }
        assert_eq!(verified(app).await, json!({ "ok": true, "checked": 4, "first_bad": null }));
        sql(app, "UPDATE consent_record SET expires_at = NULL WHERE seq = 3").await;
        assert_eq!(verified(app).await["first_bad"], 3, "a column beside the hash");
        sql(app, "UPDATE consent_record SET body = '{\"state\":\"granted\"}' WHERE seq = 2").await;
        let found = verified(app).await;
        assert_eq!((&found["ok"], &found["first_bad"]), (&json!(false), &json!(2)));
    }

    async fn a_cut_tail_and_a_tip_set_back_are_found(app) {
        let mei = app.customer("mei").await;
        for decision in ["granted", "refused", "granted"] {
            mei.decides("mkt_wechat", decision, "popup", None).await;
        }
        sql(app, "DELETE FROM consent_state").await;
        sql(app, "DELETE FROM consent_record WHERE seq = 3").await;
        assert_eq!(verified(app).await["first_bad"], 3);
        sql(app, "UPDATE chain_head SET seq = 1, hash = (SELECT hash FROM consent_record WHERE seq = 1) WHERE name = 'consent'").await;
        assert_eq!(verified(app).await["first_bad"], 2);
        sql(app, "DELETE FROM chain_head WHERE name = 'consent'").await;
        assert_eq!(verified(app).await["first_bad"], 1);
    }

    async fn both_halves_at_once_open_the_graph(app) {
        for number in 0..8 {
            let mei = app.customer(&format!("mei{number}")).await;
            let popup = body(&mei, "graph_analysis", "granted", "popup").await;
            let clause = body(&mei, "graph_analysis", "granted", "agreement").await;
            assert_eq!(at_once(&mei, vec![popup, clause]).await, [201, 201]);
            assert_eq!(state(&mei, "graph_analysis").await, "granted");
        }
        assert_eq!(verified(app).await["ok"], true);
    }

    async fn a_yes_and_a_no_at_once_end_as_the_last_of_them(app) {
        for number in 0..8 {
            let mei = app.customer(&format!("mei{number}")).await;
            let yes = body(&mei, "mkt_wechat", "granted", "popup").await;
            let no = body(&mei, "mkt_wechat", "refused", "popup").await;
            assert_eq!(at_once(&mei, vec![yes, no]).await, [201, 201]);
            let mine = mei.get("me/consents").await.expect(200);
            assert_eq!(mine["items"][0]["state"], mine["history"][0]["state"]);
            assert_eq!(mine["history"].as_array().unwrap().len(), 2);
            let receipt = mei.get(mine["history"][0]["receipt_url"].as_str().unwrap()).await.expect(200);
            assert_eq!(receipt["receipt"]["supersedes"], mine["history"][1]["id"], "the second knew the first");
        }
    }

    async fn a_first_yes_and_a_withdrawal_at_once_leave_no_doubt(app) {
        for number in 0..8 {
            let mei = app.customer(&format!("mei{number}")).await;
            let yes = body(&mei, "mkt_wechat", "granted", "popup").await;
            let statuses = at_once(&mei, vec![yes, json!({ "withdraw": "mkt_wechat" })]).await;
            let expected = if statuses == [200, 201] { "withdrawn" } else { "granted" };
            assert!(statuses == [200, 201] || statuses == [201, 409], "{statuses:?}");
            assert_eq!(state(&mei, "mkt_wechat").await, expected);
        }
    }

    async fn two_hundred_decisions_at_once_keep_one_unforked_chain(app) {
        let mut people = Vec::new();
        for number in 0..10 {
            people.push(app.customer(&format!("mei{number}")).await);
        }
        let purposes = ["mkt_wechat", "mkt_sms", "referral_profiling", "referral_link"];
        let mut tasks = Vec::new();
        for person in &people {
            let mut bodies = Vec::new();
            for (number, purpose) in purposes.into_iter().cycle().take(20).enumerate() {
                let decision = if number % 3 == 0 { "refused" } else { "granted" };
                bodies.push(body(person, purpose, decision, "popup").await);
            }
            let person = person.clone();
            tasks.push(tokio::spawn(async move { at_once(&person, bodies).await }));
        }
        for task in tasks {
            assert_eq!(task.await.unwrap(), [201; 20]);
        }
        assert_eq!(verified(app).await, json!({ "ok": true, "checked": 200, "first_bad": null }));
        for person in &people {
            let mine = person.get("me/consents").await.expect(200);
            let history = mine["history"].as_array().unwrap();
            for row in mine["items"].as_array().unwrap() {
                let newest = history.iter().find(|act| act["purpose"] == row["purpose"]).unwrap();
                assert_eq!(newest["state"], row["state"], "the state is what the last act says");
            }
        }
    }

    async fn the_officer_and_service_see_the_ledger_and_marketing_does_not(app) {
        let mei = app.customer("mei").await;
        mei.decides("mkt_wechat", "granted", "popup", None).await;
        let path = format!("admin/customers/{}/consents", mei.id);
        for role in [StaffRole::Pipo, StaffRole::Service] {
            let seen = app.staff(&[role]).await.get(&path).await.expect(200);
            assert_eq!(seen["items"][0]["purpose"], "mkt_wechat");
            assert_eq!(seen["history"][0]["state"], "granted");
        }
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        marketing.get(&path).await.problem(403, "forbidden");
        marketing.get("admin/consents/verify").await.problem(403, "forbidden");
        app.staff(&[StaffRole::Service]).await.get("admin/consents/verify").await.problem(403, "forbidden");
    }

    async fn a_purpose_the_binary_no_longer_carries_can_still_be_taken_back(app) {
        let mei = app.customer("mei").await;
        let granted = mei.decides("mkt_call", "granted", "popup", None).await;
        sql(app, "UPDATE consent_state SET purpose = 'mkt_pigeon'").await;
        assert_eq!(state(&mei, "mkt_pigeon").await, "granted");
        let gone = mei.delete("me/consents/mkt_pigeon").await.expect(200);
        assert_eq!(gone["state"], "withdrawn");
        assert_eq!(gone["notice_version"], granted["notice_version"]);
    }

    async fn a_grant_under_a_materially_older_notice_is_closed(app) {
        let code = code_of(app, "li").await;
        let mei = app.customer("mei").await;
        mei.consents("referral_link", None).await;
        mei.consents("mkt_wechat", None).await;
        sql(app, "INSERT INTO notice (sha256, purpose, version, language, title, body, created_at) \
            SELECT 'old', purpose, '0.9-000000', language, title, body, created_at FROM notice WHERE purpose = 'referral_link'").await;
        sql(app, "UPDATE consent_state SET notice_sha256 = 'old' WHERE purpose = 'referral_link'").await;
        let row = rows(&mei, "referral_link").await[0].clone();
        assert_eq!((&row["state"], &row["notice_version"]), (&json!("invalidated"), &json!("0.9-000000")));
        mei.post("referrals", json!({ "code": code })).await.problem(403, "consent_required");
        // The next start closes it in the ledger too; whose text stands keeps his grant.
        consent::install_notices(app.ctx()).await.unwrap();
        let mine = mei.get("me/consents").await.expect(200);
        assert_eq!(mine["history"][0]["state"], "invalidated");
        assert_eq!(mine["history"].as_array().unwrap().len(), 3);
        assert_eq!(state(&mei, "mkt_wechat").await, "granted");
        consent::install_notices(app.ctx()).await.unwrap();
        assert_eq!(mei.get("me/consents").await.expect(200)["history"].as_array().unwrap().len(), 3, "once");
        mei.consents("referral_link", None).await;
        mei.post("referrals", json!({ "code": code })).await.expect(201);
        assert_eq!(verified(app).await["ok"], true);
    }

    async fn a_template_changed_under_its_version_stops_the_start(app) {
        sql(app, "UPDATE notice SET body = '{\"template_sha256\":\"other\"}' WHERE purpose = 'referral_link'").await;
        let refused = consent::install_notices(app.ctx()).await.unwrap_err();
        assert_eq!(refused.code.slug(), "conflict");
        assert!(refused.detail.contains("referral_link"), "{refused}");
    }

    async fn a_new_telephone_number_starts_keeps_grants_and_signs_with_the_same_key(app) {
        let mei = app.customer("mei").await;
        let granted = mei.consents("referral_link", None).await;
        let stale = body(&mei, "referral_link", "granted", "popup").await;
        mei.decides("graph_analysis", "granted", "popup", None).await;
        let mut settings: Vec<(&str, &str)> =
            app.settings().iter().map(|(key, value)| (*key, value.as_str())).collect();
        settings.push(("controller.phone", "021-55550199"));
        let node = app::start(config::with_overrides(&settings).unwrap(), Half::ApiOnly).await.unwrap();
        let mut there = Person::stranger(reqwest::Client::new(), node.url());
        there.token.clone_from(&mei.token);
        let notice = notice_of(&there, "referral_link").await;
        assert!(notice["text"].as_str().unwrap().contains("021-55550199"));
        assert_ne!(notice["version"], granted["notice_version"]);
        let row = rows(&there, "referral_link").await[0].clone();
        assert_eq!((&row["state"], &row["notice_version"]), (&json!("granted"), &granted["notice_version"]));
        there.post("me/consents", stale).await.problem(409, "conflict");
        let second = there.decides("graph_analysis", "granted", "agreement", None).await;
        assert_eq!(second["state"], "granted", "CR-32: a half under the old number counts");
        let withdrawn = there.delete("me/consents/referral_link").await.expect(200);
        assert_eq!(withdrawn["notice_version"], granted["notice_version"], "what was granted is taken back");
        let path = granted["receipt_url"].as_str().unwrap();
        let (here, there) = (mei.get(path).await.expect(200), there.get(path).await.expect(200));
        assert!(holds(&here) && holds(&there));
        assert_eq!(here["key_id"], there["key_id"]);
        node.stop().await;
    }
}
