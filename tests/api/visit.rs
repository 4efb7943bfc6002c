//! The worker's side: arriving, ticking off, finishing; and the stars afterwards.

use crate::{
    booking::{books_at, id_of, moment, rfc, slots},
    support::{Crew, TestApp},
};
use chrono::Duration;
use entity::values::StaffRole;
use serde_json::{Value, json};

const HERE: (f64, f64) = (31.2222, 121.5444);

/// Checks in on time, ticks everything and completes.
pub async fn works(app: &TestApp, crew: &Crew, booking: &Value) {
    app.advance_to(&booking["start_at"]).await;
    let job = format!("worker/jobs/{}", id_of(booking));
    let here = json!({ "lat": HERE.0, "lng": HERE.1 });
    crew.device
        .post(&format!("{job}/check-in"), here)
        .await
        .expect(200);
    ticks(crew, booking).await;
    crew.device
        .post(&format!("{job}/complete"), json!({}))
        .await
        .expect(200);
    app.drain().await;
}

/// The job as its worker sees it today.
pub async fn job_of(crew: &Crew, booking: &Value) -> Value {
    let jobs = crew.device.get("worker/jobs").await.expect(200);
    let items = jobs["items"].as_array().unwrap();
    items
        .iter()
        .find(|job| job["booking_id"] == booking["id"])
        .unwrap()
        .clone()
}

/// Ticks every item.
pub async fn ticks(crew: &Crew, booking: &Value) {
    for item in job_of(crew, booking).await["checklist"].as_array().unwrap() {
        let key = item["key"].as_str().unwrap();
        let path = format!("worker/jobs/{}/checklist/{key}", id_of(booking));
        crew.device
            .post(&path, json!({ "done": true }))
            .await
            .expect(200);
    }
}

