//! Bills, sensitive fields, transfers and fulfilment: vectors of independent SDKs, and the client against the sandbox.

use super::{
    stage::Stage,
    vectors::{cases, client, folder, headers_of, json, text},
};
use crate::kernel::{Code, business_date};
use crate::platform::wechat::{
    BillKind, Notification, Refund, RefundOf, Shipped, ShippingOutcome, Transfer, TransferScene,
    TransferState,
    bill::{download_url, read, unpack},
    bill_csv::{self, BillFault, yuan_to_fen},
    number::{is_out_bill_no, is_out_trade_no},
    order::beijing,
    sensitive,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::Duration;
use flate2::{Compression, write::GzEncoder};
use reqwest::Url;
use serde_json::{Value, json};
use std::{fs, io::Write};

fn bytes(value: &Value, key: &str) -> Vec<u8> {
    STANDARD.decode(text(value, key)).unwrap()
}

fn packed(csv: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(csv).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn wechat_vectors_bill_is_unpacked_proved_and_read() {
    let case = json("pay_bill.json");
    let (csv, hash) = (
        bytes(&case, "csv_base64"),
        text(&case["apply_response"], "hash_value"),
    );
    assert_eq!(unpack(&bytes(&case, "gzip_base64"), 1 << 20).unwrap(), csv);
    let bill = read(&bytes(&case, "gzip_base64"), hash).unwrap();
    let expect = &case["expect"];
    assert_eq!(json!(bill.rows.len()), expect["rows"]);
    assert_eq!(
        (json!(bill.paid_fen()), json!(bill.refunded_fen())),
        (expect["paid_fen"].clone(), expect["refunded_fen"].clone())
    );
    for (row, want) in bill
        .rows
        .iter()
        .zip(case["parsed"]["rows"].as_array().unwrap())
    {
        assert_eq!(row.transaction_id, text(want, "微信订单号"));
        assert_eq!(row.out_trade_no, text(want, "商户订单号"));
        assert_eq!(
            row.at.format("%Y-%m-%d %H:%M:%S").to_string(),
            text(want, "交易时间")
        );
        let kind = match text(want, "交易状态") {
            "SUCCESS" => BillKind::Payment,
            "REFUND" => BillKind::Refund,
            _ => BillKind::Revoked,
        };
        assert_eq!(row.kind, kind);
        let yuan = |key: &str| yuan_to_fen(text(want, key)).unwrap();
        assert_eq!(
            (row.total_fen, row.refund_fen),
            (yuan("订单金额"), yuan("申请退款金额"))
        );
        assert_eq!(
            row.out_refund_no.as_deref().unwrap_or("0"),
            text(want, "商户退款单号")
        );
        assert_eq!(
            row.refund_id.as_deref().unwrap_or("0"),
            text(want, "微信退款单号")
        );
        // The fee of a refund comes back: its sign and every place count.
        let fee = text(want, "手续费");
        assert_eq!(row.fee_millifen < 0, fee.starts_with('-'), "{fee}");
        let digits: i64 = fee.replace(['-', '.'], "").parse().unwrap();
        assert_eq!(row.fee_millifen.abs(), digits, "{fee}");
    }
    let base = Url::parse(text(&case["apply_response"], "download_url")).unwrap();
    let base = Url::parse(&format!("https://{}", base.host_str().unwrap())).unwrap();
    let url = download_url(&base, text(&case["apply_response"], "download_url")).unwrap();
    assert_eq!(
        url.as_str(),
        text(&case["apply_response"], "download_url"),
        "the token is sent as it came"
    );
}

#[test]
fn wechat_vectors_bill_that_differs_from_its_hash_or_its_sums_is_thrown_away() {
    let case = json("pay_bill.json");
    let (csv, hash) = (
        bytes(&case, "csv_base64"),
        text(&case["apply_response"], "hash_value"),
    );
    for at in (0..csv.len()).step_by(13) {
        let mut spoilt = csv.clone();
        spoilt[at] ^= 1;
        assert!(read(&packed(&spoilt), hash).is_err(), "byte {at}");
    }
    assert!(read(&packed(&csv), "").is_err());
    assert!(read(&packed(&csv), &hash[..38]).is_err());
    assert!(
        read(&bytes(&case, "gzip_base64")[..40], hash).is_err(),
        "cut off"
    );
    // A bill without one of its rows is no bill, even with a hash that fits.
    let text = String::from_utf8(csv).unwrap();
    let mut lines: Vec<&str> = text.split("\r\n").collect();
    lines.remove(1);
    assert!(matches!(
        bill_csv::parse(lines.join("\r\n").as_bytes()),
        Err(BillFault::Sum(_))
    ));
}

#[test]
fn a_bill_that_blows_up_is_refused() {
    let bomb = packed(&vec![b'0'; 2 << 20]);
    assert!(bomb.len() < 4_096);
    assert!(unpack(&bomb, 1 << 20).is_err());
    assert_eq!(unpack(&bomb, 2 << 20).unwrap().len(), 2 << 20);
}

#[test]
fn a_bills_address_is_followed_to_wechat_pay_alone() {
    let live = Url::parse("https://api.mch.weixin.qq.com").unwrap();
    for fine in [
        "https://api.mch.weixin.qq.com/v3/billdownload/file?token=a",
        "https://api2.mch.weixin.qq.com/v3/billdownload/file?token=a",
    ] {
        assert!(download_url(&live, fine).is_some(), "{fine}");
    }
    for wrong in [
        "http://api.mch.weixin.qq.com/v3/x",
        "https://api.mch.weixin.qq.com.example.com/v3/x",
        "https://api.mch.weixin.qq.com:8443/v3/x",
        "https://api.mch.weixin.qq.com@example.com/v3/x",
        "https://a:b@api.mch.weixin.qq.com/v3/x",
        "https://127.0.0.1/v3/x",
        "/v3/x",
        "",
    ] {
        assert!(download_url(&live, wrong).is_none(), "{wrong}");
    }
    let own = Url::parse("http://127.0.0.1:4000").unwrap();
    assert!(download_url(&own, "http://127.0.0.1:4000/file").is_some());
    assert!(download_url(&own, "http://127.0.0.1:4001/file").is_none());
    assert!(download_url(&own, "https://api2.mch.weixin.qq.com/file").is_none());
}

#[test]
fn wechat_vectors_sensitive_fields_open_and_are_sealed_so_that_they_open() {
    let (config, vectors) = (json("config.json"), json("pay_sensitive.json"));
    let key = &config["platform_pubkey"];
    assert_eq!(key["id"], vectors["serial"]);
    let private = fs::read(folder().join(text(key, "private_key_file"))).unwrap();
    let public = fs::read_to_string(folder().join(text(key, "pub_file"))).unwrap();
    let public = pem::parse(public).unwrap().into_contents();
    for case in cases("pay_sensitive.json", "cases") {
        let (id, plain) = (text(&case, "id"), text(&case, "plain"));
        assert_eq!(
            sensitive::open(&private, text(&case, "ciphertext")).unwrap(),
            plain,
            "{id}"
        );
        let ours = sensitive::seal(&public, plain).unwrap();
        assert_eq!(sensitive::open(&private, &ours).unwrap(), plain, "{id}");
        assert_ne!(
            ours,
            sensitive::seal(&public, plain).unwrap(),
            "{id}: never the same twice"
        );
        let mut spoilt = STANDARD.decode(&ours).unwrap();
        spoilt[7] ^= 1;
        assert!(
            sensitive::open(&private, &STANDARD.encode(spoilt)).is_err(),
            "{id}"
        );
    }
    assert!(
        sensitive::seal(&public, &"长".repeat(72)).is_err(),
        "too long for the key"
    );
}

#[test]
fn wechat_vectors_rules_of_numbers_and_amounts() {
    for case in cases("rules.json", "out_trade_no") {
        assert_eq!(
            is_out_trade_no(text(&case, "out_trade_no")),
            case["valid"],
            "{case}"
        );
    }
    for case in cases("rules.json", "out_bill_no") {
        assert_eq!(
            is_out_bill_no(text(&case, "out_bill_no")),
            case["valid"],
            "{case}"
        );
    }
    for case in cases("rules.json", "yuan_to_fen") {
        assert_eq!(
            json!(yuan_to_fen(text(&case, "yuan"))),
            case["fen"],
            "{case}"
        );
    }
}

#[test]
fn wechat_vectors_transfer_notifications_give_exactly_their_resource() {
    let mut seen = 0;
    for case in cases("pay_notify.json", "cases") {
        let want = &case["expect"]["resource"];
        if want["out_bill_no"].is_null() || case["expect"]["result"] != "accept" {
            continue;
        }
        let (id, request) = (text(&case, "id"), &case["request"]);
        let client = client(case["now"].as_i64().unwrap(), "http://127.0.0.1:1");
        let told = client.notification(&headers_of(request), text(request, "body").as_bytes());
        let Ok(Notification::Transfer(told)) = told else {
            panic!("{id}: not a transfer")
        };
        let mut ours = json!({
            "out_bill_no": told.out_bill_no,
            "transfer_bill_no": told.transfer_bill_no,
            "state": told.state,
            "mch_id": client.mchid(),
            "transfer_amount": told.amount_fen,
            "openid": told.openid,
            "create_time": told.create_time.map(beijing),
            "update_time": told.update_time.map(beijing),
        });
        if let Some(reason) = told.fail_reason {
            ours["fail_reason"] = reason.into();
        }
        assert_eq!(&ours, want, "{id}");
        seen += 1;
    }
    assert!(seen > 0);
}

fn wanted(number: &str) -> Transfer {
    Transfer {
        out_bill_no: number.into(),
        scene: TransferScene::Compensation {
            reason: "迟到赔付".into(),
        },
        openid: "oMei".into(),
        user_name: None,
        amount_fen: 500,
        remark: "迟到赔付".into(),
        perception: None,
    }
}

#[actix_web::test]
async fn a_number_wechat_would_not_take_is_never_sent() {
    let stage = Stage::open().await;
    for number in ["short", "T-2026#1", &"H".repeat(33)] {
        assert!(
            stage
                .client
                .prepay_jsapi(&stage.order(number, 100))
                .await
                .is_err()
        );
        assert!(stage.client.query_order(number).await.is_err());
        assert!(
            stage
                .client
                .transfer(&wanted(&"T".repeat(33)))
                .await
                .is_err()
        );
    }
    stage.close().await;
}

#[actix_web::test]
async fn a_day_in_the_sandbox_has_a_bill_and_a_day_without_trade_has_none() {
    let stage = Stage::open().await;
    let today = business_date(stage.clock.now_utc());
    let prepay = stage.prepaid("LJ20261124B1", 19_900).await;
    stage.pay(&prepay, json!({})).await;
    let back = Refund {
        of: RefundOf::Order("LJ20261124B1".into()),
        out_refund_no: "R1".into(),
        refund_fen: 9_900,
        total_fen: 19_900,
        reason: None,
    };
    stage.client.refund(&back).await.unwrap();
    assert!(
        stage.client.trade_bill(today).await.is_err(),
        "the day is not over"
    );
    stage.clock.advance(Duration::days(1));
    let bill = stage.client.trade_bill(today).await.unwrap().unwrap();
    assert_eq!(
        (bill.rows.len(), bill.paid_fen(), bill.refunded_fen()),
        (2, 19_900, 9_900)
    );
    let refund = bill
        .rows
        .iter()
        .find(|row| row.kind == BillKind::Refund)
        .unwrap();
    assert_eq!(refund.out_refund_no.as_deref(), Some("R1"));
    stage.clock.advance(Duration::days(1));
    let next = today.succ_opt().unwrap();
    assert!(stage.client.trade_bill(next).await.unwrap().is_none());
    stage.close().await;
}

#[actix_web::test]
async fn a_transfer_is_made_once_confirmed_and_told() {
    let stage = Stage::open().await;
    let unknown = stage.client.query_transfer("T1").await.err().unwrap();
    assert_eq!(unknown.code, Code::NotFound);
    let made = stage.client.transfer(&wanted("T1")).await.unwrap();
    assert_eq!(made.state, TransferState::WaitUserConfirm);
    let package = made.package_info.clone().unwrap();
    let again = stage.client.transfer(&wanted("T1")).await.unwrap();
    assert!(again == made, "the same number and values make nothing new");
    let other = Transfer {
        amount_fen: 600,
        ..wanted("T1")
    };
    assert_eq!(
        stage.client.transfer(&other).await.err().unwrap().code,
        Code::Conflict
    );
    let (status, _, page) = stage
        .get(
            &format!("/sandbox/transfer-confirm?package={package}"),
            "text/html",
        )
        .await;
    assert_eq!(
        (status, page.contains("5.00"), page.contains("{{")),
        (200, true, false)
    );
    let (status, answer) = stage
        .post("/sandbox/transfer-confirm", json!({ "package": package }))
        .await;
    assert_eq!((status, &answer["state"]), (200, &json!("SUCCESS")));
    assert_eq!(stage.next_seen().await, "transfer T1 Success");
    let asked = stage.client.query_transfer("T1").await.unwrap();
    assert_eq!(
        (asked.state, asked.transfer_amount),
        (TransferState::Success, Some(500))
    );
    assert!(stage.client.cancel_transfer("T1").await.is_err());
    stage.close().await;
}

#[actix_web::test]
async fn a_transfer_nobody_confirms_fails_after_a_day_and_one_can_be_cancelled_before() {
    let stage = Stage::open().await;
    stage.client.transfer(&wanted("T1")).await.unwrap();
    let cancelled = stage.client.transfer(&wanted("T2")).await.unwrap();
    let answer = stage.client.cancel_transfer("T2").await.unwrap();
    assert_eq!(answer.state, TransferState::Canceling);
    assert_eq!(stage.next_seen().await, "transfer T2 Cancelled");
    let late = json!({ "package": cancelled.package_info });
    assert_eq!(stage.post("/sandbox/transfer-confirm", late).await.0, 409);
    stage.clock.advance(Duration::hours(24));
    let asked = stage.client.query_transfer("T1").await.unwrap();
    assert_eq!(asked.state, TransferState::Fail);
    stage.sandbox.deliver_due().await;
    assert_eq!(stage.next_seen().await, "transfer T1 Fail");
    stage.close().await;
}

#[actix_web::test]
async fn what_a_scene_does_not_allow_is_refused_before_it_is_sent() {
    let stage = Stage::open().await;
    let reject = async |transfer: Transfer| {
        let error = stage.client.transfer(&transfer).await.err().unwrap();
        assert_eq!(error.code, Code::Validation, "{error:?}");
    };
    reject(Transfer {
        amount_fen: 9,
        ..wanted("T1")
    })
    .await;
    reject(Transfer {
        amount_fen: 200_000,
        ..wanted("T1")
    })
    .await;
    reject(Transfer {
        remark: "长".repeat(33),
        ..wanted("T1")
    })
    .await;
    reject(Transfer {
        perception: Some("红包".into()),
        ..wanted("T1")
    })
    .await;
    let scene = TransferScene::Commission {
        position: String::new(),
        pay: "日薪".into(),
    };
    reject(Transfer {
        scene,
        ..wanted("T1")
    })
    .await;
    // A real name leaves sealed, and the far end opens it.
    let named = Transfer {
        amount_fen: 200_000,
        user_name: Some("张三".into()),
        ..wanted("T2")
    };
    assert!(stage.client.transfer(&named).await.is_ok());
    assert!(
        stage.client.transfer(&named).await.is_ok(),
        "sealed anew, but the same name"
    );
    for (scene, number) in [
        (
            TransferScene::Marketing {
                activity: "周年".into(),
                reward: "到店礼".into(),
            },
            "T3",
        ),
        (
            TransferScene::Commission {
                position: "保洁".into(),
                pay: "日薪".into(),
            },
            "T4",
        ),
    ] {
        assert!(
            stage
                .client
                .transfer(&Transfer {
                    scene,
                    ..wanted(number)
                })
                .await
                .is_ok()
        );
    }
    stage.close().await;
}

#[actix_web::test]
async fn fulfilment_is_reported_for_a_paid_order_of_its_payer() {
    let stage = Stage::open().await;
    assert!(!stage.client.is_trade_managed().await.unwrap());
    stage
        .post("/sandbox/trade-managed", json!({ "managed": true }))
        .await;
    assert!(stage.client.is_trade_managed().await.unwrap());
    let prepay = stage.prepaid("LJ20261124S1", 19_900).await;
    stage.pay(&prepay, json!({})).await;
    let paid = stage
        .client
        .query_order("LJ20261124S1")
        .await
        .unwrap()
        .transaction
        .unwrap();
    let item = "家政服务".repeat(40);
    let shipped = Shipped {
        transaction_id: &paid.transaction_id,
        item: &item,
        at: stage.clock.now_utc(),
        openid: "oMei",
    };
    assert_eq!(
        stage.client.upload_shipping_info(&shipped).await.unwrap(),
        ShippingOutcome::Taken
    );
    let unknown = Shipped {
        transaction_id: "0",
        ..shipped
    };
    assert!(stage.client.upload_shipping_info(&unknown).await.is_err());
    let back = Refund {
        of: RefundOf::Transaction(paid.transaction_id.clone()),
        out_refund_no: "R2".into(),
        refund_fen: 19_900,
        total_fen: 19_900,
        reason: None,
    };
    stage.client.refund(&back).await.unwrap();
    let gone = Shipped {
        transaction_id: &paid.transaction_id,
        item: "家政",
        ..shipped
    };
    assert_eq!(
        stage.client.upload_shipping_info(&gone).await.unwrap(),
        ShippingOutcome::NotShippable
    );
    stage.close().await;
}
