//! From a delighted rating to an invitation, and what stops it.

use crate::{
    rules::{decisions, publishes, shipped},
    support::{Person, TestApp},
};
use entity::values::StaffRole;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

const DELIGHTED: [u8; 5] = [5, 5, 5, 5, 4];

async fn invitations(person: &Person) -> Vec<Value> {
    person.get("me/invitations").await.expect(200)["items"]
        .as_array()
        .unwrap()
        .clone()
}

/// Mei with the consent that lets us ask her, and a rated visit behind her.
async fn delighted(app: &TestApp, name: &str) -> Person {
    let mei = app.customer(name).await;
    mei.consents("referral_profiling", None).await;
    let crew = app.crew("13800001000").await;
    let booking = app.visit(&mei, &crew).await;
    let rating = app.rates(&mei, &booking, DELIGHTED).await;
    assert_eq!(rating["score"].to_string(), "4.8");
    mei
}

on_both! {
    async fn a_delighted_rating_of_a_consenting_customer_makes_one_invitation(app) {
        let mei = delighted(app, "mei").await;
        let list = invitations(&mei).await;
        assert_eq!(list.len(), 1, "{list:#?}");
        assert_eq!(list[0]["status"], "scheduled");
        assert_eq!(list[0]["rule_id"], "quality-baseline");
        assert!(list[0]["share"]["path"].as_str().unwrap().contains(list[0]["code"].as_str().unwrap()));
    }

    async fn without_consent_nobody_is_asked_and_nothing_is_read(app) {
        let mei = app.customer("mei").await;
        mei.decides("referral_profiling", "refused", "popup", None).await;
        let crew = app.crew("13800001000").await;
        let booking = app.visit(&mei, &crew).await;
        app.rates(&mei, &booking, DELIGHTED).await;
        assert!(invitations(&mei).await.is_empty());
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let decisions = marketing.get(&format!("admin/decisions?customer_id={}", mei.id)).await.expect(200);
        for decision in decisions["items"].as_array().unwrap() {
            assert_eq!(decision["outcome"], "held", "{decision}");
            assert_eq!(decision["blocked_by"], "consent", "{decision}");
            assert_eq!(decision["conditions"], json!([]), "{decision}");
        }
    }

    async fn a_content_rating_is_not_enough_and_the_reason_is_told(app) {
        let mei = app.customer("mei").await;
        mei.consents("referral_profiling", None).await;
        let crew = app.crew("13800001000").await;
        let booking = app.visit(&mei, &crew).await;
        app.rates(&mei, &booking, [5, 4, 5, 4, 4]).await;
        assert!(invitations(&mei).await.is_empty());
        let why = mei.get("me/referral/why").await.expect(200).to_string();
        assert!(why.contains("4.8") || why.contains("4.80"), "{why}");
    }

    async fn it_is_sent_at_its_hour_outside_quiet_hours_and_then_cannot_be_recalled(app) {
        let mei = delighted(app, "mei").await;
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let scheduled = invitations(&mei).await.remove(0);
        let id = scheduled["id"].as_str().unwrap();
        app.stranger().get(&format!("referrals/{}", scheduled["code"].as_str().unwrap())).await.expect(200);
        app.advance_to(&scheduled["scheduled_at"]).await;
        let sent = invitations(&mei).await.remove(0);
        assert_eq!(sent["status"], "sent");
        let at: chrono::DateTime<chrono::Utc> = sent["sent_at"].as_str().unwrap().parse().unwrap();
        let minute = linjian::kernel::business_minute(at);
        assert!((9 * 60..21 * 60).contains(&minute), "sent at minute {minute}");
        let late = marketing.post(&format!("admin/invitations/{id}/recall"), json!({})).await;
        late.problem(409, "invalid_state");
    }

    async fn marketing_recalls_before_the_sending(app) {
        let mei = delighted(app, "mei").await;
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let scheduled = invitations(&mei).await.remove(0);
        let id = scheduled["id"].as_str().unwrap();
        let recalled = marketing.post(&format!("admin/invitations/{id}/recall"), json!({})).await.expect(200);
        assert_eq!(recalled["status"], "recalled");
        app.advance("P2D").await;
        assert_eq!(invitations(&mei).await[0]["status"], "recalled");
    }

    async fn withdrawal_between_decision_and_sending_wins(app) {
        // CR-36: consent is asked when it is sent, not only when the rule matched.
        let mei = delighted(app, "mei").await;
        mei.delete("me/consents/referral_profiling").await.expect(200);
        app.advance("P2D").await;
        let list = invitations(&mei).await;
        assert_eq!(list[0]["status"], "suppressed", "{list:#?}");
    }

    async fn an_sla_breach_stops_the_asking_and_takes_nothing_away(app) {
        let mei = delighted(app, "mei").await;
        let bookings = mei.get("bookings").await.expect(200);
        let id = bookings["items"][0]["id"].as_str().unwrap();
        let body = json!({ "kind": "quality", "text": "窗台没有擦" });
        mei.post(&format!("bookings/{id}/complaints"), body).await.expect(201);
        app.advance("PT3H").await;
        assert_ne!(invitations(&mei).await[0]["status"], "scheduled");
        assert_eq!(mei.get(&format!("bookings/{id}")).await.expect(200)["status"], "completed");
    }

    async fn everybody_gets_a_code_of_his_own_without_any_condition(app) {
        // REF-04: no prepayment, no membership, no consent to profiling.
        let li = app.customer("li").await;
        let one = li.post("me/invitations", json!({})).await.expect(201);
        let two = li.post("me/invitations", json!({})).await.expect(201);
        assert_eq!(one["code"], two["code"]);
        let shares = format!("me/invitations/{}/shares", one["id"].as_str().unwrap());
        li.post(&shares, json!({"channel": "poster"})).await.expect(201);
        let qr = app.stranger().get(&format!("referrals/{}/qr.png", one["code"].as_str().unwrap())).await;
        assert_eq!(qr.status, 200);
        assert!(qr.bytes.starts_with(b"\x89PNG"));
        let wang = app.customer("wang").await;
        wang.post(&shares, json!({"channel": "link"})).await.problem(404, "not_found");
    }

    async fn a_second_delighted_visit_within_the_week_is_not_asked_again(app) {
        let mei = delighted(app, "mei").await;
        let crew = app.crew("13800001001").await;
        let service = app.service("daily-cleaning").await;
        let mut body = app.booking_body(&service, &app.slot(&service).await);
        body["worker_id"] = json!(crew.id);
        let booking = mei.post("bookings", body).await.expect(201);
        app.pays(&mei, &booking, booking["total_fen"].as_i64().unwrap()).await;
        let booking = app.serves(&mei, &crew, &booking).await;
        app.rates(&mei, &booking, [5, 5, 5, 5, 5]).await;
        assert_eq!(invitations(&mei).await.len(), 1);
    }

    async fn a_complaint_stops_what_is_scheduled_before_any_clock_runs_out(app) {
        // REF-09, REF-45: an unresolved complaint blocks marketing.
        let mei = delighted(app, "mei").await;
        let bookings = mei.get("bookings").await.expect(200);
        let path = format!("bookings/{}/complaints", bookings["items"][0]["id"].as_str().unwrap());
        mei.post(&path, json!({ "kind": "quality", "text": "窗台没有擦" })).await.expect(201);
        app.drain().await;
        assert_eq!(invitations(&mei).await[0]["status"], "suppressed");
    }

    async fn an_open_complaint_is_looked_for_again_at_the_sending(app) {
        use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};
        let mei = delighted(app, "mei").await;
        let scheduled = invitations(&mei).await.remove(0);
        let bookings = mei.get("bookings").await.expect(200);
        let path = format!("bookings/{}/complaints", bookings["items"][0]["id"].as_str().unwrap());
        mei.post(&path, json!({ "kind": "quality", "text": "窗台没有擦" })).await.expect(201);
        // As if the news of the complaint were still on its way when the hour comes.
        let (ctx, id) = (app.ctx(), scheduled["id"].as_str().unwrap().parse::<uuid::Uuid>().unwrap());
        app.drain().await;
        let tx = ctx.db.begin_write().await.unwrap();
        entity::invitation::ActiveModel {
            id: Set(id.into()),
            status: Set(entity::values::InvitationStatus::Scheduled),
            closed_at: Set(None),
            ..Default::default()
        }
        .update(&tx)
        .await
        .unwrap();
        let at = ctx.env.now();
        linjian::outbox::timer::schedule(&tx, &ctx.env, "invitation.send_due.v1", id, at).await.unwrap();
        ctx.commit(tx).await.unwrap();
        app.drain().await;
        let row = entity::invitation::Entity::find_by_id(entity::ids::InvitationId(id)).one(ctx.db.read()).await.unwrap().unwrap();
        assert_eq!(row.status, entity::values::InvitationStatus::Suppressed);
    }

    async fn an_invitation_reserves_what_it_may_cost(app) {
        let mut document = shipped();
        // A welcome of 30 and a thanks of 20 yuan: one invitation fits, a second does not.
        document["rules"][0]["caps"]["budget_fen"] = json!(9999);
        let marketing = publishes(app, &document).await;
        let mei = delighted(app, "mei").await;
        let li = app.customer("li").await;
        li.consents("referral_profiling", None).await;
        let crew = app.crew("13800001001").await;
        let service = app.service("daily-cleaning").await;
        let mut body = app.booking_body(&service, &app.slot(&service).await);
        body["worker_id"] = json!(crew.id);
        let booking = li.post("bookings", body).await.expect(201);
        app.pays(&li, &booking, booking["total_fen"].as_i64().unwrap()).await;
        let booking = app.serves(&li, &crew, &booking).await;
        app.rates(&li, &booking, [5, 5, 5, 5, 5]).await;
        assert_eq!(invitations(&mei).await.len(), 1);
        assert!(invitations(&li).await.is_empty());
        let held = decisions(&marketing, &li).await;
        assert_eq!((&held[0]["outcome"], &held[0]["blocked_by"]), (&json!("held"), &json!("cap")), "{held:#?}");
    }

    async fn nobody_is_asked_because_of_a_visit_whose_money_went_back(app) {
        let mei = app.customer("mei").await;
        mei.consents("referral_profiling", None).await;
        let crew = app.crew("13800001000").await;
        let booking = app.visit(&mei, &crew).await;
        app.rates(&mei, &booking, DELIGHTED).await;
        assert_eq!(invitations(&mei).await[0]["status"], "scheduled");
        let manager = app.staff(&[StaffRole::Manager]).await;
        manager.post("admin/refunds", json!({ "booking_id": booking["id"], "reason": "不满意" })).await.expect(201);
        app.settled_refund().await;
        assert_eq!(invitations(&mei).await[0]["status"], "recalled");
        app.advance("P2D").await;
        assert_eq!(invitations(&mei).await[0]["status"], "recalled", "its hour passes");
    }

    async fn what_was_paid_back_is_not_prepaid(app) {
        let mei = app.customer("mei").await;
        mei.consents("referral_profiling", None).await;
        let crew = app.crew("13800001000").await;
        let booking = app.visit(&mei, &crew).await;
        let service = app.staff(&[StaffRole::Service]).await;
        let body = json!({ "booking_id": booking["id"], "amount_fen": 500, "reason": "少擦了一扇窗" });
        service.post("admin/refunds", body).await.expect(201);
        app.settled_refund().await;
        app.rates(&mei, &booking, DELIGHTED).await;
        assert!(invitations(&mei).await.is_empty(), "less than half is left");
        let why = mei.get("me/referral/why").await.expect(200).to_string();
        assert!(why.contains("再付 ¥5 即达到 50%"), "what went back is left to pay: {why}");
    }

    async fn staff_lift_a_suppression_on_appeal_and_asking_goes_on(app) {
        let mei = delighted(app, "mei").await;
        let service = app.staff(&[StaffRole::Service]).await;
        let bookings = mei.get("bookings").await.expect(200);
        let id = bookings["items"][0]["id"].as_str().unwrap();
        let body = json!({ "kind": "quality", "text": "窗台没有擦" });
        let complaint = mei.post(&format!("bookings/{id}/complaints"), body).await.expect(201);
        app.advance("PT3H").await;
        let path = format!("admin/complaints/{}/resolve", complaint["id"].as_str().unwrap());
        service.post(&path, json!({ "text": "已补做" })).await.expect(200);
        let list = service.get(&format!("admin/suppressions?customer_id={}", mei.id)).await.expect(200);
        let one = &list["items"][0];
        assert_eq!((&one["appeal"], &one["lifted_at"]), (&json!(true), &Value::Null));
        let path = format!("admin/suppressions/{}/lift", one["id"].as_str().unwrap());
        app.staff(&[StaffRole::Marketing]).await.post(&path, json!({})).await.problem(403, "forbidden");
        assert!(service.post(&path, json!({})).await.expect(200)["lifted_at"].is_string());
        service.post(&path, json!({})).await.problem(409, "invalid_state");
    }

    async fn who_did_not_consent_is_told_so_once_and_in_words(app) {
        let mei = app.customer("mei").await;
        let crew = app.crew("13800001000").await;
        let booking = app.visit(&mei, &crew).await;
        app.rates(&mei, &booking, DELIGHTED).await;
        let why = mei.get("me/referral/why").await.expect(200);
        let baseline = why["items"].as_array().unwrap().iter().find(|one| one["rule_id"] == "quality-baseline").unwrap();
        let sentences = baseline["sentences"].as_array().unwrap();
        assert_eq!(sentences.len(), 1, "{why}");
        assert!(sentences[0].as_str().unwrap().starts_with("您没有同意"), "{why}");
    }
}

