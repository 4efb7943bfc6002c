//! Certificate mode: what enters the store, what stays in it, and both modes at once.

use super::{
    stage::Stage,
    vectors::{cases, client, headers_of, text},
};
use crate::kernel::{Env, V7};
use crate::platform::wechat::{
    NotifyError, SignatureFault, WechatClient, WechatSettings, sandbox::Chaos, verify::Proof,
};
use actix_web::{
    http::header::{HeaderMap, HeaderName, HeaderValue},
    web,
};
use chrono::Duration;
use serde_json::json;
use std::sync::Arc;

#[test]
fn wechat_vectors_only_certificates_that_prove_themselves_are_trusted() {
    for case in cases("pay_certificates.json", "cases") {
        let id = text(&case, "id");
        let client = client(case["now"].as_i64().unwrap(), "http://127.0.0.1:1");
        let headers = headers_of(&case["response"]);
        let proof = Proof::read(|name| headers.get(name).and_then(|value| value.to_str().ok()));
        let body = text(&case["response"], "body").as_bytes();
        let outcome = client.trusted(&proof, body);
        if case["expect"]["result"] == "trust" {
            let mut serials: Vec<String> = outcome
                .unwrap_or_else(|fault| panic!("{id}: {fault}"))
                .into_iter()
                .map(|one| one.serial)
                .collect();
            let mut want: Vec<String> =
                serde_json::from_value(case["expect"]["serials"].clone()).unwrap();
            serials.sort();
            want.sort();
            assert_eq!(serials, want, "{id}");
        } else {
            assert!(outcome.is_err(), "{id}");
        }
    }
}

fn in_certificate_mode(stage: &Stage, spoil: impl Fn(&mut WechatSettings)) -> WechatClient {
    let mut settings = stage.sandbox.certificate_settings(&stage.base);
    spoil(&mut settings);
    let env = Env {
        clock: Arc::new(stage.clock.clone()),
        ids: Arc::new(V7),
    };
    WechatClient::new(settings, env).unwrap()
}

#[actix_web::test]
async fn a_merchant_without_a_public_key_pays_by_certificates_alone() {
    let stage = Stage::open().await;
    let client = in_certificate_mode(&stage, |_| {});
    let order = stage.order("LJ20261126C1", 19_900);
    let id = client.prepay_jsapi(&order).await.unwrap();
    stage
        .sandbox
        .set_chaos(Chaos {
            certificate: true,
            ..Chaos::default()
        })
        .unwrap();
    // The stage's own receiver holds the public key alone, so it refuses what the certificate signed.
    assert_eq!(stage.pay(&id, json!({})).await, [401]);
    let paid = client.query_order("LJ20261126C1").await.unwrap();
    assert!(paid.transaction.is_some());
    stage.close().await;
}

/// The headers and body of a notification, as they would reach a receiver.
async fn caught(stage: &Stage, number: &str) -> (HeaderMap, Vec<u8>) {
    type Caught = Arc<std::sync::Mutex<Option<(HeaderMap, Vec<u8>)>>>;
    let kept = Caught::default();
    let shared = kept.clone();
    let server = actix_web::HttpServer::new(move || {
        let kept = shared.clone();
        let catch = move |req: actix_web::HttpRequest, body: web::Bytes| {
            *kept.lock().unwrap() = Some((req.headers().clone(), body.to_vec()));
            std::future::ready(actix_web::HttpResponse::NoContent())
        };
        actix_web::App::new().default_service(web::to(catch))
    })
    .workers(1)
    .disable_signals()
    .bind(("127.0.0.1", 0))
    .unwrap();
    let base = format!("http://{}", server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    let client = in_certificate_mode(stage, |settings| settings.notify_base_url = base.clone());
    let id = client
        .prepay_jsapi(&stage.order(number, 100))
        .await
        .unwrap();
    assert_eq!(stage.pay(&id, json!({})).await, [204]);
    handle.stop(false).await;
    kept.lock().unwrap().take().unwrap()
}

#[actix_web::test]
async fn a_new_certificate_is_fetched_when_it_first_signs_and_forged_serials_ask_once_a_minute() {
    let stage = Stage::open().await;
    let certificate = Chaos {
        certificate: true,
        ..Chaos::default()
    };
    stage.sandbox.set_chaos(certificate).unwrap();
    let (headers, body) = caught(&stage, "LJ20261126C2").await;

    let fresh = in_certificate_mode(&stage, |_| {});
    let unknown = Err(NotifyError::Signature(SignatureFault::UnknownSerial));
    assert!(fresh.notification(&headers, &body) == unknown);
    assert!(fresh.notified(&headers, &body).await.is_ok());

    let mut forged = headers.clone();
    forged.insert(
        HeaderName::from_static("wechatpay-serial"),
        HeaderValue::from_static("0123456789ABCDEF0123456789ABCDEF01234567"),
    );
    let refused = fresh.notified(&forged, &body).await;
    assert!(refused == unknown);
    // WeChat goes away; a forged serial must not cost us the certificates we have.
    stage.clock.advance(Duration::minutes(2));
    stage.sandbox.shutdown().await;
    assert!(fresh.notified(&forged, &body).await == unknown);
    stage.clock.advance(Duration::minutes(-2));
    assert!(fresh.notified(&headers, &body).await.is_ok());
    stage.close().await;
}

#[actix_web::test]
async fn during_the_change_over_both_kinds_of_signature_count() {
    let stage = Stage::open().await;
    let both = in_certificate_mode(&stage, |settings| {
        settings.platform_keys = stage.sandbox.settings(&stage.base).platform_keys;
    });
    for (certificate, number) in [(true, "LJ20261126C3"), (false, "LJ20261126C4")] {
        let chaos = Chaos {
            certificate,
            ..Chaos::default()
        };
        stage.sandbox.set_chaos(chaos).unwrap();
        let (headers, body) = caught(&stage, number).await;
        assert!(
            both.notified(&headers, &body).await.is_ok(),
            "{certificate}"
        );
    }
    stage.close().await;
}
