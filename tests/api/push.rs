//! WeChat's message push: believed only when sealed, counted once, acted on from the queue.

use crate::support::{Answer, Backend, Person, TestApp};
use entity::{
    message, outbox, push_message, subscribe_answer, subscribe_grant, values::StaffRole,
    wechat_identity,
};
use linjian::{app::Half, push};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use std::{collections::HashSet, fs, path::PathBuf};

const TEMPLATE: &str = "visit_followup";
const PATH: &str = "/api/v1/webhooks/wechat-push";

/// Plays one push; the receiver's answers.
async fn plays(app: &TestApp, event: Value) -> Vec<Value> {
    let played = app
        .stranger()
        .post("/sandbox/push", event)
        .await
        .expect(200);
    played["delivered"].as_array().unwrap().clone()
}

/// Plays one push that must be taken, and what follows from it.
async fn pushed(app: &TestApp, event: Value) {
    let answers = plays(app, event).await;
    let taken = |one: &Value| one["status"] == 200 && one["body"] == "success";
    assert!(answers.iter().all(taken), "{answers:?}");
    app.drain().await;
}

async fn stored(app: &TestApp) -> u64 {
    push_message::Entity::find()
        .count(app.ctx().db.read())
        .await
        .unwrap()
}

async fn events(app: &TestApp) -> u64 {
    outbox::Entity::find()
        .filter(outbox::Column::Kind.eq("wechat.pushed.v1"))
        .count(app.ctx().db.read())
        .await
        .unwrap()
}

/// Granted and used ticks of the person's only template.
async fn ticks(app: &TestApp, person: &Person) -> (i32, i32) {
    let rows = subscribe_grant::Entity::find()
        .all(app.ctx().db.read())
        .await
        .unwrap();
    let row = rows
        .iter()
        .find(|row| row.account_id.to_string() == person.id);
    row.map_or((0, 0), |row| (row.granted, row.used))
}

async fn answers(app: &TestApp) -> Vec<(String, String, String)> {
    let rows = subscribe_answer::Entity::find()
        .order_by_asc(subscribe_answer::Column::Template)
        .order_by_asc(subscribe_answer::Column::Source)
        .all(app.ctx().db.read())
        .await
        .unwrap();
    rows.into_iter()
        .map(|row| (row.template, row.source, row.result))
        .collect()
}

/// A person as WeChat names him to us.
async fn openid(app: &TestApp, person: &Person) -> String {
    let rows = wechat_identity::Entity::find()
        .all(app.ctx().db.read())
        .await
        .unwrap();
    let row = rows
        .into_iter()
        .find(|row| row.account_id.to_string() == person.id);
    row.unwrap().openid
}

fn popup(openid: &str, result: &str) -> Value {
    json!({
        "FromUserName": openid, "Event": "subscribe_msg_popup_event",
        "List": [
            { "TemplateId": TEMPLATE, "SubscribeStatusString": result, "PopupScene": "1" },
            { "TemplateId": "somebody_elses", "SubscribeStatusString": "accept", "PopupScene": "1" },
        ],
    })
}

async fn state(person: &Person, purpose: &str) -> Value {
    let mine = person.get("me/consents").await.expect(200);
    let items = mine["items"].as_array().unwrap();
    items
        .iter()
        .find(|item| item["purpose"] == purpose)
        .map_or(Value::Null, |item| item["state"].clone())
}

async fn open_events(staff: &Person) -> Vec<Value> {
    let list = staff.get("admin/wechat/events?open=true").await.expect(200);
    list["items"].as_array().unwrap().clone()
}