on_both! {
    async fn a_withdrawal_in_the_moment_of_the_decision_leaves_nothing_behind(app) {
        for round in 0..6 {
            let mei = app.customer(&format!("mei{round}")).await;
            mei.consents("referral_profiling", None).await;
            let crew = app.crew(&format!("1380000100{round}")).await;
            let service = app.service("daily-cleaning").await;
            let mut body = app.booking_body(&service, &app.slot(&service).await);
            body["worker_id"] = json!(crew.id);
            let booking = mei.post("bookings", body).await.expect(201);
            app.pays(&mei, &booking, booking["total_fen"].as_i64().unwrap()).await;
            app.serves(&mei, &crew, &booking).await;
            let path = format!("bookings/{}/rating", booking["id"].as_str().unwrap());
            let stars = json!({ "quality": 5, "punctuality": 5, "attitude": 5, "communication": 5, "value": 5 });
            mei.post(&path, stars).await.expect(201);
            let (withdrawn, ()) = tokio::join!(mei.delete("me/consents/referral_profiling"), app.drain());
            withdrawn.expect(200);
            app.drain().await;
            let list = invitations(&mei).await;
            assert!(list.iter().all(|one| one["status"] == "suppressed"), "round {round}: {list:#?}");
            let id = entity::ids::AccountId(mei.id.parse().unwrap());
            let rows = entity::evaluation::Entity::find()
                .filter(entity::evaluation::Column::CustomerId.eq(id))
                .all(app.ctx().db.read())
                .await
                .unwrap();
            assert!(!rows.is_empty());
            let known = |facts: &Option<String>| facts.as_ref().is_some_and(|facts| facts != "[]");
            assert!(!rows.iter().any(|row| known(&row.facts)), "round {round}: facts were kept");
        }
    }
}
