//! Logging in, staying in, getting out.

use crate::support::{Backend, Person, TestApp};
use entity::{ids::AccountId, values::StaffRole};
use linjian::{
    app::Half,
    audit::{self, Entry},
};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

async fn sql(app: &TestApp, statement: &str) {
    let tx = app.ctx().db.begin_write().await.unwrap();
    tx.execute_unprepared(statement).await.unwrap();
    tx.commit().await.unwrap();
}

/// What the officer finds with this query.
async fn audited(officer: &Person, query: &str) -> Vec<Value> {
    let list = officer
        .get(&format!("admin/audit?limit=100{query}"))
        .await
        .expect(200);
    list["items"].as_array().unwrap().clone()
}

fn call(staff: &Person) -> Entry {
    Entry {
        actor: Some(AccountId(staff.id.parse().unwrap())),
        actor_kind: "staff",
        action: "GET /api/v1/admin/somewhere".into(),
        object: "somewhere".into(),
        subject: None,
        detail: json!({}),
        request_id: "-".into(),
    }
}

async fn only_so_many_names_from_one_place(backend: Backend) {
    let app = TestApp::with(backend, Half::ApiOnly, &[("limits.login", "4")]).await;
    let mut statuses = Vec::new();
    for number in 0..6 {
        let body =
            json!({"username": format!("guess{number}"), "password": "one password for all"});
        statuses.push(app.stranger().post("auth/staff", body).await.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 429, 429]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_cannot_try_a_password_on_every_name_on_sqlite_and_memory() {
    only_so_many_names_from_one_place(Backend::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_cannot_try_a_password_on_every_name_on_postgres_and_redis() {
    only_so_many_names_from_one_place(Backend::Production).await;
}

on_both! {
    async fn a_person_is_the_same_account_at_every_login(app) {
        let first = app.customer("mei").await;
        let again = app.stranger().post("auth/wechat", json!({"code": "sandbox-mei"})).await.expect(200);
        assert_eq!(again["account"]["id"], first.id.as_str());
        assert_eq!(again["account"]["kind"], "customer");
        assert_eq!(again["is_new"], false);
        assert!(again["expires_in"].as_i64().unwrap() <= 900);
        assert_ne!(app.customer("li").await.id, first.id);
    }

    async fn a_spent_wechat_code_is_refused(app) {
        app.stranger().post("auth/wechat", json!({"code": "used-mei"})).await.problem(401, "wechat_code_invalid");
    }

    async fn a_refresh_token_works_once_and_its_reuse_ends_the_session(app) {
        let mei = app.customer("mei").await;
        let body = json!({"refresh_token": mei.refresh_token});
        let fresh = app.stranger().post("auth/refresh", body.clone()).await.expect(200);
        app.stranger().post("auth/refresh", body).await.problem(401, "unauthenticated");
        // The thief's and the owner's tokens are both void now.
        let next = json!({"refresh_token": fresh["refresh_token"]});
        app.stranger().post("auth/refresh", next).await.problem(401, "unauthenticated");
        mei.post("auth/logout", json!({})).await.problem(401, "unauthenticated");
    }

    async fn logout_takes_effect_at_once(app) {
        let mei = app.customer("mei").await;
        mei.post("auth/logout", json!({"refresh_token": mei.refresh_token})).await.expect(204);
        mei.post("auth/logout", json!({})).await.problem(401, "unauthenticated");
    }

    async fn an_access_token_ends_after_fifteen_minutes(app) {
        let manager = app.staff(&[StaffRole::Manager]).await.forgetful();
        app.advance("PT15M").await;
        manager.post("admin/test-clock", json!({"advance": "PT1S"})).await.problem(401, "unauthenticated");
    }

    async fn a_wrong_password_and_a_wrong_name_get_the_same_answer(app) {
        let wrong = |name: &str| json!({"username": name, "password": "not the password"});
        let manager = app.staff(&[StaffRole::Manager]).await;
        assert!(!manager.token.is_empty());
        let one = app.stranger().post("auth/staff", wrong("staff0")).await.problem(401, "unauthenticated");
        let two = app.stranger().post("auth/staff", wrong("nobody")).await.problem(401, "unauthenticated");
        assert_eq!(one["detail"], two["detail"]);
    }

    async fn the_wrong_role_is_forbidden_and_no_role_is_unauthenticated(app) {
        let body = json!({"advance": "PT1S"});
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        marketing.post("admin/test-clock", body.clone()).await.problem(403, "forbidden");
        app.customer("mei").await.post("admin/test-clock", body.clone()).await.problem(403, "forbidden");
        app.stranger().post("admin/test-clock", body).await.problem(401, "unauthenticated");
    }

    async fn twenty_first_logins_at_once_are_one_person(app) {
        let tasks = (0..20).map(|_| {
            let stranger = app.stranger();
            tokio::spawn(async move { stranger.post("auth/wechat", json!({"code": "sandbox-twin"})).await.expect(200) })
        });
        let mut answers = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            answers.push(task.await.unwrap());
        }
        assert!(answers.iter().all(|answer| answer["account"]["id"] == answers[0]["account"]["id"]));
        assert_eq!(answers.iter().filter(|answer| answer["is_new"] == true).count(), 1);
        app.customer("twin").await.get("me").await.expect(200);
    }

    async fn of_parallel_refreshes_one_wins_and_the_session_ends(app) {
        let mei = app.customer("mei").await;
        let tasks = (0..8).map(|_| {
            let (stranger, body) = (app.stranger(), json!({"refresh_token": mei.refresh_token}));
            tokio::spawn(async move { stranger.post("auth/refresh", body).await })
        });
        let mut answers = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            answers.push(task.await.unwrap());
        }
        let won: Vec<_> = answers.into_iter().filter(|answer| answer.status != 401).collect();
        assert_eq!(won.len(), 1);
        let fresh = won.into_iter().next().unwrap().expect(200);
        let next = json!({"refresh_token": fresh["refresh_token"]});
        app.stranger().post("auth/refresh", next).await.problem(401, "unauthenticated");
        mei.forgetful().get("me").await.problem(401, "unauthenticated");
    }

    async fn a_disabled_account_is_out_at_its_next_request(app) {
        let (mei, li) = (app.customer("mei").await, app.customer("li").await);
        mei.get("me").await.expect(200);
        let filter = if app.backend == Backend::Embedded { format!("hex(id) = '{}'", mei.id.replace('-', "").to_uppercase()) }
            else { format!("id = '{}'", mei.id) };
        sql(app, &format!("UPDATE account SET disabled_at = created_at WHERE {filter}")).await;
        mei.forgetful().get("me").await.problem(401, "unauthenticated");
        let body = json!({"refresh_token": mei.refresh_token});
        app.stranger().post("auth/refresh", body).await.problem(401, "unauthenticated");
        li.get("me").await.expect(200);
    }

    async fn a_staff_call_is_one_entry_with_subject_ids_and_outcome(app) {
        let mei = app.customer("mei").await;
        let (officer, service) = (app.staff(&[StaffRole::Pipo]).await, app.staff(&[StaffRole::Service]).await);
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        service.get(&format!("admin/customers/{}/consents", mei.id)).await.expect(200);
        marketing.get(&format!("admin/customers/{}/consents", mei.id)).await.problem(403, "forbidden");
        marketing.get(&format!("admin/decisions?customer_id={}&event=rating.submitted.v1", mei.id)).await.expect(200);
        let about = audited(&officer, &format!("&subject_id={}", mei.id)).await;
        let seen: Vec<(&str, &str, u64)> = about
            .iter()
            .map(|one| (one["actor_id"].as_str().unwrap(), one["action"].as_str().unwrap(), one["detail"]["status"].as_u64().unwrap_or(0)))
            .collect();
        let path = format!("GET /api/v1/admin/customers/{}/consents", mei.id);
        assert_eq!(seen, [
            (officer.id.as_str(), "GET /api/v1/admin/audit", 0),
            (marketing.id.as_str(), "GET /api/v1/admin/decisions", 200),
            (marketing.id.as_str(), path.as_str(), 403),
            (service.id.as_str(), path.as_str(), 200),
        ], "the officer's own reading is recorded before it is answered");
        assert_eq!(about[1]["detail"]["query"], json!({ "customer_id": mei.id }), "ids alone");
        assert!(about.iter().all(|one| one["subject_id"] == mei.id.as_str()));
        let all = audited(&officer, "").await;
        assert_eq!(all.iter().filter(|one| one["action"] == path.as_str()).count(), 2);
        assert!(all.iter().all(|one| one["action"] != "outcome"));
        let chain = officer.get("admin/audit/verify").await.expect(200);
        assert_eq!(chain["ok"], true, "{chain}");
    }

    async fn a_subject_named_by_the_handler_is_found_and_a_cut_off_call_has_no_status(app) {
        let (mei, officer) = (app.customer("mei").await, app.staff(&[StaffRole::Pipo]).await);
        let ctx = app.ctx();
        let tx = ctx.db.begin_write().await.unwrap();
        let named = audit::begin_call(ctx, &tx, call(&officer)).await.unwrap();
        let cut = audit::begin_call(ctx, &tx, call(&officer)).await.unwrap();
        let about = Entry { subject: Some(AccountId(mei.id.parse().unwrap())), ..call(&officer) };
        audit::end_call(ctx, &tx, named, 200, about).await.unwrap();
        ctx.commit(tx).await.unwrap();
        let found = audited(&officer, &format!("&subject_id={}", mei.id)).await;
        let found: Vec<_> = found.iter().filter(|one| one["object"] == "somewhere").collect();
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0]["id"], &found[0]["detail"]["status"]), (&json!(named), &json!(200)));
        let all = audited(&officer, "").await;
        let cut = all.iter().find(|one| one["id"] == json!(cut)).unwrap();
        assert_eq!(cut["detail"].get("status"), None);
    }

    async fn a_call_that_cannot_be_recorded_is_not_run(app) {
        let manager = app.staff(&[StaffRole::Manager]).await;
        let worker = json!({"name": "张师傅", "phone": "13800001000", "skills": ["cleaning"], "areas": ["浦东"]});
        sql(app, "ALTER TABLE audit_entry RENAME TO audit_entry_away").await;
        manager.post("admin/workers", worker.clone()).await.problem(503, "unavailable");
        sql(app, "ALTER TABLE audit_entry_away RENAME TO audit_entry").await;
        assert!(manager.get("admin/workers").await.expect(200)["items"].as_array().unwrap().is_empty());
        sql(app, "ALTER TABLE session RENAME TO session_away").await;
        manager.get("admin/workers").await.problem(503, "unavailable");
        sql(app, "ALTER TABLE session_away RENAME TO session").await;
        manager.post("admin/workers", worker).await.expect(201);
        app.stranger().get("admin/workers").await.problem(401, "unauthenticated");
    }

    async fn a_cut_audit_log_is_found(app) {
        let officer = app.staff(&[StaffRole::Pipo]).await;
        officer.get("admin/audit").await.expect(200);
        assert_eq!(officer.get("admin/audit/verify").await.expect(200)["ok"], true);
        sql(app, "UPDATE audit_entry SET subject_id = NULL WHERE seq = 1").await;
        assert_eq!(officer.get("admin/audit/verify").await.expect(200)["first_bad"], 1);
    }

    async fn staff_logins_are_audited_whether_they_succeed_or_not(app) {
        let (officer, service) = (app.staff(&[StaffRole::Pipo]).await, app.staff(&[StaffRole::Service]).await);
        let wrong = json!({"username": "nobody-of-ours", "password": "not the password"});
        app.stranger().post("auth/staff", wrong).await.problem(401, "unauthenticated");
        let logins: Vec<Value> =
            audited(&officer, "").await.into_iter().filter(|one| one["object"] == "login").collect();
        let outcomes: Vec<&Value> = logins.iter().map(|one| &one["detail"]["outcome"]).collect();
        assert_eq!(outcomes, ["failure", "success", "success"]);
        assert_eq!((&logins[0]["actor_id"], &logins[1]["actor_id"]), (&Value::Null, &json!(service.id)));
        assert_eq!(logins[0]["detail"]["address_masked"], "127.0.0.0/24");
        assert!(!logins[0].to_string().contains("nobody-of-ours"), "a typed name may be a password");
    }
}
