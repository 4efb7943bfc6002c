//! Acceptance: by word, by silence, or a rework, one at a time.

use crate::{
    booking::{has_line, id_of, told},
    support::{Crew, Person, TestApp},
    visit::works,
};
use entity::timer;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

/// A visit that is done and waits for acceptance.
async fn done(app: &TestApp, person: &Person, crew: &Crew) -> Value {
    let booking = app.books(person).await;
    app.pays(person, &booking, 8000).await;
    works(app, crew, &booking).await;
    booking
}

async fn rejects(person: &Person, booking: &Value) -> Value {
    let path = format!("bookings/{}/acceptance", id_of(booking));
    let body = json!({ "accepted": false, "reason": "厨房没擦干净" });
    person.post(&path, body).await.expect(200)["rework"].clone()
}

async fn status(person: &Person, booking: &Value) -> String {
    let row = person
        .get(&format!("bookings/{}", id_of(booking)))
        .await
        .expect(200);
    row["status"].as_str().unwrap().to_owned()
}

on_both! {
    async fn silence_counts_as_acceptance_after_three_days(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = done(app, &mei, &crew).await;
        app.advance("P2D").await;
        assert_eq!(status(&mei, &booking).await, "awaiting_acceptance");
        app.advance("P1DT1S").await;
        assert_eq!(status(&mei, &booking).await, "completed");
        assert_eq!(told(app, "booking.completed.v1").await, 1);
    }

    async fn a_rework_is_free_and_there_is_one_at_a_time(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = done(app, &mei, &crew).await;
        let path = format!("bookings/{}/acceptance", id_of(&booking));
        let wordless = mei.post(&path, json!({ "accepted": false })).await.problem(422, "validation");
        assert_eq!(wordless["errors"][0]["pointer"], "/reason");
        let rework = rejects(&mei, &booking).await;
        assert_eq!((&rework["status"], &rework["total_fen"]), (&json!("confirmed"), &json!(0)));
        assert_eq!(rework["rework_of"], booking["id"]);
        assert_eq!(rework["worker"]["id"], json!(crew.id));
        let again = json!({ "accepted": false, "reason": "再来一次" });
        mei.post(&path, again.clone()).await.problem(409, "invalid_state");
        works(app, &crew, &rework).await;
        // Done and waiting: still the one that is open.
        mei.post(&path, again).await.problem(409, "invalid_state");
        let accept = format!("bookings/{}/acceptance", id_of(&rework));
        mei.post(&accept, json!({ "accepted": true })).await.expect(200);
        app.drain().await;
        assert_eq!(status(&mei, &booking).await, "completed");
        assert_eq!(status(&mei, &rework).await, "completed");
        assert_eq!(told(app, "booking.completed.v1").await, 1);
    }

    async fn a_rejected_rework_is_over_and_accepting_the_next_completes_everything(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = done(app, &mei, &crew).await;
        let first = rejects(&mei, &booking).await;
        works(app, &crew, &first).await;
        let second = rejects(&mei, &first).await;
        assert_eq!(second["rework_of"], booking["id"]);
        assert_eq!(status(&mei, &first).await, "completed");
        assert_eq!(status(&mei, &booking).await, "awaiting_acceptance");
        works(app, &crew, &second).await;
        let accept = format!("bookings/{}/acceptance", id_of(&second));
        mei.post(&accept, json!({ "accepted": true })).await.expect(200);
        app.drain().await;
        for one in [&booking, &first, &second] {
            assert_eq!(status(&mei, one).await, "completed");
        }
        assert_eq!(told(app, "booking.completed.v1").await, 1);
    }

    async fn a_cancelled_rework_starts_the_acceptance_window_again(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = done(app, &mei, &crew).await;
        let rework = rejects(&mei, &booking).await;
        let cancel = format!("bookings/{}/cancel", id_of(&rework));
        mei.post(&cancel, json!({ "reason": "算了" })).await.expect(200);
        app.advance("P2D").await;
        assert_eq!(status(&mei, &booking).await, "awaiting_acceptance");
        app.advance("P1DT1S").await;
        let ended = mei.get(&format!("bookings/{}", id_of(&booking))).await.expect(200);
        assert_eq!(ended["status"], "completed");
        assert!(has_line(&ended, "返工已取消"));
    }

    async fn reworks_asked_for_at_once_all_find_a_time_of_their_own(app) {
        let crew = app.crew("13800001000").await;
        let mut visits = Vec::new();
        for name in ["mei", "li", "wang", "zhao"] {
            let person = app.customer(name).await;
            let booking = app.books(&person).await;
            app.pays(&person, &booking, 8000).await;
            visits.push((person, booking));
        }
        for (_, booking) in &visits {
            works(app, &crew, booking).await;
        }
        let tasks = visits
            .into_iter()
            .map(|(person, booking)| tokio::spawn(async move { rejects(&person, &booking).await["start_at"].clone() }));
        let mut starts = std::collections::HashSet::new();
        for task in tasks.collect::<Vec<_>>() {
            starts.insert(task.await.unwrap().as_str().unwrap().to_owned());
        }
        assert_eq!(starts.len(), 4, "{starts:?}");
    }

    async fn silence_does_not_count_while_a_rework_is_open(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = done(app, &mei, &crew).await;
        let rework = rejects(&mei, &booking).await;
        // A timer that fired just before the rework was asked for.
        let row = timer::Entity::find()
            .filter(timer::Column::Kind.eq("booking.acceptance_due.v1"))
            .one(app.ctx().db.read())
            .await
            .unwrap()
            .unwrap();
        let tx = app.ctx().db.begin_write().await.unwrap();
        let due = app.ctx().env.now();
        timer::ActiveModel { id: Set(row.id), due_at: Set(due), cancelled_at: Set(None), ..Default::default() }
            .update(&tx)
            .await
            .unwrap();
        app.ctx().commit(tx).await.unwrap();
        app.drain().await;
        assert_eq!(status(&mei, &booking).await, "awaiting_acceptance");
        // The rework is done and nobody says a word: now silence completes both.
        works(app, &crew, &rework).await;
        app.advance("P3DT1S").await;
        assert_eq!(status(&mei, &rework).await, "completed");
        assert_eq!(status(&mei, &booking).await, "completed");
    }
}
