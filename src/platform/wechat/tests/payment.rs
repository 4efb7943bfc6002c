//! Orders, notifications with every trouble, refunds, restarts.

use super::stage::Stage;
use crate::kernel::Code;
use crate::platform::wechat::{Refund, RefundOf, RefundStatus, TradeState, WechatClient, pay_code};
use serde_json::{Value, json};
use std::io::Write;

fn back(number: &str, order: &str, fen: i64) -> Refund {
    Refund {
        of: RefundOf::Order(order.into()),
        out_refund_no: number.into(),
        refund_fen: fen,
        total_fen: 19_900,
        reason: Some("上门前取消".into()),
    }
}

#[actix_web::test]
async fn an_order_is_paid_and_told_and_found_by_query() {
    let stage = Stage::open().await;
    let prepay = stage.prepaid("LJ20261124A1", 19_900).await;
    let before = stage.client.query_order("LJ20261124A1").await.unwrap();
    assert!(before.state == TradeState::Notpay && before.transaction.is_none());

    assert_eq!(stage.pay(&prepay, json!({})).await, [204]);

    assert_eq!(stage.seen(), ["paid LJ20261124A1 19900"]);
    let after = stage.client.query_order("LJ20261124A1").await.unwrap();
    let paid = after.transaction.unwrap();
    assert_eq!(after.state, TradeState::Success);
    assert_eq!(
        (
            paid.total_fen,
            paid.currency.as_str(),
            paid.openid.as_deref()
        ),
        (19_900, "CNY", Some("oMei"))
    );
    assert_eq!(
        (paid.attach.as_deref(), paid.transaction_id.len()),
        (Some("booking"), 28)
    );
    assert!(paid.success_time.is_some());
    stage.close().await;
}

#[actix_web::test]
async fn fifty_copies_arrive_at_once_and_a_second_call_tells_the_same_payment() {
    let stage = Stage::open().await;
    let prepay = stage.prepaid("LJ20261124A2", 19_900).await;
    assert_eq!(stage.pay(&prepay, json!({ "times": 50 })).await, [204; 50]);
    assert_eq!(stage.seen().len(), 50);
    let first = stage
        .client
        .query_order("LJ20261124A2")
        .await
        .unwrap()
        .transaction
        .unwrap();
    assert_eq!(stage.pay(&prepay, json!({})).await, [204]);
    let second = stage
        .client
        .query_order("LJ20261124A2")
        .await
        .unwrap()
        .transaction
        .unwrap();
    assert_eq!(first.transaction_id, second.transaction_id);
    stage.close().await;
}

#[actix_web::test]
async fn every_trouble_is_refused_while_the_payment_itself_stands() {
    let stage = Stage::open().await;
    let cases = [
        ("bad-signature", 401, "Signature(Invalid)"),
        ("probe", 401, "Signature(Invalid)"),
        ("stale", 401, "Signature(Stale)"),
        ("body", 401, "Signature(Invalid)"),
        ("ciphertext", 422, "Decrypt"),
        ("unknown-serial", 401, "Signature(UnknownSerial)"),
    ];
    for (index, (trouble, status, why)) in cases.into_iter().enumerate() {
        let number = format!("LJ20261124T{index}");
        let prepay = stage.prepaid(&number, 19_900).await;
        assert_eq!(
            stage.pay(&prepay, json!({ "trouble": trouble })).await,
            [status],
            "{trouble}"
        );
        assert_eq!(stage.seen(), [why], "{trouble}");
        assert_eq!(
            stage.client.query_order(&number).await.unwrap().state,
            TradeState::Success,
            "{trouble}"
        );
    }
    stage.close().await;
}

#[actix_web::test]
async fn a_wrong_amount_is_told_but_the_order_stays_unpaid() {
    let stage = Stage::open().await;
    let prepay = stage.prepaid("LJ20261124A3", 19_900).await;
    assert_eq!(stage.pay(&prepay, json!({ "amount_fen": 1 })).await, [204]);
    assert_eq!(stage.seen(), ["paid LJ20261124A3 1"]);
    assert_eq!(
        stage
            .client
            .query_order("LJ20261124A3")
            .await
            .unwrap()
            .state,
        TradeState::Notpay
    );
    stage.close().await;
}

