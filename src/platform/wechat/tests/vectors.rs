//! Vectors of independent SDKs: signatures byte for byte, every notification accepted or refused as marked.

use super::stage::env_at;
use crate::platform::wechat::{
    Notification, NotifyError, RefundStatus, WechatClient, WechatSettings, fault::Fault,
    key::VerifyingKey, pay::PayCall, sandbox::limit, verify::request_message,
};
use actix_web::{
    App, HttpResponse, HttpServer,
    http::{
        StatusCode,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
    web,
};
use serde_json::Value;
use std::{fs, path::PathBuf};

pub(super) fn folder() -> PathBuf {
    std::env::var_os("WECHAT_VECTORS").map_or_else(
        || concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/wechat").into(),
        PathBuf::from,
    )
}

pub(super) fn json(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder().join(name)).unwrap()).unwrap()
}

pub(super) fn cases(name: &str, list: &str) -> Vec<Value> {
    let cases = json(name)[list].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} in {value}"))
}

/// A client with the vectors' keys.
pub(super) fn client(unix: i64, pay_base: &str) -> WechatClient {
    WechatClient::new(settings(pay_base), env_at(unix).0).unwrap()
}

/// The vectors' keys; the expired certificate is held too, so that only its date refuses it.
pub(super) fn settings(pay_base: &str) -> WechatSettings {
    let config = json("config.json");
    let pem = |path: &str| fs::read_to_string(folder().join(path)).unwrap();
    let key = fs::read(folder().join(text(&config, "merchant_key_file"))).unwrap();
    WechatSettings {
        appid: text(&config, "appid").into(),
        app_secret: text(&config, "app_secret").into(),
        api_base: "http://127.0.0.1:1".into(),
        pay_base: pay_base.into(),
        mchid: text(&config, "mchid").into(),
        merchant_serial: text(&config, "merchant_serial").into(),
        merchant_key_pem: pem::encode(&pem::Pem::new("PRIVATE KEY", key)),
        apiv3_key: text(&config, "apiv3_key").into(),
        platform_keys: vec![
            (
                text(&config["platform_pubkey"], "id").into(),
                pem(text(&config["platform_pubkey"], "pub_file")),
            ),
            (
                text(&config["platform_cert"], "serial").into(),
                pem(text(&config["platform_cert"], "cert_file")),
            ),
            (
                text(&config["platform_expired_cert"], "serial").into(),
                pem(text(&config["platform_expired_cert"], "cert_file")),
            ),
        ],
        notify_base_url: "https://api.example.com".into(),
        push_token: text(&config["message_push"], "token").into(),
        push_aes_key: text(&config["message_push"], "encoding_aes_key").into(),
        env_version: "release".into(),
    }
}

#[test]
fn requests_are_signed_byte_for_byte() {
    let client = client(0, "http://127.0.0.1:1");
    let public = fs::read_to_string(folder().join("keys/merchant_pubkey.pem")).unwrap();
    let public = VerifyingKey::from_pem("", &public).unwrap();
    for case in cases("pay_request_auth.json", "cases") {
        let (method, uri, body) = (
            text(&case, "method"),
            text(&case, "uri"),
            text(&case, "body"),
        );
        let (timestamp, nonce) = (case["timestamp"].to_string(), text(&case, "nonce"));
        let message = request_message(method, uri, &timestamp, nonce, body.as_bytes());
        if case["expect"] != "valid" {
            assert!(
                !public.verifies(&message, text(&case, "signature")),
                "{}",
                case["id"]
            );
            continue;
        }
        assert_eq!(message, text(&case, "message").as_bytes(), "{}", case["id"]);
        let ours = client
            .authorization_at(&timestamp, nonce, (method, uri, body.as_bytes()))
            .unwrap();
        let pairs = |header: &str| {
            let mut pairs: Vec<String> = header
                .strip_prefix("WECHATPAY2-SHA256-RSA2048 ")
                .unwrap()
                .split(',')
                .map(str::to_owned)
                .collect();
            pairs.sort();
            pairs
        };
        assert_eq!(
            pairs(&ours),
            pairs(text(&case, "authorization")),
            "{}",
            case["id"]
        );
    }
}

