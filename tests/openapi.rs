//! docs/openapi.json and docs/errors.md are what the code says.

use std::path::PathBuf;

fn document(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_committed_openapi_document_is_the_served_one() {
    let served: serde_json::Value =
        serde_json::from_str(&linjian::app::openapi().to_pretty_json().unwrap()).unwrap();
    let committed: serde_json::Value = serde_json::from_str(&document("openapi.json")).unwrap();
    assert!(
        served == committed,
        "docs/openapi.json is stale: run `cargo run -- openapi > docs/openapi.json`"
    );
}

#[test]
fn the_committed_error_table_is_generated_from_the_codes() {
    assert!(
        linjian::cli::error_table() == document("errors.md"),
        "docs/errors.md is stale: run `cargo run -- errors > docs/errors.md`"
    );
}

#[test]
fn the_committed_table_of_lints_is_generated_from_the_policy_pack() {
    assert!(
        linjian::cli::lint_table() == document("lint.md"),
        "docs/lint.md is stale: run `cargo run -- ruleset lints > docs/lint.md`"
    );
}

#[test]
fn what_stands_in_the_query_is_not_told_as_part_of_the_path() {
    let api = serde_json::to_value(linjian::app::openapi()).unwrap();
    let mut wrong = Vec::new();
    for (path, calls) in api["paths"].as_object().unwrap() {
        for call in calls.as_object().unwrap().values() {
            let parameters = call["parameters"].as_array().into_iter().flatten();
            for one in parameters.filter(|one| one["in"] == "path") {
                let name = one["name"].as_str().unwrap();
                if !path.contains(&format!("{{{name}}}")) {
                    wrong.push(format!("{path} {name}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_call_of_the_contract_is_in_the_document() {
    let api = linjian::app::openapi();
    let missing: Vec<&str> = CONTRACT
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .filter(|line| {
            let (method, path) = line.split_once(' ').unwrap();
            let item = serde_json::to_value(&api.paths.paths).unwrap();
            let known = item.as_object().unwrap().iter().any(|(known, methods)| {
                shape(known) == shape(&format!("/api/v1{path}"))
                    && methods.get(method.to_lowercase()).is_some()
            });
            !known
        })
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The path with its parameter names forgotten.
fn shape(path: &str) -> String {
    path.split('/')
        .map(|part| if part.starts_with('{') { "{}" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

const CONTRACT: &str = "
    POST /auth/wechat
    POST /auth/phone
    POST /auth/staff
    POST /auth/refresh
    POST /auth/logout
    GET /me
    GET /consent/notices
    POST /me/consents
    DELETE /me/consents/{purpose}
    GET /me/consents
    GET /me/consents/{id}/receipt
    GET /services
    GET /services/{id}
    POST /services/{id}/quote
    GET /services/{id}/slots
    POST /bookings
    GET /bookings
    GET /bookings/{id}
    POST /bookings/{id}/prepayments
    POST /bookings/{id}/cancel
    POST /bookings/{id}/acceptance
    POST /bookings/{id}/rating
    POST /bookings/{id}/complaints
    POST /webhooks/wechat-pay
    POST /events
    GET /admin/event-kinds
    GET /admin/event-sources
    POST /admin/event-sources
    POST /admin/event-sources/{id}/rotate
    POST /admin/event-sources/{id}/revoke
    GET /webhooks/wechat-push
    POST /webhooks/wechat-push
    POST /me/subscriptions
    GET /admin/wechat/events
    POST /admin/wechat/events/{id}/acknowledge
    GET /worker/jobs
    POST /worker/jobs/{booking_id}/check-in
    POST /worker/jobs/{booking_id}/photos
    POST /worker/jobs/{booking_id}/checklist/{key}
    POST /worker/jobs/{booking_id}/complete
    GET /photos/{id}
    GET /photos/{id}/thumbnail
    GET /photos/{id}/check
    GET /admin/content-reviews
    POST /admin/content-reviews/{id}/decision
    GET /me/invitations
    POST /me/invitations
    POST /me/invitations/{id}/shares
    GET /referrals/{code}
    GET /referrals/{code}/poster
    GET /referrals/{code}/poster.png
    GET /referrals/{code}/poster.pdf
    POST /referrals
    GET /me/referral
    GET /me/rewards
    GET /me/referral/why
    GET /admin/facts
    GET /admin/rulesets
    POST /admin/rulesets
    GET /admin/rulesets/{id}
    PUT /admin/rulesets/{id}
    POST /admin/rulesets/{id}/check
    POST /admin/rulesets/{id}/backtest
    POST /admin/rulesets/{id}/simulate
    GET /admin/backtests/{id}
    POST /admin/backtests/{id}/cancel
    POST /admin/rulesets/{id}/publish
    POST /admin/rulesets/{id}/unschedule
    POST /admin/rulesets/rollback
    GET /admin/rulesets/tenures
    GET /admin/rulesets/{id}/export
    POST /admin/rulesets/import
    GET /admin/rulesets/{id}/diff
    POST /admin/rulesets/{id}/approve
    GET /admin/rulesets/{id}/approvals
    GET /admin/policy
    GET /admin/legal-opinions
    POST /admin/legal-opinions
    POST /admin/legal-opinions/{id}/revoke
    GET /rules
    GET /rules/{version}
    GET /admin/decisions
    GET /admin/decisions/verify
    GET /admin/customers/{id}/why
    POST /admin/invitations/{id}/recall
    GET /admin/reports/referral-funnel
    GET /admin/customers/{id}/consents
    GET /admin/consents/verify
    GET /admin/audit
    GET /admin/bookings
    GET /admin/complaints
    GET /admin/workers
    POST /admin/workers
    GET /admin/refunds
    POST /admin/refunds
    POST /admin/reconciliations
    GET /admin/reconciliations
    GET /admin/reconciliations/{date}
    POST /admin/transfers
    GET /admin/transfers
    POST /admin/transfers/{id}/approve
    POST /admin/transfers/{id}/cancel
    GET /me/transfers
    POST /admin/complaints/{id}/respond
    POST /admin/complaints/{id}/resolve
    GET /admin/referral-graph
    POST /admin/test-clock
";