#[actix_web::test]
async fn cancelling_and_failing_deliver_nothing_and_leave_the_order_open() {
    let stage = Stage::open().await;
    let prepay = stage.prepaid("LJ20261124A4", 19_900).await;
    for outcome in ["cancel", "fail"] {
        let (status, answer) = stage
            .post(
                "/sandbox/pay",
                json!({ "prepay_id": prepay, "outcome": outcome }),
            )
            .await;
        assert_eq!((status, answer), (200, json!({ "delivered": [] })));
    }
    assert_eq!(
        stage
            .client
            .query_order("LJ20261124A4")
            .await
            .unwrap()
            .state,
        TradeState::Notpay
    );
    stage.close().await;
}

#[actix_web::test]
async fn the_controls_refuse_what_they_do_not_know() {
    let stage = Stage::open().await;
    let prepay = stage.prepaid("LJ20261124A5", 19_900).await;
    let (status, _) = stage
        .post(
            "/sandbox/pay",
            json!({ "prepay_id": "wx0", "outcome": "success" }),
        )
        .await;
    assert_eq!(status, 404);
    for (wrong, pointer) in [
        (
            json!({ "prepay_id": prepay, "outcome": "success", "colour": "red" }),
            "/colour",
        ),
        (
            json!({ "prepay_id": prepay, "outcome": "maybe" }),
            "/outcome",
        ),
        (
            json!({ "prepay_id": prepay, "outcome": "success", "trouble": "rain" }),
            "/trouble",
        ),
        (
            json!({ "prepay_id": prepay, "outcome": "success", "times": 0 }),
            "/times",
        ),
        (
            json!({ "prepay_id": prepay, "outcome": "success", "times": 51 }),
            "/times",
        ),
        (
            json!({ "prepay_id": prepay, "outcome": "success", "amount_fen": 0 }),
            "/amount_fen",
        ),
        (json!({ "outcome": "success" }), ""),
    ] {
        let (status, answer) = stage.post("/sandbox/pay", wrong.clone()).await;
        assert_eq!(
            (status, answer["code"].as_str()),
            (422, Some("validation")),
            "{wrong}"
        );
        assert_eq!(answer["errors"][0]["pointer"], pointer, "{wrong}");
    }
    assert!(stage.seen().is_empty());
    stage.close().await;
}

#[actix_web::test]
async fn entering_again_needs_the_same_values() {
    let stage = Stage::open().await;
    let order = stage.order("LJ20261124B1", 19_900);
    let first = stage.client.prepay_jsapi(&order).await.unwrap();
    let second = stage.client.prepay_jsapi(&order).await.unwrap();
    assert_ne!(first, second);

    let mut other = order.clone();
    other.amount_fen = 1;
    let refused = stage.client.prepay_jsapi(&other).await.unwrap_err();
    assert_eq!(
        (refused.code, pay_code(&refused)),
        (Code::Conflict, Some("INVALID_REQUEST"))
    );

    stage.pay(&first, json!({})).await;
    let paid = stage.client.prepay_jsapi(&order).await.unwrap_err();
    assert_eq!(
        (paid.code, pay_code(&paid)),
        (Code::Conflict, Some("ORDERPAID"))
    );
    stage.close().await;
}

#[actix_web::test]
async fn a_closed_order_cannot_be_paid_and_a_paid_one_cannot_be_closed() {
    let stage = Stage::open().await;
    let prepay = stage.prepaid("LJ20261124B2", 19_900).await;
    stage.client.close_order("LJ20261124B2").await.unwrap();
    stage.client.close_order("LJ20261124B2").await.unwrap();
    assert_eq!(
        stage
            .client
            .query_order("LJ20261124B2")
            .await
            .unwrap()
            .state,
        TradeState::Closed
    );
    let (status, answer) = stage
        .post(
            "/sandbox/pay",
            json!({ "prepay_id": prepay, "outcome": "success" }),
        )
        .await;
    assert_eq!(
        (status, answer["code"].as_str()),
        (409, Some("invalid_state"))
    );
    let again = stage
        .client
        .prepay_jsapi(&stage.order("LJ20261124B2", 19_900))
        .await
        .unwrap_err();
    assert_eq!(
        (again.code, pay_code(&again)),
        (Code::InvalidState, Some("ORDER_CLOSED"))
    );

    let prepay = stage.prepaid("LJ20261124B3", 19_900).await;
    stage.pay(&prepay, json!({})).await;
    let refused = stage.client.close_order("LJ20261124B3").await.unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
    let unknown = stage
        .client
        .query_order("LJ20261124B9")
        .await
        .err()
        .unwrap();
    assert_eq!(
        (unknown.code, pay_code(&unknown)),
        (Code::NotFound, Some("ORDER_NOT_EXIST"))
    );
    stage.close().await;
}