on_both! {
    async fn eight_copies_at_once_have_one_effect(app) {
        let mei = app.customer("mei").await;
        let id = openid(app, &mei).await;
        let mut event = popup(&id, "accept");
        event["times"] = json!(8);
        let answers = plays(app, event).await;
        assert_eq!(answers.len(), 8);
        assert!(answers.iter().all(|one| one["body"] == "success"), "WX-24: {answers:?}");
        app.drain().await;
        assert_eq!((stored(app).await, events(app).await), (1, 1));
        assert_eq!(ticks(app, &mei).await, (1, 0), "one accept, one tick; another's template is not ours");
        // A second pop-up is another message, in whatever form it comes.
        app.advance("PT2S").await;
        let mut again = popup(&id, "accept");
        again["format"] = json!("xml");
        pushed(app, again).await;
        assert_eq!(ticks(app, &mei).await, (2, 0));
    }

    async fn nothing_that_is_not_sealed_for_us_changes_anything(app) {
        let mei = app.customer("mei").await;
        let id = openid(app, &mei).await;
        for (trouble, status) in [("bad-signature", 401), ("ciphertext", 401), ("plain", 401), ("foreign", 422), ("doctype", 422)] {
            let mut event = popup(&id, "accept");
            event["trouble"] = json!(trouble);
            if trouble == "doctype" {
                event["format"] = json!("xml");
            }
            let answers = plays(app, event).await;
            assert_eq!(answers[0]["status"], status, "{trouble}: {answers:?}");
        }
        let anyone = app.stranger();
        anyone.get(PATH).await.problem(403, "forbidden");
        anyone.get(&format!("{PATH}?signature=x&timestamp=1&nonce=2&echostr=3")).await.problem(403, "forbidden");
        anyone.post_raw(PATH, "application/json", b"{".to_vec()).await.problem(401, "signature_invalid");
        anyone.post_raw(PATH, "text/xml", vec![b'x'; 70_000]).await.problem(413, "payload_too_large");
        app.drain().await;
        assert_eq!((stored(app).await, events(app).await), (0, 0));
    }

    async fn whatever_wechat_tells_is_answered_with_success_and_keeps_no_words_of_people(app) {
        let mei = app.customer("mei").await;
        let id = openid(app, &mei).await;
        pushed(app, json!({ "FromUserName": id, "Event": "debug_demo", "debug_str": "hello" })).await;
        pushed(app, json!({ "FromUserName": id, "Event": "user_info_modified", "OpenID": id })).await;
        pushed(app, json!({ "FromUserName": id, "MsgType": "text", "Content": "阿姨什么时候到?", "MsgId": 7 })).await;
        pushed(app, json!({ "FromUserName": "a-stranger", "Event": "user_authorization_revoke", "OpenID": "a-stranger", "RevokeInfo": "8" })).await;
        pushed(app, popup("nobody-we-know", "accept")).await;
        assert_eq!(stored(app).await, 5);
        let rows = outbox::Entity::find().all(app.ctx().db.read()).await.unwrap();
        assert!(rows.iter().all(|row| !row.payload.to_string().contains("阿姨")));
        let rows = push_message::Entity::find().all(app.ctx().db.read()).await.unwrap();
        assert!(rows.iter().all(|row| row.detail.is_none()), "who it was about stands nowhere");
    }

    async fn a_refusal_gives_no_tick_and_switching_off_takes_what_was_ticked(app) {
        let mei = app.customer("mei").await;
        let id = openid(app, &mei).await;
        mei.consents("referral_profiling", None).await;
        mei.consents("mkt_wechat", None).await;
        pushed(app, popup(&id, "reject")).await;
        assert_eq!(ticks(app, &mei).await, (0, 0));
        let word = |source: &str, result: &str| (TEMPLATE.to_owned(), source.to_owned(), result.to_owned());
        assert_eq!(answers(app).await, [word("wechat", "reject")]);
        // What the phone says is a hint and no tick (WX-10).
        let hint = json!({ "results": { TEMPLATE: "accept" } });
        mei.post("me/subscriptions", hint).await.expect(200);
        assert_eq!(answers(app).await, [word("client", "accept"), word("wechat", "reject")]);
        assert_eq!(ticks(app, &mei).await, (0, 0));
        let body = json!({ "account": mei.id, "template": TEMPLATE });
        app.stranger().post("/sandbox/subscribe", body).await.expect(200);
        app.drain().await;
        assert_eq!(ticks(app, &mei).await, (1, 0), "the sandbox's tick travels as WeChat's event");
        app.advance("PT2S").await;
        pushed(app, json!({
            "FromUserName": id, "Event": "subscribe_msg_change_event",
            "List": { "TemplateId": TEMPLATE, "SubscribeStatusString": "reject" },
        })).await;
        assert_eq!(ticks(app, &mei).await, (1, 1), "used up");
        let crew = app.crew("13800001000").await;
        let booking = app.visit(&mei, &crew).await;
        app.rates(&mei, &booking, [5, 5, 5, 5, 5]).await;
        let list = mei.get("me/invitations").await.expect(200);
        app.advance_to(&list["items"][0]["scheduled_at"]).await;
        let inbox = app.stranger().get("/sandbox/inbox").await.expect(200);
        assert!(inbox["items"].as_array().unwrap().is_empty(), "no tick, no message");
    }

    async fn what_became_of_a_message_is_noted(app) {
        let mei = app.customer("mei").await;
        mei.consents("referral_profiling", None).await;
        mei.consents("mkt_wechat", None).await;
        let body = json!({ "account": mei.id, "template": TEMPLATE });
        app.stranger().post("/sandbox/subscribe", body).await.expect(200);
        app.drain().await;
        let crew = app.crew("13800001000").await;
        let booking = app.visit(&mei, &crew).await;
        app.rates(&mei, &booking, [5, 5, 5, 5, 5]).await;
        let list = mei.get("me/invitations").await.expect(200);
        app.advance_to(&list["items"][0]["scheduled_at"]).await;
        // WeChat tells a moment later.
        app.advance("PT5S").await;
        let sent = message::Entity::find().all(app.ctx().db.read()).await.unwrap();
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].status, "delivered");
        assert_eq!(ticks(app, &mei).await, (1, 1));
    }

    async fn hints_are_few_and_well_formed(app) {
        let mei = app.customer("mei").await;
        for results in [json!({}), json!({ "a": "accept", "b": "accept", "c": "ban", "d": "reject" }), json!({ "a b": "accept" }), json!({ "": "accept" })] {
            mei.post("me/subscriptions", json!({ "results": results })).await.problem(422, "validation");
        }
        mei.post("me/subscriptions", json!({ "results": { "a": "always" } })).await.problem(422, "validation");
        let told = mei.post("me/subscriptions", json!({ "results": { "a": "ban", "b": "reject" } })).await.expect(200);
        assert_eq!(told["items"], json!([{ "template": "a", "result": "ban" }, { "template": "b", "result": "reject" }]));
    }

    async fn what_is_revoked_in_wechat_is_withdrawn_here(app) {
        let mei = app.customer("mei").await;
        let id = openid(app, &mei).await;
        for purpose in ["mkt_sms", "mkt_wechat", "referral_profiling", "graph_analysis"] {
            mei.consents(purpose, None).await;
        }
        let revoke = |code: &str| json!({
            "FromUserName": "gh_push", "Event": "user_authorization_revoke", "OpenID": id, "RevokeInfo": code,
        });
        pushed(app, revoke("8")).await;
        assert_eq!(state(&mei, "mkt_sms").await, "withdrawn");
        assert_eq!(state(&mei, "mkt_wechat").await, "granted", "it rests on no phone");
        pushed(app, revoke("19")).await;
        assert_eq!(state(&mei, "graph_analysis").await, "withdrawn");
        pushed(app, revoke("999")).await;
        let mine = mei.get("me/consents").await.expect(200);
        assert_eq!(mine["history"][0]["channel"], "wechat_push", "{}", mine["history"][0]);
        let officer = app.staff(&[StaffRole::Pipo]).await;
        assert_eq!(officer.get("admin/consents/verify").await.expect(200)["ok"], true);
    }

    async fn a_closed_account_ends_marketing_and_asks_staff_to_delete(app) {
        let mei = app.customer("mei").await;
        let id = openid(app, &mei).await;
        mei.consents("referral_profiling", None).await;
        mei.consents("mkt_wechat", None).await;
        let body = json!({ "account": mei.id, "template": TEMPLATE });
        app.stranger().post("/sandbox/subscribe", body).await.expect(200);
        app.drain().await;
        let crew = app.crew("13800001000").await;
        let booking = app.visit(&mei, &crew).await;
        app.rates(&mei, &booking, [5, 5, 5, 5, 5]).await;
        let list = mei.get("me/invitations").await.expect(200);
        let closed = json!({ "FromUserName": "gh_push", "Event": "user_authorization_cancellation", "OpenID": id });
        pushed(app, closed).await;
        for purpose in ["referral_profiling", "mkt_wechat"] {
            assert_eq!(state(&mei, purpose).await, "withdrawn", "{purpose}");
        }
        app.advance_to(&list["items"][0]["scheduled_at"]).await;
        let inbox = app.stranger().get("/sandbox/inbox").await.expect(200);
        assert!(inbox["items"].as_array().unwrap().is_empty(), "CR-36");
        let manager = app.staff(&[StaffRole::Manager]).await;
        let open = open_events(&manager).await;
        assert_eq!((open.len(), &open[0]["event"]), (1, &json!("user_authorization_cancellation")));
        assert_eq!(open[0]["detail"]["account_id"], mei.id.as_str());
        assert!(!open[0].to_string().contains(&id));
    }

    async fn a_punishment_is_shown_to_the_manager_until_somebody_has_seen_to_it(app) {
        let manager = app.staff(&[StaffRole::Manager]).await;
        let service = app.staff(&[StaffRole::Service]).await;
        pushed(app, json!({ "Event": "wxa_punish_event", "reason": "滥用分享", "punish_time": 7, "user_openid": "o" })).await;
        pushed(app, json!({ "Event": "trade_manage_remind_shipping", "transaction_id": "4200", "msg": "请发货" })).await;
        pushed(app, json!({ "Event": "trade_manage_order_settlement", "transaction_id": "4200" })).await;
        service.get("admin/wechat/events").await.problem(403, "forbidden");
        let all = manager.get("admin/wechat/events").await.expect(200);
        assert_eq!(all["items"].as_array().unwrap().len(), 3);
        let open = open_events(&manager).await;
        assert_eq!(open.len(), 2, "a settled order needs nobody");
        let punished = &open[1];
        assert_eq!((&punished["event"], &punished["detail"]["reason"]), (&json!("wxa_punish_event"), &json!("滥用分享")));
        assert!(punished["detail"].get("user_openid").is_none());
        let path = format!("admin/wechat/events/{}/acknowledge", punished["id"].as_str().unwrap());
        service.post(&path, json!({})).await.problem(403, "forbidden");
        let seen = manager.post(&path, json!({})).await.expect(200);
        assert!(seen["acknowledged_at"].is_string());
        assert_eq!(manager.post(&path, json!({})).await.expect(200), seen, "saying so again changes nothing");
        assert_eq!(open_events(&manager).await.len(), 1);
        // After 30 days what nobody waits for is gone, and a message is not remembered.
        app.advance("P31D").await;
        assert_eq!(push::forget_old(app.ctx()).await.unwrap(), 2);
        assert_eq!((stored(app).await, events(app).await), (1, 0));
        assert_eq!(open_events(&app.staff(&[StaffRole::Manager]).await).await.len(), 1);
    }

}

