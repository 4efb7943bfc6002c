//! The web kit: malformed input, unknown paths, limits, headers.

use crate::support::{Backend, TestApp};
use linjian::outbox;
use serde_json::json;

on_both! {
    async fn unknown_fields_and_wrong_types_name_their_pointer(app) {
        let unknown = json!({"code": "sandbox-mei", "colour": "red"});
        let body = app.stranger().post("auth/wechat", unknown).await.problem(422, "validation");
        assert_eq!(body["errors"][0]["code"], "type");
        let wrong = app.stranger().post("auth/wechat", json!({"code": 7})).await.problem(422, "validation");
        assert_eq!(wrong["errors"][0]["pointer"], "/code");
        let empty = app.stranger().post("auth/wechat", json!({"code": ""})).await.problem(422, "validation");
        assert_eq!(empty["errors"][0]["pointer"], "/code");
        assert_eq!(empty["errors"][0]["code"], "length");
    }

    async fn no_malformed_input_is_our_fault(app) {
        let anyone = app.stranger();
        for bytes in [&b"{"[..], b"[1,2", b"\xff\xfe", b"null", b"\"x\"", b"{\"code\":\"\\ud800\"}", b"{} {}"] {
            let answer = anyone.post_raw("auth/wechat", "application/json", bytes.to_vec()).await;
            assert!((400..500).contains(&answer.status), "{} for {bytes:?}", answer.status);
        }
        anyone.post_raw("auth/wechat", "text/plain", b"{}".to_vec()).await.problem(415, "unsupported_media");
        let long = format!("{{\"code\":\"{}\"}}", "x".repeat(70_000));
        anyone.post_raw("auth/wechat", "application/json", long.into_bytes()).await.problem(413, "payload_too_large");
    }

    async fn an_unknown_path_is_a_problem_document(app) {
        app.stranger().get("nowhere").await.problem(404, "not_found");
        app.stranger().get("/also/nowhere").await.problem(404, "not_found");
        app.stranger().get("auth/wechat").await.problem(404, "not_found");
    }

    async fn signs_of_life_answer_and_carry_safe_headers(app) {
        for path in ["/healthz", "/readyz"] {
            let answer = app.stranger().get(path).await;
            assert_eq!(answer.headers["x-content-type-options"], "nosniff");
            assert_eq!(answer.headers["cache-control"], "no-store");
            answer.expect(200);
        }
        let metrics = app.stranger().get("/metrics").await;
        assert!(String::from_utf8_lossy(&metrics.bytes).contains("linjian_http_requests_total"));
        let api = app.stranger().get("/openapi.json").await.expect(200);
        assert!(api["paths"]["/api/v1/auth/wechat"].is_object());
        let docs = app.stranger().get("/docs/").await;
        assert_eq!(docs.status, 200);
        assert!(!String::from_utf8_lossy(&docs.bytes).contains("https://"), "the UI must work offline");
    }
}