#[actix_web::test]
async fn refunds_pay_once_per_number_and_never_more_than_was_paid() {
    let stage = Stage::open().await;
    let prepay = stage.prepaid("LJ20261124C1", 19_900).await;
    let early = stage
        .client
        .refund(&back("R1", "LJ20261124C1", 100))
        .await
        .unwrap_err();
    assert_eq!(early.code, Code::Conflict);
    stage.pay(&prepay, json!({})).await;
    stage.seen();

    let first = stage
        .client
        .refund(&back("R1", "LJ20261124C1", 9_900))
        .await
        .unwrap();
    assert_eq!(first.status, RefundStatus::Processing);
    assert_eq!(stage.next_seen().await, "refund R1 9900 Success");
    let again = stage
        .client
        .refund(&back("R1", "LJ20261124C1", 9_900))
        .await
        .unwrap();
    assert_eq!(
        (again.refund_id.as_str(), again.status),
        (first.refund_id.as_str(), RefundStatus::Success)
    );
    assert_eq!(
        stage.client.query_refund("R1").await.unwrap().status,
        RefundStatus::Success
    );

    let other = stage
        .client
        .refund(&back("R1", "LJ20261124C1", 1))
        .await
        .unwrap_err();
    assert_eq!(other.code, Code::Conflict);
    let too_much = stage
        .client
        .refund(&back("R2", "LJ20261124C1", 10_001))
        .await
        .unwrap_err();
    assert_eq!(too_much.code, Code::Conflict);
    stage
        .client
        .refund(&back("R3", "LJ20261124C1", 10_000))
        .await
        .unwrap();
    assert_eq!(stage.next_seen().await, "refund R3 10000 Success");
    assert_eq!(
        stage
            .client
            .query_order("LJ20261124C1")
            .await
            .unwrap()
            .state,
        TradeState::Refund
    );
    assert_eq!(
        stage.client.query_refund("R9").await.unwrap_err().code,
        Code::NotFound
    );
    assert!(
        stage.seen().is_empty(),
        "a number that was told is not told twice"
    );
    stage.close().await;
}

#[actix_web::test]
async fn everything_survives_a_restart_even_a_torn_last_line() {
    let stage = Stage::open().await;
    let prepay = stage.prepaid("LJ20261124D1", 19_900).await;
    stage.pay(&prepay, json!({})).await;
    stage
        .client
        .refund(&back("R1", "LJ20261124D1", 100))
        .await
        .unwrap();
    stage.sandbox.grant("oMei", "tmpl").await.unwrap();
    stage.sandbox.shutdown().await;
    let journal = stage.dir.path().join("sandbox/journal.jsonl");
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&journal)
        .unwrap();
    file.write_all(b"{\"kind\":\"clo").unwrap();

    let restarted = stage.another().await.unwrap();
    let client = stage.client_of(&restarted);
    let (old, new) = (
        stage.sandbox.settings(&stage.base),
        restarted.settings(&stage.base),
    );
    assert_eq!(
        (old.merchant_key_pem, old.apiv3_key, old.platform_keys),
        (new.merchant_key_pem, new.apiv3_key, new.platform_keys)
    );
    assert_eq!(
        client.query_order("LJ20261124D1").await.unwrap().state,
        TradeState::Refund
    );
    assert_eq!(
        client.query_refund("R1").await.unwrap().status,
        RefundStatus::Success
    );
    client
        .prepay_jsapi(&stage.order("LJ20261124D2", 5))
        .await
        .unwrap();
    let text = std::fs::read_to_string(&journal).unwrap();
    assert!(
        text.lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "{text}"
    );
    restarted.shutdown().await;
    stage.close().await;
}