/// The control and the staff's calls come from the same address, and keep to its budget.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wechat_is_never_told_to_come_back_later() {
    let few = [("limits.per_address", "5")];
    let app = TestApp::with(Backend::Embedded, Half::ApiOnly, &few).await;
    let answers = plays(&app, json!({ "Event": "debug_demo", "times": 50 })).await;
    assert!(
        answers.iter().all(|one| one["status"] == 200),
        "{answers:?}"
    );
    let anyone = app.stranger();
    for _ in 0..5 {
        anyone.get("services").await;
    }
    anyone.get("services").await.problem(429, "rate_limited");
    app.finish().await;
}

fn folder() -> PathBuf {
    let set = std::env::var_os("WECHAT_VECTORS");
    set.map_or_else(
        || concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/wechat").into(),
        PathBuf::from,
    )
}

fn read(name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder().join(name)).unwrap()).unwrap()
}

/// A live deployment with the vectors' keys.
async fn live() -> TestApp {
    let config = read("config.json");
    let path = |name: &Value| folder().join(name.as_str().unwrap()).display().to_string();
    let keys = tempfile::tempdir().unwrap();
    let pem = keys.path().join("merchant.pem");
    let der = fs::read(folder().join(config["merchant_key_file"].as_str().unwrap())).unwrap();
    fs::write(&pem, pem::encode(&pem::Pem::new("PRIVATE KEY", der))).unwrap();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let push = &config["message_push"];
    let settings = [
        ("wechat.mode", "live".to_owned()),
        ("wechat.appid", word(&push["appid"])),
        ("wechat.app_secret", word(&config["app_secret"])),
        ("wechat.api_base", "http://127.0.0.1:1".to_owned()),
        ("wechat.pay_base", "http://127.0.0.1:1".to_owned()),
        ("wechat.mchid", word(&config["mchid"])),
        ("wechat.merchant_serial", word(&config["merchant_serial"])),
        ("wechat.merchant_key_path", pem.display().to_string()),
        ("wechat.apiv3_key", word(&config["apiv3_key"])),
        (
            "wechat.platform_key_id",
            word(&config["platform_pubkey"]["id"]),
        ),
        (
            "wechat.platform_key_path",
            path(&config["platform_pubkey"]["pub_file"]),
        ),
        (
            "wechat.notify_base_url",
            "https://api.example.com".to_owned(),
        ),
        ("wechat.push_token", word(&push["token"])),
        ("wechat.push_aes_key", word(&push["encoding_aes_key"])),
    ];
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    TestApp::with(Backend::Embedded, Half::ApiOnly, &settings).await
}