on_both! {
    async fn a_nul_in_any_text_is_refused_with_its_pointer(app) {
        let answer = app.stranger().post_raw("auth/staff", "application/json", br#"{"username":"a\u0000b","password":"x"}"#.to_vec()).await;
        let body = answer.problem(422, "validation");
        assert_eq!(body["errors"][0]["pointer"], "/username");
        // An escaped backslash before it is a text about NULs, not one that holds them.
        let fine = app.stranger().post_raw("auth/staff", "application/json", br#"{"username":"a\\u0000b","password":"x"}"#.to_vec()).await;
        fine.problem(401, "unauthenticated");
        app.stranger().get("referrals/%00").await.problem(404, "not_found");
    }

    async fn who_may_call_is_answered_before_what_he_sent(app) {
        let nonsense = json!({ "nonsense": true });
        app.stranger().post("bookings", nonsense.clone()).await.problem(401, "unauthenticated");
        let mei = app.customer("mei").await;
        mei.post("admin/workers", nonsense.clone()).await.problem(403, "forbidden");
        mei.get("admin/audit?limit=x").await.problem(403, "forbidden");
        let manager = app.staff(&[entity::values::StaffRole::Manager]).await;
        manager.post("admin/workers", nonsense).await.problem(422, "validation");
    }

    async fn a_fault_of_a_query_names_its_parameter(app) {
        let mei = app.customer("mei").await;
        let wrong = mei.get("bookings?limit=x").await.problem(422, "validation");
        assert_eq!(wrong["errors"][0]["pointer"], "/query/limit");
        let wrong = mei.get("bookings?limit=0").await.problem(422, "validation");
        assert_eq!(wrong["errors"][0]["pointer"], "/query/limit");
    }
}

async fn moves_the_clock_and_restarts(backend: Backend) {
    let app = TestApp::start(backend).await;
    let manager = app.staff(&[entity::values::StaffRole::Manager]).await;
    let mei = app.customer("mei").await;
    app.crew("13800001000").await;
    let booking = app.books(&mei).await;
    let moved = manager
        .post("admin/test-clock", json!({ "advance": "P1D" }))
        .await
        .expect(200);
    let before: chrono::DateTime<chrono::Utc> = moved["now"].as_str().unwrap().parse().unwrap();
    let app = app.restart().await;
    assert!(app.ctx().env.now() >= before, "time went back");
    app.drain().await;
    // The hold ran out while nobody was there.
    let mei = app.customer("mei").await;
    let path = format!("bookings/{}", booking["id"].as_str().unwrap());
    assert_eq!(mei.get(&path).await.expect(200)["status"], "expired");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_moved_clock_and_its_timers_survive_a_restart_on_sqlite_and_memory() {
    moves_the_clock_and_restarts(Backend::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_moved_clock_and_its_timers_survive_a_restart_on_postgres_and_redis() {
    moves_the_clock_and_restarts(Backend::Production).await;
}

async fn stops_in_mid_flight(backend: Backend) {
    let app = TestApp::working(backend).await;
    let crew = app.crew("13800001000").await;
    let mei = app.customer("mei").await;
    mei.consents("referral_profiling", None).await;
    let booking = app.visit(&mei, &crew).await;
    let path = format!("bookings/{}/rating", booking["id"].as_str().unwrap());
    let stars =
        json!({ "quality": 5, "punctuality": 5, "attitude": 5, "communication": 5, "value": 5 });
    mei.post(&path, stars).await.expect(201);
    // The rating's event is on its way: the node that stops finishes it, or the next one does.
    let app = app.restart().await;
    assert!(
        outbox::settle(app.ctx(), std::time::Duration::from_secs(20))
            .await
            .unwrap()
    );
    let mei = app.customer("mei").await;
    let list = mei.get("me/invitations").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_in_mid_flight_loses_nothing_on_sqlite_and_memory() {
    stops_in_mid_flight(Backend::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_in_mid_flight_loses_nothing_on_postgres_and_redis() {
    stops_in_mid_flight(Backend::Production).await;
}

async fn counts_calls(backend: Backend) {
    let few = [("limits.per_account", "5"), ("limits.staff_login", "3")];
    let app = TestApp::with(backend, linjian::app::Half::ApiOnly, &few).await;
    let (mei, li) = (app.customer("mei").await, app.customer("li").await);
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(mei.get("me").await.status);
    }
    assert!(
        statuses.contains(&200) && statuses.contains(&429),
        "{statuses:?}"
    );
    let refused = mei.get("me").await;
    let wait: u64 = refused.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    refused.problem(429, "rate_limited");
    assert_eq!(
        li.get("me").await.status,
        200,
        "another account has its own budget"
    );
    let guess = json!({ "username": "boss", "password": "guess" });
    let mut guesses = Vec::new();
    for _ in 0..5 {
        guesses.push(
            app.stranger()
                .post("auth/staff", guess.clone())
                .await
                .status,
        );
    }
    assert_eq!(guesses, [401, 401, 401, 429, 429]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_calls_of_one_account_are_told_when_to_come_back_on_sqlite_and_memory() {
    counts_calls(Backend::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_calls_of_one_account_are_told_when_to_come_back_on_postgres_and_redis() {
    counts_calls(Backend::Production).await;
}

on_both! {
    async fn a_kept_answer_is_sealed_and_forgotten_with_its_key_after_three_days(app) {
        use entity::idempotency::Entity;
        use sea_orm::EntityTrait;
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let service = app.service("daily-cleaning").await;
        let body = app.booking_body(&service, &app.slot(&service).await);
        let first = mei.post_with_key("bookings", "one", body.clone()).await.expect(201);
        let again = mei.post_with_key("bookings", "one", body).await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.expect(201), first);
        let rows = Entity::find().all(app.ctx().db.read()).await.unwrap();
        let kept: Vec<String> = rows.iter().filter_map(|row| row.response.as_ref().map(ToString::to_string)).collect();
        assert!(!kept.is_empty() && kept.iter().all(|answer| !answer.contains("张师傅") && !answer.contains("total_fen")));

        assert_eq!(linjian::http::forget_answers(app.ctx()).await.unwrap(), 0);
        app.advance("P3DT1S").await;
        assert!(linjian::http::forget_answers(app.ctx()).await.unwrap() >= 1);
        let body = app.booking_body(&service, &app.slot(&service).await);
        let fresh = mei.post_with_key("bookings", "one", body).await.expect(201);
        assert_ne!(fresh["id"], first["id"], "the key is free again");
    }
}
