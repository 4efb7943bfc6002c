//! Money that comes in: orders, notifications true and false, queries.

use crate::{
    booking::{id_of, own_service, slots, told},
    support::{AREA, Person, TestApp},
    visit::works,
};
use entity::{
    payment, payment_incident,
    values::{Fen, StaffRole},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};

/// The prepay id of an order.
pub fn prepay_id(order: &Value) -> &str {
    let package = order["wechat_pay"]["package"].as_str().unwrap();
    package.strip_prefix("prepay_id=").unwrap()
}

/// Opens an order.
pub async fn orders(person: &Person, booking: &Value, fen: i64) -> Value {
    let path = format!("bookings/{}/prepayments", id_of(booking));
    person
        .post(&path, json!({ "amount_fen": fen }))
        .await
        .expect(201)
}

/// Plays the person at the cashier; `more` holds troubles.
pub async fn cashier(person: &Person, order: &Value, more: Value) -> Vec<u64> {
    let mut body = json!({ "prepay_id": prepay_id(order), "outcome": "success" });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    let paid = person.post("/sandbox/pay", body).await.expect(200);
    let delivered = paid["delivered"].as_array().unwrap();
    delivered
        .iter()
        .map(|one| one["status"].as_u64().unwrap())
        .collect()
}

/// Balance by kind of account; nothing is ever out of balance.
pub async fn ledger(app: &TestApp) -> Value {
    let manager = app.staff(&[StaffRole::Manager]).await;
    let balance = manager.get("admin/ledger/balance").await.expect(200);
    assert_eq!(balance["total"], 0, "{balance}");
    let mut sums = balance["sums"].clone();
    sums.as_object_mut().unwrap().retain(|_, fen| *fen != 0);
    sums
}

/// The kinds of all incidents.
pub async fn incidents(app: &TestApp) -> Vec<String> {
    let rows = payment_incident::Entity::find()
        .all(app.ctx().db.read())
        .await
        .unwrap();
    rows.into_iter().map(|row| row.kind).collect()
}

/// The booking's payments by status, newest first.
pub async fn statuses(app: &TestApp, booking: &Value) -> Vec<String> {
    let manager = app.staff(&[StaffRole::Manager]).await;
    let path = format!("admin/payments?booking_id={}", id_of(booking));
    let list = manager.get(&path).await.expect(200);
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|row| row["status"].as_str().unwrap().to_owned())
        .collect()
}

pub async fn see(person: &Person, booking: &Value) -> Value {
    person
        .get(&format!("bookings/{}", id_of(booking)))
        .await
        .expect(200)
}