#[test]
fn the_clients_parameters_are_signed_byte_for_byte() {
    let client = client(0, "http://127.0.0.1:1");
    for case in cases("pay_client_params.json", "cases") {
        let params = &case["params"];
        let package = text(params, "package");
        let id = package.strip_prefix("prepay_id=").unwrap_or(package);
        let ours = client
            .pay_params_at(id, text(params, "timeStamp"), text(params, "nonceStr"))
            .unwrap();
        if case["expect"] == "valid" {
            let mut ours = serde_json::to_value(ours).unwrap();
            ours["appId"] = client.appid().into();
            assert_eq!(&ours, params, "{}", case["id"]);
        } else {
            assert_ne!(ours.pay_sign, text(params, "paySign"), "{}", case["id"]);
        }
    }
}

fn headers_of(request: &Value) -> HeaderMap {
    let pairs = request["headers"].as_object().unwrap().iter();
    pairs
        .map(|(name, value)| {
            (
                HeaderName::try_from(name.as_str()).unwrap(),
                HeaderValue::from_str(value.as_str().unwrap()).unwrap(),
            )
        })
        .collect()
}

#[test]
fn notifications_are_accepted_or_refused_as_marked() {
    for case in cases("pay_notify.json", "cases") {
        let id = text(&case, "id");
        let client = client(case["now"].as_i64().unwrap(), "http://127.0.0.1:1");
        let body = text(&case["request"], "body").as_bytes();
        let outcome = client.notification(&headers_of(&case["request"]), body);
        match case["expect"]["stage"].as_str() {
            None => accepted(
                id,
                outcome.unwrap_or_else(|error| panic!("{id}: {error}")),
                &case["expect"]["resource"],
            ),
            Some("signature") => assert!(matches!(outcome, Err(NotifyError::Signature(_))), "{id}"),
            Some("decrypt") => {
                assert!(
                    matches!(
                        outcome,
                        Err(NotifyError::Malformed(_) | NotifyError::Decrypt)
                    ),
                    "{id}"
                );
            }
            Some("business") => business(id, outcome),
            Some(other) => panic!("{id}: unknown stage {other}"),
        }
    }
}

fn accepted(id: &str, notification: Notification, want: &Value) {
    match notification {
        Notification::Paid(paid) => {
            assert_eq!(paid.out_trade_no, want["out_trade_no"], "{id}");
            assert_eq!(paid.transaction_id, want["transaction_id"], "{id}");
            assert_eq!(paid.total_fen, want["amount"]["total"], "{id}");
            assert_eq!(paid.currency, want["amount"]["currency"], "{id}");
            assert_eq!(
                paid.openid.as_deref(),
                want["payer"]["openid"].as_str(),
                "{id}"
            );
            let at = chrono::DateTime::parse_from_rfc3339(text(want, "success_time")).unwrap();
            assert_eq!(paid.success_time.unwrap(), at, "{id}");
        }
        Notification::Refund(back) => {
            assert_eq!(back.out_refund_no, want["out_refund_no"], "{id}");
            assert_eq!(back.refund_id, want["refund_id"], "{id}");
            assert_eq!(back.refund_fen, want["amount"]["refund"], "{id}");
            assert_eq!(
                format!("{:?}", back.status).to_uppercase(),
                text(want, "refund_status"),
                "{id}"
            );
            assert!(
                back.success_time.is_some() || back.status != RefundStatus::Success,
                "{id}"
            );
        }
        Notification::Other(event) => assert_eq!(event, "MCHTRANSFER.BILL.FINISHED", "{id}"),
    }
}

/// What only the payment room can judge is passed on unchanged; what is not ours is refused here.
fn business(id: &str, outcome: Result<Notification, NotifyError>) {
    match outcome {
        Err(error) => {
            assert_eq!(error, NotifyError::Foreign, "{id}");
            assert!(id.contains("mchid") || id.contains("appid"), "{id}");
        }
        Ok(Notification::Paid(paid)) => {
            use crate::platform::wechat::TradeState;
            let order = &json("pay_notify.json")["order"];
            let fits = paid.total_fen == order["total"]
                && paid.currency == order["currency"].as_str().unwrap()
                && paid.out_trade_no == order["trade"].as_str().unwrap()
                && paid.openid.as_deref() == order["openid"].as_str()
                && paid.trade_state == TradeState::Success;
            assert!(
                !fits,
                "{id}: the payment room could not see that this is wrong"
            );
        }
        Ok(_) => panic!("{id}: not a payment"),
    }
}

