//! Slots, holds and keys: who gets a cell, how long he keeps it, what he gets back.

use crate::support::{AREA, Answer, Person, TestApp};
use chrono::{DateTime, Duration, Utc};
use entity::{outbox, timer, values::StaffRole};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter,
};
use serde_json::{Value, json};

pub fn id_of(object: &Value) -> &str {
    object["id"].as_str().unwrap()
}

pub fn moment(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

pub fn rfc(at: DateTime<Utc>) -> Value {
    json!(at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

/// Free starts of a service on the `days`-th day from now.
pub async fn slots(app: &TestApp, service: &Value, days: i64) -> Vec<Value> {
    let day = linjian::kernel::business_date(app.ctx().env.now() + Duration::days(days));
    let path = format!("services/{}/slots?date={day}&area={AREA}", id_of(service));
    let slots = app.stranger().get(&path).await.expect(200);
    let items = slots["items"].as_array().unwrap();
    items.iter().map(|slot| slot["start_at"].clone()).collect()
}

/// Books the daily cleaning at a start of one's own.
pub async fn books_at(app: &TestApp, person: &Person, start_at: &Value) -> Value {
    let service = app.service("daily-cleaning").await;
    let body = app.booking_body(&service, start_at);
    person.post("bookings", body).await.expect(201)
}

/// How often an event of this kind was told.
pub async fn told(app: &TestApp, kind: &str) -> u64 {
    outbox::Entity::find()
        .filter(outbox::Column::Kind.eq(kind))
        .count(app.ctx().db.read())
        .await
        .unwrap()
}

pub fn has_line(booking: &Value, part: &str) -> bool {
    let timeline = booking["timeline"].as_array().unwrap();
    timeline
        .iter()
        .any(|line| line["what"].as_str().unwrap().contains(part))
}

async fn all(tasks: Vec<tokio::task::JoinHandle<Answer>>) -> Vec<Answer> {
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

/// A service of the test's own.
pub fn own_service(fen: i64, questionnaire: &Value) -> Value {
    json!({
        "slug": "own", "name": "试做", "base_minutes": 60, "base_price_fen": fen, "price_rules": [],
        "skill": "daily_cleaning", "questionnaire": questionnaire, "checklist": [], "areas": [AREA],
    })
}

on_both! {
    async fn fifty_customers_want_the_last_cell_and_exactly_one_gets_it(app) {
        app.crew("13800001000").await;
        let service = app.service("daily-cleaning").await;
        let start = slots(app, &service, 2).await[0].clone();
        let body = app.booking_body(&service, &start);
        let mut tasks = Vec::new();
        for number in 0..50 {
            let person = app.customer(&format!("crowd-{number}")).await;
            tasks.push((person, body.clone()));
        }
        let tasks = tasks
            .into_iter()
            .map(|(person, body)| tokio::spawn(async move { person.post("bookings", body).await }))
            .collect();
        let answers = all(tasks).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
        for answer in answers.into_iter().filter(|answer| answer.status != 201) {
            answer.problem(409, "slot_taken");
        }
    }

    async fn twenty_posts_with_one_key_make_one_booking_and_one_answer(app) {
        app.crew("13800001000").await;
        app.crew("13800001001").await;
        let mei = app.customer("mei").await;
        let service = app.service("daily-cleaning").await;
        let start = slots(app, &service, 2).await[0].clone();
        let body = app.booking_body(&service, &start);
        let tasks = (0..20).map(|_| {
            let (mei, body) = (mei.clone(), body.clone());
            tokio::spawn(async move { mei.post_with_key("bookings", "one-key", body).await })
        });
        let answers = all(tasks.collect()).await;
        let again = mei.post_with_key("bookings", "one-key", body).await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        let first = again.expect(201);
        for answer in answers {
            if answer.status == 409 {
                answer.problem(409, "idempotency_in_progress");
            } else {
                assert_eq!(answer.expect(201), first);
            }
        }
        let mine = mei.get("bookings").await.expect(200);
        assert_eq!(mine["items"].as_array().unwrap().len(), 1);
    }

    async fn a_key_belongs_to_one_body_and_a_booking_needs_one(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let service = app.service("daily-cleaning").await;
        let starts = slots(app, &service, 2).await;
        let body = app.booking_body(&service, &starts[0]);
        mei.post_with_key("bookings", "k", body.clone()).await.expect(201);
        let other = app.booking_body(&service, &starts[6]);
        mei.post_with_key("bookings", "k", other).await.problem(422, "idempotency_mismatch");
        mei.post_without_key("bookings", body).await.problem(422, "idempotency_key_required");
    }

    async fn an_unpaid_hold_ends_and_its_cells_are_free_again(app) {
        app.crew("13800001000").await;
        let (mei, li) = (app.customer("mei").await, app.customer("li").await);
        let service = app.service("daily-cleaning").await;
        let start = slots(app, &service, 2).await[0].clone();
        let booking = books_at(app, &mei, &start).await;
        assert_eq!(booking["status"], "pending_payment");
        let body = app.booking_body(&service, &start);
        li.post("bookings", body.clone()).await.problem(409, "slot_taken");
        assert!(!slots(app, &service, 2).await.contains(&start));
        app.advance("PT14M").await;
        li.post("bookings", body.clone()).await.problem(409, "slot_taken");
        app.advance("PT2M").await;
        let path = format!("bookings/{}", id_of(&booking));
        assert_eq!(mei.get(&path).await.expect(200)["status"], "expired");
        assert!(slots(app, &service, 2).await.contains(&start));
        li.post("bookings", body).await.expect(201);
        let money = json!({ "amount_fen": 8000 });
        mei.post(&format!("{path}/prepayments"), money).await.problem(409, "invalid_state");
    }

    async fn a_hold_is_not_lost_to_a_clock_that_runs_ahead(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        // As another node with a faster clock would: the timer fires before the hold is over by ours.
        let row = timer::Entity::find()
            .filter(timer::Column::Kind.eq("booking.hold_due.v1"))
            .one(app.ctx().db.read())
            .await
            .unwrap()
            .unwrap();
        let tx = app.ctx().db.begin_write().await.unwrap();
        let early = app.ctx().env.now() - Duration::seconds(1);
        timer::ActiveModel { id: Set(row.id), due_at: Set(early), ..Default::default() }.update(&tx).await.unwrap();
        app.ctx().commit(tx).await.unwrap();
        app.drain().await;
        let path = format!("bookings/{}", id_of(&booking));
        assert_eq!(mei.get(&path).await.expect(200)["status"], "pending_payment");
        app.advance("PT15M1S").await;
        assert_eq!(mei.get(&path).await.expect(200)["status"], "expired");
    }

    async fn two_visits_of_a_worker_are_the_way_apart(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let service = app.service("daily-cleaning").await;
        let first = slots(app, &service, 2).await[0].clone();
        let booking = books_at(app, &mei, &first).await;
        let end = moment(&booking["end_at"]);
        let (tight, apart) = (rfc(end), rfc(end + Duration::minutes(30)));
        let left = slots(app, &service, 2).await;
        assert!(!left.contains(&tight) && left.contains(&apart), "{left:?}");
        mei.post("bookings", app.booking_body(&service, &tight)).await.problem(409, "slot_taken");
        mei.post("bookings", app.booking_body(&service, &apart)).await.expect(201);
        let odd = rfc(end + Duration::minutes(95));
        let fault = mei.post("bookings", app.booking_body(&service, &odd)).await.problem(422, "validation");
        assert_eq!(fault["errors"][0]["pointer"], "/start_at");
    }

    async fn cancelling_in_time_costs_nothing_and_late_costs_the_published_share(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let service = app.service("daily-cleaning").await;
        let start = slots(app, &service, 4).await[0].clone();
        let why = json!({ "reason": "临时有事" });
        let early = books_at(app, &mei, &start).await;
        app.pays(&mei, &early, 8000).await;
        let path = format!("bookings/{}", id_of(&early));
        assert_eq!(mei.post(&format!("{path}/cancel"), why.clone()).await.expect(200)["status"], "cancelled");
        app.settled_refund().await;
        let ended = mei.get(&path).await.expect(200);
        assert_eq!((&ended["prepaid_fen"], &ended["refunded_fen"]), (&json!(8000), &json!(8000)));

        let late = books_at(app, &mei, &start).await;
        app.pays(&mei, &late, 8000).await;
        app.advance_to(&rfc(moment(&start) - Duration::hours(20))).await;
        let path = format!("bookings/{}", id_of(&late));
        mei.post(&format!("{path}/cancel"), why.clone()).await.expect(200);
        app.settled_refund().await;
        let ended = mei.get(&path).await.expect(200);
        // 20 % of 160 yuan stay.
        assert_eq!(ended["refunded_fen"], 8000 - 3200);
        assert!(has_line(&ended, "手续费 ¥32"));
        mei.post(&format!("{path}/cancel"), why).await.problem(409, "invalid_state");
    }

    async fn a_visit_that_never_was_confirmed_costs_no_late_fee(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let service = app.service("daily-cleaning").await;
        let start = slots(app, &service, 3).await[0].clone();
        app.advance_to(&rfc(moment(&start) - Duration::hours(20))).await;
        let booking = books_at(app, &mei, &start).await;
        app.pays(&mei, &booking, 1000).await;
        let path = format!("bookings/{}", id_of(&booking));
        assert_eq!(mei.get(&path).await.expect(200)["status"], "pending_payment");
        mei.post(&format!("{path}/cancel"), json!({ "reason": "x" })).await.expect(200);
        app.settled_refund().await;
        assert_eq!(mei.get(&path).await.expect(200)["refunded_fen"], 1000);
    }

    async fn no_step_of_a_visit_can_be_skipped_or_repeated(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        let id = id_of(&booking).to_owned();
        let (mine, job) = (format!("bookings/{id}"), format!("worker/jobs/{id}"));
        let place = json!({ "lat": 31.2222, "lng": 121.5444 });
        let stars = json!({ "quality": 5, "punctuality": 5, "attitude": 5, "communication": 5, "value": 5 });
        let accept = json!({ "accepted": true });
        let reject = json!({ "accepted": false, "reason": "没擦干净" });
        let refused = async |call: &str, body: &Value| {
            mei.post(&format!("{mine}/{call}"), body.clone()).await.problem(409, "invalid_state");
        };
        let refused_job = async |call: &str, body: &Value| {
            crew.device.post(&format!("{job}/{call}"), body.clone()).await.problem(409, "invalid_state");
        };
        // Unpaid.
        refused_job("complete", &json!({})).await;
        refused_job("checklist/tidy", &json!({ "done": true })).await;
        refused("acceptance", &accept).await;
        refused("rating", &stars).await;
        refused("complaints", &json!({ "kind": "quality", "text": "x" })).await;
        app.pays(&mei, &booking, 8000).await;
        // Confirmed, and too early to check in.
        refused_job("check-in", &place).await;
        refused("acceptance", &reject).await;
        app.advance_to(&booking["start_at"]).await;
        crew.device.post(&format!("{job}/check-in"), place).await.expect(200);
        // In service.
        refused("cancel", &json!({ "reason": "x" })).await;
        refused("acceptance", &accept).await;
        refused("rating", &stars).await;
    }

    async fn another_persons_booking_does_not_exist_and_a_wrong_role_is_forbidden(app) {
        let crew = app.crew("13800001000").await;
        let other_crew = app.crew("13800001001").await;
        let (mei, li) = (app.customer("mei").await, app.customer("li").await);
        let service = app.service("daily-cleaning").await;
        let start = slots(app, &service, 2).await[0].clone();
        let mut body = app.booking_body(&service, &start);
        body["worker_id"] = json!(crew.id);
        let booking = mei.post("bookings", body.clone()).await.expect(201);
        app.pays(&mei, &booking, 8000).await;
        let mine = format!("bookings/{}", id_of(&booking));
        let job = format!("worker/jobs/{}", id_of(&booking));
        let calls = [
            ("prepayments", json!({ "amount_fen": 100 })),
            ("cancel", json!({ "reason": "x" })),
            ("acceptance", json!({ "accepted": true })),
            ("rating", json!({ "quality": 5, "punctuality": 5, "attitude": 5, "communication": 5, "value": 5 })),
            ("complaints", json!({ "kind": "quality", "text": "x" })),
        ];
        let staff = app.staff(&[StaffRole::Manager]).await;
        li.get(&mine).await.problem(404, "not_found");
        staff.get(&mine).await.problem(403, "forbidden");
        for (call, body) in calls {
            let path = format!("{mine}/{call}");
            li.post(&path, body.clone()).await.problem(404, "not_found");
            crew.device.post(&path, body.clone()).await.problem(403, "forbidden");
            staff.post(&path, body).await.problem(403, "forbidden");
        }
        let jobs = [
            ("check-in", json!({ "lat": 31.0, "lng": 121.0 })),
            ("checklist/tidy", json!({ "done": true })),
            ("complete", json!({})),
        ];
        for (call, body) in jobs {
            let path = format!("{job}/{call}");
            other_crew.device.post(&path, body.clone()).await.problem(404, "not_found");
            mei.post(&path, body).await.problem(403, "forbidden");
        }
        crew.device.post("bookings", body).await.problem(403, "forbidden");
        assert!(li.get("bookings").await.expect(200)["items"].as_array().unwrap().is_empty());
    }

    async fn a_visit_that_costs_nothing_is_confirmed_at_once_and_says_so(app) {
        app.crew("13800001000").await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let service = manager.post("admin/services", own_service(0, &json!([]))).await.expect(201);
        let mei = app.customer("mei").await;
        let start = slots(app, &service, 2).await[0].clone();
        let booking = mei.post("bookings", app.booking_body(&service, &start)).await.expect(201);
        assert_eq!(booking["status"], "confirmed");
        assert!(has_line(&booking, "无需付款") && !has_line(&booking, "等待预存"));
        assert_eq!(told(app, "booking.confirmed.v1").await, 1);
    }

    async fn a_service_off_sale_has_no_slots_no_price_and_no_bookings(app) {
        app.crew("13800001000").await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let service = manager.post("admin/services", own_service(5000, &json!([]))).await.expect(201);
        let start = slots(app, &service, 2).await[0].clone();
        let path = format!("services/{}", id_of(&service));
        let mut off = own_service(5000, &json!([]));
        off["active"] = json!(false);
        manager.put(&format!("admin/{path}"), off).await.expect(200);
        let anyone = app.customer("mei").await;
        anyone.get(&format!("{path}/slots?date=2030-01-01&area={AREA}")).await.problem(404, "not_found");
        let ask = json!({ "answers": {}, "area": AREA });
        anyone.post(&format!("{path}/quote"), ask).await.problem(404, "not_found");
        anyone.post("bookings", app.booking_body(&service, &start)).await.problem(404, "not_found");
    }

    async fn what_is_not_answered_counts_as_the_plain_case(app) {
        app.crew("13800001000").await;
        let service = app.service("deep-cleaning").await;
        let quote = format!("services/{}/quote", id_of(&service));
        let anyone = app.customer("mei").await;
        let plain = anyone.post(&quote, json!({ "answers": {}, "area": AREA })).await.expect(200);
        assert_eq!((&plain["total_fen"], &plain["minutes"]), (&json!(36_000), &json!(180)));
        for (answers, pointer) in [
            (json!({ "colour": 1 }), "/answers/colour"),
            (json!({ "pets": "yes" }), "/answers/pets"),
            (json!({ "stains": "blue" }), "/answers/stains"),
            (json!({ "area_sqm": 501 }), "/answers/area_sqm"),
        ] {
            let fault = anyone.post(&quote, json!({ "answers": answers, "area": AREA })).await.problem(422, "validation");
            assert_eq!(fault["errors"][0]["pointer"], pointer);
        }
        let start = slots(app, &service, 2).await[0].clone();
        let mut body = app.booking_body(&service, &start);
        body["answers"] = json!({});
        let booking = anyone.post("bookings", body).await.expect(201);
        assert_eq!(booking["total_fen"], 36_000);
    }

    async fn a_number_question_without_a_limit_can_be_answered(app) {
        let manager = app.staff(&[StaffRole::Manager]).await;
        let question = json!([{ "key": "rooms", "label": "房间", "kind": "number", "effect": { "fen": 100, "per": 1 } }]);
        let service = manager.post("admin/services", own_service(5000, &question)).await.expect(201);
        let path = format!("services/{}/quote", id_of(&service));
        let ask = |rooms: i64| json!({ "answers": { "rooms": rooms }, "area": AREA });
        let quote = app.stranger().post(&path, ask(3)).await.expect(200);
        assert_eq!(quote["total_fen"], 5300);
        app.stranger().post(&path, ask(1_000_000)).await.problem(422, "validation");
    }
}