on_both! {
    async fn twenty_copies_of_a_notification_at_once_count_once(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        let order = orders(&mei, &booking, 8000).await;
        let answers = cashier(&mei, &order, json!({ "times": 20 })).await;
        assert_eq!(answers.len(), 20);
        assert!(answers.iter().all(|status| (200..300).contains(status)), "{answers:?}");
        app.drain().await;
        let paid = see(&mei, &booking).await;
        assert_eq!((&paid["status"], &paid["prepaid_fen"]), (&json!("confirmed"), &json!(8000)));
        assert_eq!(paid["prepaid_ratio"], 0.5);
        assert_eq!(told(app, "payment.succeeded.v1").await, 1);
        assert_eq!(told(app, "booking.confirmed.v1").await, 1);
        assert_eq!(ledger(app).await, json!({ "wechat_pay": 8000, "prepayment": -8000 }));
    }

    async fn a_notification_with_anything_wrong_is_refused_and_changes_nothing(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        let order = orders(&mei, &booking, 8000).await;
        let before = see(&mei, &booking).await;
        let wrong = cashier(&mei, &order, json!({ "amount_fen": 1 })).await;
        assert!((400..500).contains(&wrong[0]), "{wrong:?}");
        assert_eq!(incidents(app).await, ["amount"]);
        for trouble in ["bad-signature", "probe", "stale", "body", "ciphertext", "unknown-serial"] {
            let answers = cashier(&mei, &order, json!({ "trouble": trouble })).await;
            assert!((400..500).contains(&answers[0]), "{trouble}: {answers:?}");
        }
        // Nothing is drained: a few seconds after the order the poll would rightly find it paid.
        assert_eq!(see(&mei, &booking).await, before);
        assert_eq!(ledger(app).await, json!({}));
        assert_eq!(told(app, "payment.succeeded.v1").await, 0);
        // The true one still counts.
        assert!(cashier(&mei, &order, json!({})).await[0] < 300);
        assert_eq!(see(&mei, &booking).await["status"], "confirmed");
    }

    async fn a_payment_nobody_told_us_about_is_found_by_asking(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        let order = orders(&mei, &booking, 8000).await;
        cashier(&mei, &order, json!({ "trouble": "bad-signature" })).await;
        assert_eq!(see(&mei, &booking).await["status"], "pending_payment");
        app.advance("PT5M1S").await;
        assert_eq!(see(&mei, &booking).await["status"], "confirmed");
        assert_eq!(statuses(app, &booking).await, ["paid"]);
        // The notification that comes after all changes nothing.
        assert!(cashier(&mei, &order, json!({})).await[0] < 300);
        assert_eq!(see(&mei, &booking).await["prepaid_fen"], 8000);
    }

    async fn a_queried_payment_that_does_not_fit_is_an_incident(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        let order = orders(&mei, &booking, 8000).await;
        cashier(&mei, &order, json!({ "trouble": "bad-signature" })).await;
        let tx = app.ctx().db.begin_write().await.unwrap();
        let id = entity::ids::PaymentId(id_of(&order).parse().unwrap());
        payment::ActiveModel { id: Set(id), amount_fen: Set(Fen(7999)), ..Default::default() }.update(&tx).await.unwrap();
        app.ctx().commit(tx).await.unwrap();
        app.advance("PT5M1S").await;
        assert_eq!(incidents(app).await, ["amount"]);
        assert_eq!(see(&mei, &booking).await["prepaid_fen"], 0);
    }

    async fn half_of_an_odd_price_is_rounded_up_and_paying_it_confirms(app) {
        app.crew("13800001000").await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let service = manager.post("admin/services", own_service(10_001, &json!([]))).await.expect(201);
        let mei = app.customer("mei").await;
        let start = slots(app, &service, 2).await[0].clone();
        let booking = mei.post("bookings", app.booking_body(&service, &start)).await.expect(201);
        let first = orders(&mei, &booking, 1000).await;
        assert_eq!(first["required_fen"], 4001);
        cashier(&mei, &first, json!({})).await;
        let second = orders(&mei, &booking, 4000).await;
        assert_eq!(second["required_fen"], 1);
        cashier(&mei, &second, json!({})).await;
        assert_eq!(see(&mei, &booking).await["status"], "pending_payment");
        let third = orders(&mei, &booking, 1).await;
        assert_eq!(third["required_fen"], 0);
        cashier(&mei, &third, json!({})).await;
        assert_eq!(see(&mei, &booking).await["status"], "confirmed");
        let path = format!("bookings/{}/prepayments", id_of(&booking));
        let fault = mei.post(&path, json!({ "amount_fen": 5001 })).await.problem(422, "validation");
        assert_eq!(fault["errors"][0]["pointer"], "/amount_fen");
        mei.post_without_key(&path, json!({ "amount_fen": 1 })).await.problem(422, "idempotency_key_required");
    }

    async fn one_key_opens_one_order(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        let path = format!("bookings/{}/prepayments", id_of(&booking));
        let tasks = (0..10).map(|_| {
            let (mei, path) = (mei.clone(), path.clone());
            tokio::spawn(async move { mei.post_with_key(&path, "k", json!({ "amount_fen": 8000 })).await })
        });
        for task in tasks.collect::<Vec<_>>() {
            let answer = task.await.unwrap();
            if answer.status != 201 {
                answer.problem(409, "idempotency_in_progress");
            }
        }
        let order = mei.post_with_key(&path, "k", json!({ "amount_fen": 8000 })).await.expect(201);
        assert!(order["wechat_pay"]["paySign"].is_string());
        assert_eq!(statuses(app, &booking).await, ["pending"]);
        mei.post_with_key(&path, "k", json!({ "amount_fen": 8001 })).await.problem(422, "idempotency_mismatch");
    }

    async fn the_last_minute_of_a_hold_takes_no_order(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        let path = format!("bookings/{}/prepayments", id_of(&booking));
        app.advance("PT14M5S").await;
        mei.post(&path, json!({ "amount_fen": 8000 })).await.problem(409, "invalid_state");
        assert!(statuses(app, &booking).await.is_empty());
    }

    async fn an_order_nobody_pays_is_closed_in_the_end(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        app.pays(&mei, &booking, 8000).await;
        let balance = orders(&mei, &booking, 8000).await;
        app.advance("PT1H").await;
        assert_eq!(statuses(app, &booking).await, ["pending", "paid"]);
        app.advance("PT1H10M").await;
        assert_eq!(statuses(app, &booking).await, ["closed", "paid"]);
        let late = json!({ "prepay_id": prepay_id(&balance), "outcome": "success" });
        mei.post("/sandbox/pay", late).await.problem(409, "invalid_state");
        assert_eq!(see(&mei, &booking).await["prepaid_fen"], 8000);
    }

    async fn orders_of_an_expired_booking_are_closed_with_it(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        orders(&mei, &booking, 8000).await;
        app.advance("PT15M1S").await;
        assert_eq!(statuses(app, &booking).await, ["closed"]);
        assert_eq!(see(&mei, &booking).await["status"], "expired");
    }

    async fn an_open_balance_can_be_paid_after_completion_and_is_earned_at_once(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.visit(&mei, &crew).await;
        assert_eq!(ledger(app).await, json!({ "wechat_pay": 8000, "revenue": -8000 }));
        app.pays(&mei, &booking, 8000).await;
        let paid = see(&mei, &booking).await;
        assert_eq!((&paid["status"], &paid["balance_fen"]), (&json!("completed"), &json!(0)));
        assert_eq!(ledger(app).await, json!({ "wechat_pay": 16_000, "revenue": -16_000 }));
        let path = format!("bookings/{}/prepayments", id_of(&booking));
        mei.post(&path, json!({ "amount_fen": 1 })).await.problem(409, "invalid_state");
    }

    async fn completion_closes_the_orders_nobody_needs_any_more(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        app.pays(&mei, &booking, 8000).await;
        works(app, &crew, &booking).await;
        let (all, part) = (orders(&mei, &booking, 8000).await, orders(&mei, &booking, 1000).await);
        cashier(&mei, &orders(&mei, &booking, 2000).await, json!({})).await;
        let accept = format!("bookings/{}/acceptance", id_of(&booking));
        mei.post(&accept, json!({ "accepted": true })).await.expect(200);
        app.drain().await;
        // 80 yuan are more than is open now, 10 are not.
        assert_eq!(statuses(app, &booking).await, ["paid", "pending", "closed", "paid"]);
        let dead = json!({ "prepay_id": prepay_id(&all), "outcome": "success" });
        mei.post("/sandbox/pay", dead).await.problem(409, "invalid_state");
        assert!(cashier(&mei, &part, json!({})).await[0] < 300);
        assert_eq!(see(&mei, &booking).await["prepaid_fen"], 11_000);
    }

    async fn two_orders_for_one_balance_and_the_second_goes_back(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        let (one, two) = (orders(&mei, &booking, 16_000).await, orders(&mei, &booking, 16_000).await);
        cashier(&mei, &one, json!({})).await;
        assert!(cashier(&mei, &two, json!({})).await[0] < 300);
        app.settled_refund().await;
        let paid = see(&mei, &booking).await;
        assert_eq!((&paid["prepaid_fen"], &paid["refunded_fen"]), (&json!(16_000), &json!(0)));
        assert_eq!(ledger(app).await, json!({ "wechat_pay": 16_000, "prepayment": -16_000 }));
    }

    async fn money_is_shown_to_those_who_move_it_alone(app) {
        let mei = app.customer("mei").await;
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let service = app.staff(&[StaffRole::Service]).await;
        for path in ["admin/payments", "admin/refunds"] {
            mei.get(path).await.problem(403, "forbidden");
            marketing.get(path).await.problem(403, "forbidden");
            service.get(path).await.expect(200);
        }
        service.get("admin/ledger/balance").await.problem(403, "forbidden");
        let body = json!({ "booking_id": "01930000-0000-7000-8000-000000000000", "reason": AREA });
        service.post("admin/refunds", body).await.problem(404, "not_found");
    }
}

on_both! {
    async fn a_key_that_was_forgotten_does_not_find_another_visits_order(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let pay = async |booking: &serde_json::Value, fen: i64| {
            let path = format!("bookings/{}/prepayments", booking["id"].as_str().unwrap());
            mei.post_with_key(&path, "reused", json!({ "amount_fen": fen })).await.expect(201)
        };
        let first = app.books(&mei).await;
        let order = pay(&first, 9_000).await;
        app.advance("P4D").await;
        linjian::http::forget_answers(app.ctx()).await.unwrap();
        let second = app.books(&mei).await;
        let fresh = pay(&second, 8_500).await;
        assert_ne!(fresh["id"], order["id"]);
        let package = fresh["wechat_pay"]["package"].as_str().unwrap();
        let body = json!({ "prepay_id": package.strip_prefix("prepay_id=").unwrap(), "outcome": "success" });
        mei.post("/sandbox/pay", body).await.expect(200);
        app.drain().await;
        let paid = mei.get(&format!("bookings/{}", second["id"].as_str().unwrap())).await.expect(200);
        assert_eq!((paid["prepaid_fen"].as_i64(), &paid["status"]), (Some(8_500), &json!("confirmed")));
    }
}