#[test]
fn every_flipped_bit_of_signature_and_body_is_refused() {
    let case = cases("pay_notify.json", "cases")
        .into_iter()
        .find(|case| case["expect"]["result"] == "accept")
        .unwrap();
    let client = client(case["now"].as_i64().unwrap(), "http://127.0.0.1:1");
    let headers = headers_of(&case["request"]);
    let body = text(&case["request"], "body").as_bytes();
    assert!(client.notification(&headers, body).is_ok());
    for at in (0..body.len()).step_by(37) {
        let mut body = body.to_vec();
        body[at] ^= 1 << (at % 8);
        assert!(
            matches!(
                client.notification(&headers, &body),
                Err(NotifyError::Signature(_))
            ),
            "byte {at}"
        );
    }
    let name = HeaderName::from_static("wechatpay-signature");
    let signature = headers.get(&name).unwrap().as_bytes().to_vec();
    for at in (0..signature.len()).step_by(11) {
        let mut spoilt = signature.clone();
        spoilt[at] = if spoilt[at] == b'A' { b'B' } else { b'A' };
        let mut headers = headers.clone();
        headers.insert(name.clone(), HeaderValue::from_bytes(&spoilt).unwrap());
        assert!(
            matches!(
                client.notification(&headers, body),
                Err(NotifyError::Signature(_))
            ),
            "character {at}"
        );
    }
}

#[actix_web::test]
async fn answers_are_believed_only_when_signed() {
    for case in cases("pay_response.json", "cases") {
        let (id, response) = (text(&case, "id"), case["response"].clone());
        let server = HttpServer::new(move || {
            let response = response.clone();
            App::new().default_service(web::to(move || {
                let status = StatusCode::from_u16(
                    u16::try_from(response["status"].as_u64().unwrap()).unwrap(),
                )
                .unwrap();
                let mut answer = HttpResponse::build(status);
                for (name, value) in response["headers"].as_object().unwrap() {
                    answer.insert_header((name.as_str(), value.as_str().unwrap()));
                }
                std::future::ready(answer.body(text(&response, "body").to_owned()))
            }))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        let client = client(
            case["now"].as_i64().unwrap(),
            &format!("http://{}", server.addrs()[0]),
        );
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        let outcome = client
            .pay_again::<Value>(&PayCall::get(&["v3", "x"], None))
            .await;
        match text(&case["expect"], "result") {
            "accept" => {
                let want =
                    serde_json::from_str(text(&case["response"], "body")).unwrap_or(Value::Null);
                assert_eq!(outcome.unwrap(), want, "{id}");
            }
            "reject" => assert!(matches!(outcome, Err(Fault::Unverified(_))), "{id}"),
            "api_error" => {
                let Err(Fault::Refused(fault)) = outcome else {
                    panic!("{id}: not an error answer")
                };
                assert_eq!(
                    fault.code,
                    case["expect"]["code"].as_str().unwrap_or_default(),
                    "{id}"
                );
            }
            other => panic!("{id}: unknown result {other}"),
        }
        handle.stop(false).await;
    }
}

#[test]
fn the_sandbox_keeps_wechats_limits() {
    for case in cases("rules.json", "subscribe_values") {
        assert_eq!(
            limit::fits(text(&case, "key"), text(&case, "value")),
            case["valid"],
            "{case}"
        );
    }
    for case in cases("rules.json", "wxacode_scene") {
        assert_eq!(
            limit::is_scene(text(&case, "scene")),
            case["valid"],
            "{case}"
        );
    }
    for case in cases("rules.json", "wxacode_page") {
        assert_eq!(limit::is_page(text(&case, "page")), case["valid"], "{case}");
    }
}