#[actix_web::test]
async fn two_processes_on_one_directory_agree() {
    let stage = Stage::open().await;
    let other = stage.another().await.unwrap();
    let client = stage.client_of(&other);
    let prepay = client
        .prepay_jsapi(&stage.order("LJ20261124E1", 19_900))
        .await
        .unwrap();
    assert_eq!(stage.pay(&prepay, json!({})).await, [204]);
    assert_eq!(
        client.query_order("LJ20261124E1").await.unwrap().state,
        TradeState::Success
    );
    other.shutdown().await;
    stage.close().await;
}

#[actix_web::test]
async fn keys_and_journal_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::open().await;
    for name in ["keys.json", "journal.jsonl"] {
        let mode = std::fs::metadata(stage.dir.path().join("sandbox").join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    stage.close().await;
}

#[actix_web::test]
async fn a_stranger_cannot_order_and_a_client_trusts_no_stranger() {
    let stage = Stage::open().await;
    let elsewhere = Stage::open().await;
    let good = stage.sandbox.settings(&stage.base);

    let mut forged = good.clone();
    forged.merchant_key_pem = elsewhere.sandbox.settings(&stage.base).merchant_key_pem;
    let forger = WechatClient::new(forged, stage_env(&stage)).unwrap();
    let refused = forger
        .prepay_jsapi(&stage.order("LJ20261124F1", 1))
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code, pay_code(&refused)),
        (Code::Internal, Some("SIGN_ERROR"))
    );

    let mut deceived = good;
    let other_key = elsewhere
        .sandbox
        .settings(&stage.base)
        .platform_keys
        .remove(0)
        .1;
    deceived.platform_keys[0].1 = other_key;
    let deceived = WechatClient::new(deceived, stage_env(&stage)).unwrap();
    let unknown = deceived
        .prepay_jsapi(&stage.order("LJ20261124F2", 1))
        .await
        .unwrap_err();
    assert_eq!(
        (unknown.code, unknown.retry_after.is_some()),
        (Code::Unavailable, true)
    );
    // The request had arrived all the same: entering again with the same number must be, and is, possible.
    stage
        .client
        .prepay_jsapi(&stage.order("LJ20261124F2", 1))
        .await
        .unwrap();
    elsewhere.close().await;
    stage.close().await;
}

fn stage_env(stage: &Stage) -> crate::kernel::Env {
    crate::kernel::Env {
        clock: std::sync::Arc::new(stage.clock.clone()),
        ids: std::sync::Arc::new(crate::kernel::V7),
    }
}

#[actix_web::test]
async fn the_cashier_checks_the_merchants_signature() {
    let stage = Stage::open().await;
    let id = stage
        .client
        .prepay_jsapi(&stage.order("LJ20261124G1", 19_900))
        .await
        .unwrap();
    let params = stage.client.pay_params(&id).unwrap();
    let (status, policy, page) = stage
        .get(&format!("/sandbox/cashier?prepay_id={id}"), "text/html")
        .await;
    assert_eq!(status, 200);
    assert!(
        page.contains("¥199.00") && page.contains("待支付") && !page.contains("{{"),
        "{page}"
    );
    assert!(policy.contains("default-src 'none'"), "{policy}");
    for (sign, want) in [
        (params.pay_sign.clone(), 200),
        (params.pay_sign.replace(&params.pay_sign[..4], "AAAA"), 401),
    ] {
        let mut url = reqwest::Url::parse("http://x/sandbox/cashier").unwrap();
        url.query_pairs_mut().extend_pairs([
            ("prepay_id", id.as_str()),
            ("timeStamp", &params.time_stamp),
            ("nonceStr", &params.nonce_str),
            ("paySign", &sign),
        ]);
        let path = format!("{}?{}", url.path(), url.query().unwrap());
        assert_eq!(stage.get(&path, "text/html").await.0, want);
    }
    assert_eq!(
        stage
            .get("/sandbox/cashier?prepay_id=wx0", "text/html")
            .await
            .0,
        404
    );
    stage.close().await;
}