on_both! {
    async fn a_worker_on_time_and_on_the_spot_is_neither_late_nor_away(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        app.pays(&mei, &booking, 8000).await;
        let path = format!("worker/jobs/{}/check-in", id_of(&booking));
        let here = json!({ "lat": HERE.0, "lng": HERE.1 });
        app.advance_to(&rfc(moment(&booking["start_at"]) - Duration::hours(3))).await;
        crew.device.post(&path, here.clone()).await.problem(409, "invalid_state");
        app.advance_to(&rfc(moment(&booking["start_at"]) - Duration::minutes(30))).await;
        let arrived = crew.device.post(&path, here).await.expect(200);
        assert_eq!(arrived, json!({ "late_minutes": 0, "within_geofence": true }));
    }

    async fn lateness_and_distance_are_told_and_a_second_check_in_answers_the_first(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        app.pays(&mei, &booking, 8000).await;
        app.advance_to(&rfc(moment(&booking["start_at"]) + Duration::seconds(20 * 60 + 5))).await;
        let path = format!("worker/jobs/{}/check-in", id_of(&booking));
        // 0.01 degrees of latitude are 1.1 km; 300 m are allowed.
        let away = json!({ "lat": HERE.0 + 0.01, "lng": HERE.1 });
        let arrived = crew.device.post(&path, away).await.expect(200);
        assert_eq!(arrived, json!({ "late_minutes": 20, "within_geofence": false }));
        let here = json!({ "lat": HERE.0, "lng": HERE.1 });
        assert_eq!(crew.device.post(&path, here).await.expect(200), arrived);
        let nowhere = json!({ "lat": 91.0, "lng": 0.0 });
        crew.device.post(&path, nowhere).await.problem(422, "validation");
    }

    async fn a_job_is_done_when_everything_required_is(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        app.pays(&mei, &booking, 8000).await;
        app.advance_to(&booking["start_at"]).await;
        let job = format!("worker/jobs/{}", id_of(&booking));
        let here = json!({ "lat": HERE.0, "lng": HERE.1 });
        crew.device.post(&format!("{job}/check-in"), here).await.expect(200);
        let tick = async |key: &str, done: bool| {
            crew.device.post(&format!("{job}/checklist/{key}"), json!({ "done": done })).await
        };
        for key in ["nothing", "%00", "a%0Ab"] {
            tick(key, true).await.problem(404, "not_found");
        }
        for item in job_of(&crew, &booking).await["checklist"].as_array().unwrap() {
            if item["required"] == true && item["key"] != "kitchen" {
                assert_eq!(tick(item["key"].as_str().unwrap(), true).await.expect(200)["done"], true);
            }
        }
        let open = crew.device.post(&format!("{job}/complete"), json!({})).await.problem(409, "invalid_state");
        assert_eq!(open["open_items"].as_array().unwrap().len(), 1);
        tick("kitchen", true).await.expect(200);
        assert_eq!(tick("kitchen", false).await.expect(200)["done"], false);
        crew.device.post(&format!("{job}/complete"), json!({})).await.problem(409, "invalid_state");
        tick("kitchen", true).await.expect(200);
        let done = crew.device.post(&format!("{job}/complete"), json!({})).await.expect(200);
        assert_eq!(done["status"], "awaiting_acceptance");
        tick("kitchen", false).await.problem(409, "invalid_state");
        crew.device.post(&format!("{job}/complete"), json!({})).await.problem(409, "invalid_state");
    }

    async fn ticks_taken_back_and_the_end_of_the_job_never_pass_each_other_by(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        app.pays(&mei, &booking, 8000).await;
        app.advance_to(&booking["start_at"]).await;
        let job = format!("worker/jobs/{}", id_of(&booking));
        let here = json!({ "lat": HERE.0, "lng": HERE.1 });
        crew.device.post(&format!("{job}/check-in"), here).await.expect(200);
        ticks(&crew, &booking).await;
        let mut tasks = Vec::new();
        for number in 0..8 {
            let (device, job) = (crew.device.clone(), job.clone());
            tasks.push(tokio::spawn(async move {
                if number % 2 == 0 {
                    device.post(&format!("{job}/checklist/kitchen"), json!({ "done": false })).await.status
                } else {
                    device.post(&format!("{job}/complete"), json!({})).await.status
                }
            }));
        }
        for task in tasks {
            let status = task.await.unwrap();
            assert!([200, 409].contains(&status), "{status}");
        }
        let job = job_of(&crew, &booking).await;
        let kitchen = job["checklist"].as_array().unwrap().iter().find(|item| item["key"] == "kitchen").unwrap();
        let complete = job["status"] == "awaiting_acceptance";
        assert_eq!(kitchen["done"] == true, complete, "{job}");
    }

    async fn the_address_is_shown_only_while_the_job_is_open(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        app.pays(&mei, &booking, 8000).await;
        app.advance_to(&booking["start_at"]).await;
        let job = job_of(&crew, &booking).await;
        assert!(job["address"].as_str().unwrap().contains("示例路"));
        assert!(job["customer_phone_masked"].as_str().unwrap().contains("****"));
        app.serves(&mei, &crew, &booking).await;
        assert!(job_of(&crew, &booking).await["address"].is_null());
    }

    async fn a_visit_is_rated_once_after_its_end_by_its_customer_and_exactly(app) {
        let crew = app.crew("13800001000").await;
        let (mei, li) = (app.customer("mei").await, app.customer("li").await);
        let service = app.service("daily-cleaning").await;
        let start = slots(app, &service, 1).await[0].clone();
        let booking = books_at(app, &mei, &start).await;
        app.pays(&mei, &booking, 8000).await;
        let path = format!("bookings/{}/rating", id_of(&booking));
        let five = |value: i64| json!({ "quality": 5, "punctuality": 5, "attitude": 5, "communication": 5, "value": value });
        mei.post(&path, five(4)).await.problem(409, "invalid_state");
        app.serves(&mei, &crew, &booking).await;
        li.post(&path, five(4)).await.problem(404, "not_found");
        for value in [0, 6] {
            let fault = mei.post(&path, five(value)).await.problem(422, "validation");
            assert_eq!(fault["errors"][0]["pointer"], "/value");
        }
        mei.post_without_key(&path, five(4)).await.problem(422, "idempotency_key_required");
        let answer = mei.post_with_key(&path, "stars", five(4)).await;
        assert!(String::from_utf8_lossy(&answer.bytes).contains("\"score\":4.8,"));
        let rating = answer.expect(201);
        assert_eq!(mei.post_with_key(&path, "stars", five(4)).await.expect(201), rating);
        mei.post(&path, five(5)).await.problem(409, "conflict");
    }

    async fn recording_a_worker_never_turns_staff_or_another_worker_into_him(app) {
        let manager = app.staff(&[StaffRole::Manager]).await;
        let body = |phone: &str| json!({ "name": "李师傅", "phone": phone, "skills": ["daily_cleaning"], "areas": ["浦东"] });
        manager.post("auth/phone", json!({ "code": "phone-13800002000" })).await.expect(200);
        let worker = manager.post("admin/workers", body("13800002000")).await.expect(201);
        assert_eq!(worker["bound"], false);
        manager.get("admin/workers").await.expect(200);
        // A customer with the phone is bound at once, and only once.
        let zhang = app.customer("zhang").await;
        zhang.post("auth/phone", json!({ "code": "phone-13800002001" })).await.expect(200);
        let worker = manager.post("admin/workers", body("13800002001")).await.expect(201);
        assert_eq!(worker["bound"], true);
        manager.post("admin/workers", body("13800002002")).await.expect(201);
        let zhang = app.customer("zhang").await;
        let other = zhang.post("auth/phone", json!({ "code": "phone-13800002002" })).await.expect(200);
        assert_eq!(other["account_kind"], "worker");
        let all = manager.get("admin/workers").await.expect(200);
        let bound = all["items"].as_array().unwrap().iter().filter(|one| one["bound"] == true).count();
        assert_eq!(bound, 1, "{all}");
    }

    async fn a_phone_code_that_was_answered_is_not_spent_again(app) {
        let mei = app.customer("mei").await;
        let body = json!({ "code": "phone-13900001111" });
        let first = mei.post_with_key("auth/phone", "k", body.clone()).await.expect(200);
        let again = mei.post_with_key("auth/phone", "k", body).await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.expect(200), first);
        let other = json!({ "code": "phone-13900002222" });
        mei.post_with_key("auth/phone", "k", other).await.problem(422, "idempotency_mismatch");
        // A refused code leaves the key free.
        let bad = json!({ "code": "used-1" });
        mei.post_with_key("auth/phone", "k2", bad.clone()).await.problem(401, "wechat_code_invalid");
        mei.post_with_key("auth/phone", "k2", bad).await.problem(401, "wechat_code_invalid");
    }
}
