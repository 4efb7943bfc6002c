//! Complaints: two clocks, told once when they run out, stopped by answers in time.

use crate::{
    booking::{id_of, moment, told},
    support::{Person, TestApp},
};
use chrono::Duration;
use entity::values::StaffRole;
use linjian::platform::test_clock;
use serde_json::{Value, json};

const BREACHED: &str = "complaint.sla_breached.v1";

async fn confirmed(app: &TestApp, person: &Person) -> Value {
    let booking = app.books(person).await;
    app.pays(person, &booking, 8000).await;
    booking
}

async fn complains(person: &Person, booking: &Value) -> Value {
    let path = format!("bookings/{}/complaints", id_of(booking));
    let body = json!({ "kind": "quality", "text": "厨房没擦干净" });
    person.post(&path, body).await.expect(201)
}

async fn says(staff: &Person, complaint: &Value, what: &str) -> Value {
    let path = format!("admin/complaints/{}/{what}", id_of(complaint));
    staff
        .post(&path, json!({ "text": "已安排" }))
        .await
        .expect(200)
}

async fn later(app: &TestApp, by: Duration) {
    let clock = app.ctx().test_clock.as_ref().unwrap();
    test_clock::advance(&app.ctx().db, clock, by).await.unwrap();
}

on_both! {
    async fn a_complaint_promises_both_moments(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = confirmed(app, &mei).await;
        let complaint = complains(&mei, &booking).await;
        let opened = moment(&complaint["created_at"]);
        assert_eq!(moment(&complaint["first_response_due_at"]) - opened, Duration::hours(2));
        assert_eq!(moment(&complaint["resolution_due_at"]) - opened, Duration::hours(48));
        assert_eq!((&complaint["status"], &complaint["breached"]), (&json!("open"), &json!(false)));
    }

    async fn answers_in_time_stop_both_clocks(app) {
        app.crew("13800001000").await;
        let service = app.staff(&[StaffRole::Service]).await;
        let mei = app.customer("mei").await;
        let booking = confirmed(app, &mei).await;
        let complaint = complains(&mei, &booking).await;
        app.advance("PT1H").await;
        assert_eq!(says(&service, &complaint, "respond").await["status"], "responded");
        app.advance("PT46H").await;
        assert_eq!(says(&service, &complaint, "resolve").await["status"], "resolved");
        app.advance("P5D").await;
        assert_eq!(told(app, BREACHED).await, 0);
        let mine = mei.get("me/complaints").await.expect(200);
        assert_eq!(mine["items"][0]["breached"], false);
        let path = format!("admin/complaints/{}", id_of(&complaint));
        let text = json!({ "text": "x" });
        service.post(&format!("{path}/respond"), text.clone()).await.problem(409, "invalid_state");
        service.post(&format!("{path}/resolve"), text).await.problem(409, "invalid_state");
    }

    async fn silence_is_a_breach_told_once(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = confirmed(app, &mei).await;
        complains(&mei, &booking).await;
        app.advance("PT1H59M").await;
        assert_eq!(told(app, BREACHED).await, 0);
        app.advance("PT2M").await;
        assert_eq!(told(app, BREACHED).await, 1);
        app.advance("P5D").await;
        assert_eq!(told(app, BREACHED).await, 1);
        assert_eq!(mei.get("me/complaints").await.expect(200)["items"][0]["breached"], true);
    }

    async fn an_answer_that_comes_late_does_not_hide_the_breach(app) {
        app.crew("13800001000").await;
        let service = app.staff(&[StaffRole::Service]).await;
        let mei = app.customer("mei").await;
        let booking = confirmed(app, &mei).await;
        let (one, two) = (complains(&mei, &booking).await, complains(&mei, &booking).await);
        // The due moment passes and staff are quicker than the timer.
        later(app, Duration::minutes(121)).await;
        says(&service, &one, "respond").await;
        says(&service, &two, "resolve").await;
        app.drain().await;
        assert_eq!(told(app, BREACHED).await, 2);
        app.advance("P5D").await;
        assert_eq!(told(app, BREACHED).await, 2);
    }

    async fn answered_in_time_but_settled_too_late_is_a_breach(app) {
        app.crew("13800001000").await;
        let service = app.staff(&[StaffRole::Service]).await;
        let mei = app.customer("mei").await;
        let booking = confirmed(app, &mei).await;
        let complaint = complains(&mei, &booking).await;
        says(&service, &complaint, "respond").await;
        app.advance("PT47H").await;
        assert_eq!(told(app, BREACHED).await, 0);
        later(app, Duration::hours(2)).await;
        says(&service, &complaint, "resolve").await;
        app.drain().await;
        assert_eq!(told(app, BREACHED).await, 1);
    }

    async fn a_complaint_is_its_customers_and_customer_services(app) {
        let crew = app.crew("13800001000").await;
        let (mei, li) = (app.customer("mei").await, app.customer("li").await);
        let booking = confirmed(app, &mei).await;
        let path = format!("bookings/{}/complaints", id_of(&booking));
        let body = json!({ "kind": "price", "text": "x" });
        li.post(&path, body.clone()).await.problem(404, "not_found");
        crew.device.post(&path, body).await.problem(403, "forbidden");
        mei.post(&path, json!({ "kind": "colour", "text": "x" })).await.problem(422, "validation");
        mei.post(&path, json!({ "kind": "price", "text": "" })).await.problem(422, "validation");
        let complaint = complains(&mei, &booking).await;
        assert!(li.get("me/complaints").await.expect(200)["items"].as_array().unwrap().is_empty());
        let answer = format!("admin/complaints/{}/respond", id_of(&complaint));
        for person in [&mei, &crew.device, &app.staff(&[StaffRole::Marketing]).await] {
            person.post(&answer, json!({ "text": "x" })).await.problem(403, "forbidden");
        }
        let service = app.staff(&[StaffRole::Service]).await;
        let nobody = "admin/complaints/01930000-0000-7000-8000-000000000000/resolve";
        service.post(nobody, json!({ "text": "x" })).await.problem(404, "not_found");
        let list = service.get("admin/complaints?status=open").await.expect(200);
        assert_eq!(list["items"][0]["id"], complaint["id"]);
    }
}
