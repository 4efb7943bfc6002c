//! PIPL-06: whoever refuses everything gets the same price, the same slots, the same booking.

use crate::support::{Person, TestApp};
use entity::{decision, evaluation};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

async fn decides_everything(person: &Person, decision: &str) {
    let notices = person.get("consent/notices").await.expect(200);
    for notice in notices["items"].as_array().unwrap() {
        let purpose = notice["purpose"].as_str().unwrap();
        if notice["scope_required"].is_string() || notice["consent_type"] == "guardian" {
            continue;
        }
        let channels: &[&str] = if purpose == "graph_analysis" {
            &["popup", "agreement"]
        } else {
            &["popup"]
        };
        for channel in channels {
            let body = json!({
                "purpose": purpose, "decision": decision, "channel": channel,
                "notice_version": notice["version"], "notice_sha256": notice["sha256"],
            });
            let answer = person.post("me/consents", body).await;
            // A few purposes belong to a scope of their own (a booking, a recipient); they cannot be decided here.
            assert!(
                [201, 422].contains(&answer.status),
                "{purpose}: {}",
                answer.status
            );
        }
    }
}

/// Everything a customer sees on the way to a paid booking, without ids and moments.
async fn way(app: &TestApp, person: &Person) -> Vec<Value> {
    let service = app.service("deep-cleaning").await;
    let id = service["id"].as_str().unwrap();
    let quote =
        json!({ "answers": crate::support::answers(&service), "area": crate::support::AREA });
    let quote = person
        .post(&format!("services/{id}/quote"), quote)
        .await
        .expect(200);
    let start = app.slot(&service).await;
    let day = &start.as_str().unwrap()[..10];
    let path = format!(
        "services/{id}/slots?date={day}&area={}&minutes={}",
        crate::support::AREA,
        quote["minutes"]
    );
    let slots = person.get(&path).await.expect(200);
    let mut booking = person
        .post("bookings", app.booking_body(&service, &start))
        .await
        .expect(201);
    let mut seen = vec![quote, slots];
    let paid = app
        .pays(
            person,
            &booking,
            booking["total_fen"].as_i64().unwrap() / 2 + 1,
        )
        .await;
    seen.push(paid["status"].clone());
    booking = person
        .get(&format!("bookings/{}", booking["id"].as_str().unwrap()))
        .await
        .expect(200);
    for key in [
        "total_fen",
        "prepaid_fen",
        "status",
        "prepaid_ratio",
        "start_at",
        "end_at",
        "service_id",
    ] {
        seen.push(booking[key].clone());
    }
    let path = format!("bookings/{}/cancel", booking["id"].as_str().unwrap());
    seen.push(
        person
            .post(&path, json!({"reason": "改天"}))
            .await
            .expect(200)["status"]
            .clone(),
    );
    app.settled_refund().await;
    seen
}

on_both! {
    async fn refusing_every_consent_changes_no_price_slot_or_booking(app) {
        app.crew("13800001000").await;
        let (yes, no) = (app.customer("yes").await, app.customer("no").await);
        decides_everything(&yes, "granted").await;
        decides_everything(&no, "refused").await;
        assert_eq!(way(app, &yes).await, way(app, &no).await);
    }

    async fn no_decision_is_computed_from_the_profile_of_who_refused(app) {
        let crew = app.crew("13800001000").await;
        let no = app.customer("no").await;
        decides_everything(&no, "refused").await;
        let booking = app.visit(&no, &crew).await;
        app.rates(&no, &booking, [5, 5, 5, 5, 5]).await;
        let mine = decision::Entity::find()
            .filter(decision::Column::CustomerId.eq(entity::ids::AccountId(no.id.parse().unwrap())))
            .all(app.ctx().db.read())
            .await
            .unwrap();
        for decision in mine {
            assert_eq!(decision.conditions, json!([]), "{} looked at who refused", decision.rule_id);
        }
        let judged = evaluation::Entity::find().all(app.ctx().db.read()).await.unwrap();
        assert!(!judged.is_empty());
        for one in judged.iter().filter(|one| one.customer_id.to_string() == no.id && !one.profiling) {
            assert_eq!(one.facts.as_deref(), Some("[]"), "facts of a person who refused were read at {}", one.event_kind);
        }
    }
}
