//! Price benefits and coupons at the till.

use crate::support::{AREA, Crew, Person, TestApp, answers};
use entity::values::StaffRole;
use serde_json::{Value, json};

/// Li, who came through Mei and has a price benefit for his first visit.
async fn newcomer(app: &TestApp) -> (Person, Person) {
    let mei = app.customer("mei").await;
    let own = mei.post("me/invitations", json!({})).await.expect(201);
    let li = app.customer("li").await;
    li.consents("referral_link", None).await;
    li.post("referrals", json!({ "code": own["code"] }))
        .await
        .expect(201);
    app.drain().await;
    (mei, li)
}

async fn price(app: &TestApp) -> i64 {
    let service = app.service("daily-cleaning").await;
    let path = format!("services/{}/quote", service["id"].as_str().unwrap());
    let body = json!({ "answers": answers(&service), "area": AREA });
    let quote = app.stranger().post(&path, body).await.expect(200);
    quote["total_fen"].as_i64().unwrap()
}

async fn first(person: &Person, cause: &str) -> Value {
    let list = person.get("me/rewards").await.expect(200);
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .find(|one| one["cause"] == cause)
        .unwrap()
        .clone()
}

fn off(booking: &Value) -> i64 {
    let lines = booking["lines"].as_array().unwrap();
    lines
        .iter()
        .map(|line| line["fen"].as_i64().unwrap().min(0))
        .sum()
}

async fn done(app: &TestApp, person: &Person, crew: &Crew, booking: &Value) {
    let total = booking["total_fen"].as_i64().unwrap();
    app.pays(person, booking, total).await;
    app.serves(person, crew, booking).await;
}

on_both! {
    async fn a_newcomers_price_benefit_comes_off_his_first_visit_and_only_that(app) {
        let crew = app.crew("13800001000").await;
        let (_, li) = newcomer(app).await;
        let full = price(app).await;
        let booking = app.books(&li).await;
        assert_eq!(booking["total_fen"], full - 3_000);
        assert_eq!(off(&booking), -3_000, "the bill says why: {}", booking["lines"]);
        assert_eq!(first(&li, "welcome").await["status"], "granted", "not used before the visit");
        done(app, &li, &crew, &booking).await;
        assert_eq!(first(&li, "welcome").await["status"], "used");
        assert_eq!(app.books(&li).await["total_fen"], full);
    }

    async fn who_cancels_keeps_his_benefit_for_another_visit(app) {
        app.crew("13800001000").await;
        let (_, li) = newcomer(app).await;
        let full = price(app).await;
        let booking = app.books(&li).await;
        assert_eq!(app.books(&li).await["total_fen"], full, "one benefit, one visit");
        let path = format!("bookings/{}/cancel", booking["id"].as_str().unwrap());
        li.post(&path, json!({ "reason": "改天" })).await.expect(200);
        app.drain().await;
        let again = app.books(&li).await;
        assert_eq!(again["total_fen"], full - 3_000);
        // Nobody pays: the hold runs out and the benefit is free once more.
        app.advance("PT16M").await;
        assert_eq!(app.books(&li).await["total_fen"], full - 3_000);
    }

    async fn who_wants_to_keep_it_says_so(app) {
        app.crew("13800001000").await;
        let (_, li) = newcomer(app).await;
        let service = app.service("daily-cleaning").await;
        let mut body = app.booking_body(&service, &app.slot(&service).await);
        body["use_voucher"] = json!(false);
        let booking = li.post("bookings", body).await.expect(201);
        assert_eq!((booking["total_fen"].as_i64(), off(&booking)), (Some(price(app).await), 0));
        assert_eq!(off(&app.books(&li).await), -3_000);
    }

    async fn of_ten_bookings_at_once_one_gets_it(app) {
        for number in 0..10 {
            app.crew(&format!("1380000100{number}")).await;
        }
        let (_, li) = newcomer(app).await;
        let service = app.service("daily-cleaning").await;
        let body = app.booking_body(&service, &app.slot(&service).await);
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let (li, body) = (li.clone(), body.clone());
                tokio::spawn(async move { li.post("bookings", body).await.expect(201) })
            })
            .collect();
        let mut taken = 0;
        for task in tasks {
            taken += off(&task.await.unwrap());
        }
        assert_eq!(taken, -3_000);
    }

    async fn a_benefit_that_has_run_out_takes_nothing_off(app) {
        app.crew("13800001000").await;
        let _ = newcomer(app).await;
        app.advance("P91D").await;
        let li = app.stranger().login("auth/wechat", json!({ "code": "sandbox-li" })).await;
        assert_eq!(first(&li, "welcome").await["status"], "expired");
        assert_eq!(off(&app.books(&li).await), 0);
    }

    async fn the_inviters_coupon_comes_off_and_goes_with_the_friends_refund(app) {
        let crew = app.crew("13800001000").await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let (mei, li) = newcomer(app).await;
        let order = app.books(&li).await;
        done(app, &li, &crew, &order).await;
        app.advance("P8D").await;
        assert_eq!(first(&mei, "thanks").await["status"], "granted");
        let booking = app.books(&mei).await;
        assert_eq!(off(&booking), -2_000);
        let path = format!("bookings/{}/cancel", booking["id"].as_str().unwrap());
        mei.post(&path, json!({ "reason": "改天" })).await.expect(200);
        let body = json!({ "booking_id": order["id"], "reason": "不满意" });
        manager.post("admin/refunds", body).await.expect(201);
        app.settled_refund().await;
        assert_eq!(first(&mei, "thanks").await["status"], "revoked");
        assert_eq!(off(&app.books(&mei).await), 0);
    }
}
