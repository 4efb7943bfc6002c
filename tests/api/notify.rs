//! One tick, one message, and only to who agreed to the channel.

use crate::support::{Person, TestApp};
use serde_json::{Value, json};

const TEMPLATE: &str = "visit_followup";

async fn ticks(app: &TestApp, person: &Person) {
    let body = json!({ "account": person.id, "template": TEMPLATE });
    app.stranger()
        .post("/sandbox/subscribe", body)
        .await
        .expect(200);
}

async fn inbox(app: &TestApp) -> Vec<Value> {
    let inbox = app.stranger().get("/sandbox/inbox").await.expect(200);
    inbox["items"].as_array().unwrap().clone()
}

/// A customer whose invitation has just been sent in the app.
async fn invited(app: &TestApp, name: &str, consents: &[&str], ticked: u32) -> Person {
    let person = app.customer(name).await;
    for purpose in consents {
        person.consents(purpose, None).await;
    }
    for _ in 0..ticked {
        ticks(app, &person).await;
    }
    let crew = app.crew("13800001000").await;
    let booking = app.visit(&person, &crew).await;
    app.rates(&person, &booking, [5, 5, 5, 5, 5]).await;
    let list = person.get("me/invitations").await.expect(200);
    app.advance_to(&list["items"][0]["scheduled_at"]).await;
    let list = person.get("me/invitations").await.expect(200);
    assert_eq!(list["items"][0]["status"], "sent");
    person
}

on_both! {
    async fn a_tick_brings_one_message_and_no_second(app) {
        let mei = invited(app, "mei", &["referral_profiling", "mkt_wechat"], 2).await;
        let sent = inbox(app).await;
        assert_eq!(sent.len(), 1, "two ticks, one occasion: {sent:#?}");
        assert_eq!(sent[0]["template_id"], TEMPLATE);
        let text = sent[0]["data"].to_string();
        for word in ["券", "优惠", "奖励", "返"] {
            assert!(!text.contains(word), "WX-11: a service notice, not an advertisement: {text}");
        }
        // The same event again, as a queue may bring it: nothing more is sent.
        app.ctx().queue.clear().await.unwrap();
        app.drain().await;
        app.advance("P1D").await;
        assert_eq!(inbox(app).await.len(), 1);
        assert_eq!(mei.get("me/invitations").await.expect(200)["items"].as_array().unwrap().len(), 1);
    }

    async fn a_message_whose_answer_is_lost_is_not_sent_again(app) {
        let mei = app.customer("mei").await;
        for purpose in ["referral_profiling", "mkt_wechat"] {
            mei.consents(purpose, None).await;
        }
        ticks(app, &mei).await;
        ticks(app, &mei).await;
        let crew = app.crew("13800001000").await;
        let booking = app.visit(&mei, &crew).await;
        app.rates(&mei, &booking, [5, 5, 5, 5, 5]).await;
        let list = mei.get("me/invitations").await.expect(200);
        let drop = json!({ "drop_answers": 1 });
        app.stranger().post("/sandbox/chaos", drop).await.expect(200);
        app.advance_to(&list["items"][0]["scheduled_at"]).await;
        app.advance("P1D").await;
        assert_eq!(inbox(app).await.len(), 1, "it went out, and once");
    }

    async fn without_a_tick_the_invitation_waits_in_the_app(app) {
        invited(app, "mei", &["referral_profiling", "mkt_wechat"], 0).await;
        assert!(inbox(app).await.is_empty());
    }

    async fn without_consent_to_the_channel_a_tick_is_not_used(app) {
        let mei = invited(app, "mei", &["referral_profiling"], 1).await;
        assert!(inbox(app).await.is_empty(), "REF-20");
        let openid = json!({ "openid": "nobody", "template": TEMPLATE });
        app.stranger().post("/sandbox/subscribe", openid).await.problem(404, "not_found");
        let both = json!({ "openid": "x", "account": mei.id, "template": TEMPLATE });
        app.stranger().post("/sandbox/subscribe", both).await.problem(422, "validation");
    }
}