fn query_of(case: &Value) -> String {
    let pairs = case["query"].as_object().unwrap();
    let pairs = pairs
        .iter()
        .map(|(name, value)| (name, value.as_str().unwrap()));
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

async fn delivers(app: &TestApp, case: &Value) -> Answer {
    let path = format!("{PATH}?{}", query_of(case));
    if case["type"] == "url_verify" {
        return app.stranger().get(&path).await;
    }
    let body = case["body"].as_str().unwrap().as_bytes().to_vec();
    app.stranger().post_raw(&path, "text/xml", body).await
}

/// The set through HTTP, as WeChat sends it: what is genuine counts once, the rest changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wechat_vectors_push_over_http() {
    let (app, set) = (live().await, read("msg_push.json"));
    let ours = read("config.json")["message_push"].clone();
    let cases = set["cases"].as_array().unwrap();
    let (mut genuine, mut counted) = (HashSet::new(), 0);
    for case in cases
        .iter()
        .filter(|case| case["config"] == ours && case["type"] != "reply")
    {
        let answer = delivers(&app, case).await;
        let accepted = case["expect"]["result"] == "accept" && case["type"] != "plain";
        let body = String::from_utf8_lossy(&answer.bytes).into_owned();
        if !accepted {
            assert!(
                (400..500).contains(&answer.status),
                "{}: {body}",
                case["id"]
            );
        } else if case["type"] == "url_verify" {
            assert_eq!(
                (answer.status, body.as_str()),
                (200, case["expect"]["answer_body"].as_str().unwrap())
            );
        } else {
            assert_eq!(
                (answer.status, body.as_str()),
                (200, "success"),
                "{}",
                case["id"]
            );
            genuine.insert(case["expect"]["plain"].as_str().unwrap().to_owned());
        }
        let now = stored(&app).await;
        assert!(now <= counted + u64::from(accepted), "{}", case["id"]);
        counted = now;
    }
    assert!(counted > 0 && counted <= u64::try_from(genuine.len()).unwrap());
    for sequence in set["sequences"].as_array().unwrap() {
        for id in sequence["deliver"].as_array().unwrap() {
            let case = cases.iter().find(|case| case["id"] == *id).unwrap();
            let answer = delivers(&app, case).await;
            assert_eq!(
                (answer.status, answer.bytes.as_slice()),
                (200, b"success".as_slice()),
                "{}",
                sequence["id"]
            );
        }
    }
    assert_eq!(
        stored(&app).await,
        counted,
        "WeChat's retries count no second time"
    );
    assert_eq!(events(&app).await, counted);
    app.finish().await;
}
