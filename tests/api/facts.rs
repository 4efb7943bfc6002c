//! The facts a rule reads, from what people did over HTTP.

use crate::{
    booking::{id_of, moment},
    photo::{agrees, picture, under_way, uploads},
    rules::{decisions, publishes, with_rules},
    support::{Person, TestApp},
    visit::ticks,
};
use chrono::{Datelike, Timelike};
use entity::{notice, values::StaffRole};
use image::ImageFormat;
use linjian::kernel::shanghai;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

/// A rule that wants to know all of these, and tells staff.
fn curious(on: &str, facts: &[&str]) -> Value {
    let leaves: Vec<_> = facts
        .iter()
        .map(|fact| json!({"fact": fact, "op": "is_known"}))
        .collect();
    with_rules(
        &json!([{"id": "tell", "title": "看一看", "on": [on], "when": {"all": leaves},
        "then": [{"effect": "notify_staff", "text": "请看一下", "role": "service"}]}]),
    )
}

/// What the newest decision about somebody found for a fact.
async fn found(marketing: &Person, customer: &Person, fact: &str) -> Value {
    let all = decisions(marketing, customer).await;
    let conditions = all.first().unwrap_or_else(|| panic!("no decision"))["conditions"]
        .as_array()
        .unwrap()
        .clone();
    let leaf = conditions.iter().find(|leaf| leaf["fact"] == fact);
    leaf.unwrap_or_else(|| panic!("{fact} in {all:#?}"))["got"].clone()
}

const OF_A_VISIT: [&str; 10] = [
    "booking.prepaid_at_booking_ratio",
    "booking.reworks",
    "booking.weekday",
    "booking.hour",
    "booking.month",
    "booking.size_sqm",
    "booking.has_pets",
    "booking.has_photos",
    "booking.same_worker_visits",
    "rating.has_comment",
];

const OF_A_CUSTOMER: [&str; 6] = [
    "customer.open_bookings",
    "customer.complaint_count",
    "customer.days_since_registration",
    "customer.days_since_last_visit",
    "customer.recent_invites",
    "customer.open_rewards",
];

on_both! {
    async fn a_visit_tells_when_it_was_how_big_the_home_is_and_who_came(app) {
        let marketing = publishes(app, &curious("rating.submitted", &OF_A_VISIT)).await;
        let crew = app.crew("13800001100").await;
        let mei = app.customer("mei").await;
        mei.consents("referral_profiling", None).await;
        app.visit(&mei, &crew).await;
        let booking = under_way(app, &mei, &crew).await;
        agrees(&mei, &booking).await;
        let file = picture(60, 40, ImageFormat::Jpeg);
        uploads(&crew, &booking, "before", None, &file).await.expect(201);
        for key in ["kitchen", "bathroom"] {
            uploads(&crew, &booking, "after", Some(key), &file).await.expect(201);
        }
        ticks(&crew, &booking).await;
        crew.device.post(&format!("worker/jobs/{}/complete", id_of(&booking)), json!({})).await.expect(200);
        mei.post(&format!("bookings/{}/acceptance", id_of(&booking)), json!({ "accepted": true })).await.expect(200);
        let stars = json!({"quality": 5, "punctuality": 5, "attitude": 5, "communication": 5, "value": 4, "comment": "很好"});
        mei.post(&format!("bookings/{}/rating", id_of(&booking)), stars).await.expect(201);
        app.drain().await;
        let begun = moment(&booking["start_at"]).with_timezone(&shanghai());
        for (fact, expected) in [
            ("booking.prepaid_at_booking_ratio", json!(0.5)),
            ("booking.reworks", json!(0)),
            ("booking.weekday", json!(begun.weekday().number_from_monday())),
            ("booking.hour", json!(begun.hour())),
            ("booking.month", json!(begun.month())),
            ("booking.size_sqm", json!(60)),
            ("booking.has_pets", json!(false)),
            ("booking.has_photos", json!(true)),
            ("booking.same_worker_visits", json!(2)),
            ("rating.has_comment", json!(true)),
        ] {
            assert_eq!(found(&marketing, &mei, fact).await, expected, "{fact}");
        }
        assert_eq!(decisions(&marketing, &mei).await[0]["outcome"], "fired");
    }

    async fn a_customers_dealings_are_facts_of_his_once_he_has_agreed(app) {
        let marketing = publishes(app, &curious("complaint.opened", &OF_A_CUSTOMER)).await;
        let crew = app.crew("13800001200").await;
        let mei = app.customer("mei").await;
        let booking = app.visit(&mei, &crew).await;
        app.advance("P2D").await;
        app.books(&mei).await;
        let complaint = json!({ "kind": "quality", "text": "漏了一处" });
        let path = format!("bookings/{}/complaints", id_of(&booking));
        mei.post(&path, complaint.clone()).await.expect(201);
        app.drain().await;
        assert_eq!(decisions(&marketing, &mei).await[0]["blocked_by"], "consent");
        mei.consents("referral_profiling", None).await;
        mei.post(&path, complaint).await.expect(201);
        app.drain().await;
        let now = app.ctx().env.now();
        let since = (now - moment(&booking["completed_at"])).num_days();
        for (fact, expected) in [
            ("customer.open_bookings", json!(1)),
            ("customer.complaint_count", json!(2)),
            ("customer.days_since_last_visit", json!(since)),
            ("customer.recent_invites", json!(0)),
            ("customer.open_rewards", json!(0)),
        ] {
            assert_eq!(found(&marketing, &mei, fact).await, expected, "{fact}");
        }
        assert!(found(&marketing, &mei, "customer.days_since_registration").await.as_i64().unwrap() >= 1);
    }

    async fn an_invitation_counts_for_thirty_days(app) {
        let mut document = curious("complaint.opened", &["customer.recent_invites"]);
        let rules = document["rules"].as_array_mut().unwrap();
        let shipped = crate::rules::shipped();
        rules.push(shipped["rules"][0].clone());
        publishes(app, &document).await;
        let (crew, mei) = invited(app).await;
        let list = mei.get("me/invitations").await.expect(200);
        app.advance_to(&list["items"][0]["scheduled_at"]).await;
        let booking = app.visit(&mei, &crew).await;
        let path = format!("bookings/{}/complaints", id_of(&booking));
        for (span, expected) in [("PT1S", 1), ("P31D", 0)] {
            app.advance(span).await;
            // Nobody stays logged in for a month.
            let mei = app.customer("mei").await;
            let marketing = app.staff(&[StaffRole::Marketing]).await;
            mei.post(&path, json!({ "kind": "quality", "text": "漏了" })).await.expect(201);
            app.drain().await;
            assert_eq!(found(&marketing, &mei, "customer.recent_invites").await, json!(expected));
        }
    }
}

