//! The whole surface at once, taken from the `OpenAPI` document: who may call what, and what nonsense does.

use crate::support::{Person, TestApp};
use entity::values::StaffRole;
use serde_json::Value;

/// Calls that need no login, by choice.
const PUBLIC: &[&str] = &[
    "POST /api/v1/auth/wechat",
    "POST /api/v1/auth/staff",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/logout",
    "GET /api/v1/consent/notices",
    "GET /api/v1/services",
    "GET /api/v1/services/{id}",
    "POST /api/v1/services/{id}/quote",
    "GET /api/v1/services/{id}/slots",
    "GET /api/v1/referrals/{code}",
    "GET /api/v1/referrals/{code}/qr.png",
    "GET /api/v1/referrals/{code}/poster",
    "GET /api/v1/photos/{id}/check",
    "GET /api/v1/referrals/{code}/poster.png",
    "GET /api/v1/referrals/{code}/poster.pdf",
    "GET /r/{handle}",
    "GET /api/v1/rules",
    "GET /api/v1/rules/{version}",
    "GET /rules",
    "GET /rules/{version}",
    "POST /api/v1/webhooks/wechat-pay",
    "GET /api/v1/webhooks/wechat-push",
    "POST /api/v1/webhooks/wechat-push",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
];

/// Every call of the document: method and path pattern.
fn calls() -> Vec<(String, String)> {
    let api = serde_json::to_value(linjian::app::openapi()).unwrap();
    let mut calls = Vec::new();
    for (path, methods) in api["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            if ["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                calls.push((method.to_uppercase(), path.clone()));
            }
        }
    }
    assert!(calls.len() > 60, "only {} calls", calls.len());
    calls
}

/// The pattern with every parameter filled in.
fn fill(pattern: &str, with: &str) -> String {
    let parts = pattern
        .split('/')
        .map(|part| if part.starts_with('{') { with } else { part });
    parts.collect::<Vec<_>>().join("/")
}

async fn call(person: &Person, method: &str, path: &str, body: &[u8]) -> u16 {
    match method {
        "GET" => person.get(path).await.status,
        "DELETE" => person.delete(path).await.status,
        "POST" => {
            person
                .post_raw(path, "application/json", body.to_vec())
                .await
                .status
        }
        "PUT" => {
            person
                .put(path, serde_json::from_slice(body).unwrap_or(Value::Null))
                .await
                .status
        }
        _ => {
            person
                .patch(path, serde_json::from_slice(body).unwrap_or(Value::Null))
                .await
                .status
        }
    }
}

async fn everybody(app: &TestApp) -> Vec<(&'static str, Person)> {
    let all = [
        StaffRole::Marketing,
        StaffRole::Service,
        StaffRole::Manager,
        StaffRole::Pipo,
    ];
    let (worker, _) = app
        .worker("张师傅", "13800001000", &["cleaning"], &["浦东"])
        .await;
    vec![
        ("stranger", app.stranger()),
        ("customer", app.customer("mei").await),
        ("worker", worker),
        ("staff", app.staff(&all).await),
    ]
}

const NOBODYS_ID: &str = "01930000-0000-7000-8000-000000000000";

on_both! {
    async fn whoever_is_not_logged_in_gets_401_except_where_it_is_public_by_choice(app) {
        let stranger = app.stranger();
        for (method, path) in calls() {
            let name = format!("{method} {path}");
            let status = call(&stranger, &method, &fill(&path, NOBODYS_ID), b"{}").await;
            if name == "GET /api/v1/webhooks/wechat-push" {
                assert_eq!(status, 403, "WeChat's own word for an address check that is not signed");
            } else if PUBLIC.contains(&name.as_str()) {
                assert_ne!(status, 403, "{name}");
            } else {
                assert_eq!(status, 401, "{name} answers a stranger {status}");
            }
        }
    }

    async fn staff_calls_refuse_customers_and_workers(app) {
        let people = everybody(app).await;
        for (method, path) in calls().into_iter().filter(|(_, path)| path.contains("/admin/")) {
            for (who, person) in people.iter().filter(|(who, _)| ["customer", "worker"].contains(who)) {
                let status = call(person, &method, &fill(&path, NOBODYS_ID), b"{}").await;
                assert_eq!(status, 403, "{method} {path} answers a {who} {status}");
            }
        }
    }

    async fn no_nonsense_is_ever_our_fault(app) {
        let people = everybody(app).await;
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        let bodies: Vec<&[u8]> = vec![
            b"", b"{", b"null", b"[]", b"\"\"", b"{\"x\":1}", b"\xff\xfe\x00", deep.as_bytes(),
            b"{\"amount_fen\":1e400,\"code\":{},\"accepted\":\"yes\",\"quality\":99999999999999999999}",
            b"{\"amount_fen\":-1,\"reason\":\"\\u0000\",\"booking_id\":\"x\",\"document\":{\"rules\":[{}]}}",
        ];
        for (method, path) in calls() {
            for (who, person) in &people {
                for with in [NOBODYS_ID, "x", "%00", "..%2f..", "%F0%9F%92%A9"] {
                    let body = if with == NOBODYS_ID { &bodies[..] } else { &bodies[5..6] };
                    for body in body {
                        let status = call(person, &method, &fill(&path, with), body).await;
                        assert!(status < 500, "{method} {path} ({with}) answers a {who} {status} to {body:?}");
                    }
                }
            }
        }
    }

    async fn no_nonsense_in_a_query_is_ever_our_fault(app) {
        let people = everybody(app).await;
        let queries = ["?limit=0", "?limit=-1", "?limit=x", "?cursor=x", "?date=2026-13-45", "?from=x&to=y", "?by=nothing",
            "?area=%00&minutes=-5&date=0000-00-00", "?root=x&depth=99", "?colour=red", "?customer_id=1", "?date=9999-12-31&minutes=60&area=x"];
        for (method, path) in calls().into_iter().filter(|(method, _)| method == "GET") {
            for (who, person) in &people {
                for query in queries {
                    let status = call(person, &method, &format!("{}{query}", fill(&path, NOBODYS_ID)), b"").await;
                    assert!(status < 500, "{method} {path}{query} answers a {who} {status}");
                }
            }
        }
    }
}