/// The kind of data a fact is, as the notice calls it.
fn category(fact: &linjian::rule::FactDef) -> &'static str {
    match (fact.name, fact.owner) {
        ("booking.size_sqm" | "booking.has_pets", _) => "服务面积与宠物",
        ("booking.has_photos", _) => "服务照片是否齐全",
        ("booking.same_worker_visits", _) => "服务师傅",
        (_, "rating") => "评分",
        (_, "booking" | "workorder") => "预约记录",
        (_, "payment") => "预存记录",
        (_, "complaint") => "投诉记录",
        (_, "referral") | ("customer.recent_invites", _) => "推荐记录",
        (_, "benefit") => "权益与标签",
        (_, "identity") => "注册时间",
        _ => panic!("{}: which category of the notice is it?", fact.name),
    }
}

on_both! {
    // PIPL-08: people agree to what they were told is used.
    async fn the_notice_names_every_kind_of_data_that_rests_on_it(app) {
        let notices = app.stranger().get("consent/notices").await.expect(200);
        let mut all = notices["items"].as_array().unwrap().iter();
        let shown = all.find(|one| one["purpose"] == "referral_profiling").unwrap();
        let kept = notice::Entity::find().all(app.ctx().db.read()).await.unwrap();
        let kept = kept.iter().find(|row| row.sha256 == shown["sha256"].as_str().unwrap()).unwrap();
        let named: Vec<&str> = kept.body["data_categories"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        // What third parties told has a notice of its own (partner_events).
        let own = linjian::rule::catalogue().filter(|fact| !fact.name.starts_with("partner."));
        let resting = own.filter(|fact| fact.consent == Some("referral_profiling"));
        let mut used: Vec<&str> = resting.map(category).collect();
        used.sort_unstable();
        used.dedup();
        assert!(used.len() > 5);
        for one in used {
            assert!(named.contains(&one), "{one} is used and not named");
        }
    }
}

/// Somebody who rated well and was asked.
async fn invited(app: &TestApp) -> (crate::support::Crew, Person) {
    let crew = app.crew("13800001300").await;
    let mei = app.customer("mei").await;
    mei.consents("referral_profiling", None).await;
    let booking = app.visit(&mei, &crew).await;
    app.rates(&mei, &booking, [5, 5, 5, 5, 4]).await;
    (crew, mei)
}
