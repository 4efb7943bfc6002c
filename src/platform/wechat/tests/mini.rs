//! Login, phone, tokens, messages, codes and links.

use super::stage::{Stage, env_at};
use crate::kernel::Code;
use crate::platform::wechat::{SendOutcome, Subscribe, WechatClient};
use actix_web::{App, HttpResponse, HttpServer, web};
use chrono::Duration;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

#[actix_web::test]
async fn a_name_is_the_same_person_at_every_login() {
    let stage = Stage::open().await;
    let first = stage.client.code2session("sandbox-梅").await.unwrap();
    let second = stage.client.code2session("sandbox-梅").await.unwrap();
    let other = stage.client.code2session("sandbox-lan").await.unwrap();
    assert_eq!(first.openid, second.openid);
    assert_ne!(first.openid, other.openid);
    assert_ne!(first.session_key, second.session_key);
    assert!(first.openid.len() == 28 && first.openid.starts_with('o') && first.unionid.is_none());
    assert!(!format!("{first:?}").contains(&first.session_key));
    stage.close().await;
}

#[actix_web::test]
async fn each_refused_code_has_its_own_meaning() {
    let stage = Stage::open().await;
    for (code, want, waits) in [
        ("bad-1", Code::WechatCodeInvalid, false),
        ("used-1", Code::WechatCodeInvalid, false),
        ("nonsense", Code::WechatCodeInvalid, false),
        ("", Code::WechatCodeInvalid, false),
        ("sandbox-", Code::WechatCodeInvalid, false),
        ("blocked-1", Code::Forbidden, false),
        ("busy-1", Code::Unavailable, true),
        ("limited-1", Code::Unavailable, true),
    ] {
        let error = stage.client.code2session(code).await.unwrap_err();
        assert_eq!(
            (error.code, error.retry_after.is_some()),
            (want, waits),
            "{code}"
        );
    }
    let error = stage.client.phone_number("used-1").await.unwrap_err();
    assert_eq!(error.code, Code::WechatCodeInvalid);
    assert_eq!(
        stage
            .client
            .phone_number("phone-1381234")
            .await
            .unwrap_err()
            .code,
        Code::WechatCodeInvalid
    );
    assert_eq!(
        stage
            .client
            .phone_number("phone-13812345678")
            .await
            .unwrap(),
        "13812345678"
    );
    stage.close().await;
}

#[actix_web::test]
async fn a_wrong_secret_is_our_fault_and_is_not_shown() {
    let stage = Stage::open().await;
    let mut settings = stage.sandbox.settings(&stage.base);
    settings.app_secret = "top-secret-value".into();
    let client = WechatClient::new(settings, env_at(1_780_000_000).0).unwrap();
    let error = client.code2session("sandbox-mei").await.unwrap_err();
    assert_eq!(error.code, Code::Internal);
    let mut away = stage.sandbox.settings(&stage.base);
    away.api_base = "http://127.0.0.1:1".into();
    away.app_secret = "top-secret-value".into();
    let lost = WechatClient::new(away, env_at(1_780_000_000).0)
        .unwrap()
        .code2session("sandbox-mei")
        .await
        .unwrap_err();
    assert_eq!(
        (lost.code, lost.retry_after.is_some()),
        (Code::Unavailable, true)
    );
    for error in [error, lost] {
        assert!(!format!("{error:?} {error}").contains("top-secret-value"));
    }
    stage.close().await;
}

#[actix_web::test]
async fn a_message_goes_out_once_per_tick() {
    let stage = Stage::open().await;
    let mei = stage
        .client
        .code2session("sandbox-mei")
        .await
        .unwrap()
        .openid;
    let long = "日常保洁三小时,另加擦玻璃与冰箱除霜各一次";
    let data = [
        ("thing1", long),
        ("time2", "2026年11月24日 15:00"),
        ("phrase3", "已派单"),
    ];
    let message = Subscribe {
        openid: &mei,
        template_id: "tmpl_1",
        page: Some("pages/order/order"),
        data: &data,
    };
    assert_eq!(
        stage.client.subscribe_send(&message).await.unwrap(),
        SendOutcome::NoGrant
    );

    stage.sandbox.grant(&mei, "tmpl_1").await.unwrap();
    let sent = stage.client.subscribe_send(&message).await.unwrap();
    assert!(matches!(sent, SendOutcome::Sent { msgid: Some(_) }));
    assert_eq!(
        stage.client.subscribe_send(&message).await.unwrap(),
        SendOutcome::NoGrant
    );

    let messages = stage.sandbox.messages().await.unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].data["thing1"].chars().count(), 20);
    let (status, _, json) = stage.get("/sandbox/inbox", "application/json").await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (status, &json["items"][0]["data"]["phrase3"]),
        (200, &json!("已派单"))
    );
    let (status, policy, html) = stage.get("/sandbox/inbox", "text/html").await;
    assert!(status == 200 && html.contains("已派单") && policy.contains("default-src 'none'"));
    stage.close().await;
}

#[actix_web::test]
async fn a_message_that_breaks_a_limit_uses_no_tick() {
    let stage = Stage::open().await;
    stage.sandbox.grant("oMei", "tmpl_1").await.unwrap();
    let send = |openid: &'static str,
                template_id: &'static str,
                data: &'static [(&'static str, &'static str)]| {
        let client = stage.client.clone();
        async move {
            client
                .subscribe_send(&Subscribe {
                    openid,
                    template_id,
                    page: None,
                    data,
                })
                .await
                .unwrap()
        }
    };
    let rejected = |errcode| SendOutcome::Rejected { errcode };
    let unfit = |key: &str| SendOutcome::Unfit { key: key.into() };
    assert_eq!(
        send("oMei", "tmpl_1", &[("phrase1", "OK")]).await,
        unfit("phrase1")
    );
    assert_eq!(
        send("oMei", "tmpl_1", &[("time1", "下午三点")]).await,
        unfit("time1")
    );
    assert_eq!(
        send("oMei", "tmpl_1", &[("thing1", "")]).await,
        unfit("thing1")
    );
    assert_eq!(
        send("oMei", "", &[("thing1", "好")]).await,
        rejected(40_037)
    );
    assert_eq!(
        send("", "tmpl_1", &[("thing1", "好")]).await,
        SendOutcome::UnknownRecipient
    );
    assert!(matches!(
        send("oMei", "tmpl_1", &[("thing1", "好")]).await,
        SendOutcome::Sent { .. }
    ));
    stage.close().await;
}

#[actix_web::test]
async fn a_scene_becomes_an_image_and_a_bad_one_an_error() {
    let stage = Stage::open().await;
    let bytes = stage
        .client
        .wxacode_unlimited("r=AbC123xyz", Some("pages/index/index"))
        .await
        .unwrap();
    let image = image::load_from_memory(&bytes).unwrap().to_luma8();
    assert_eq!((image.width(), image.height()), (430, 430));
    let dark = image.pixels().filter(|pixel| pixel.0[0] == 0).count();
    assert!((10_000..140_000).contains(&dark), "{dark} dark pixels");
    assert_eq!(image.get_pixel(0, 0).0[0], 255, "the quiet zone is light");
    let bad = stage
        .client
        .wxacode_unlimited("550e8400-e29b-41d4-a716-446655440000", None)
        .await
        .unwrap_err();
    assert_eq!(bad.code, Code::Internal);
    assert!(
        stage
            .client
            .wxacode_unlimited("r=1", Some("/pages/index"))
            .await
            .is_err()
    );
    let link = stage
        .client
        .url_link("pages/index/index", "r=AbC", 30)
        .await
        .unwrap();
    assert!(link.contains("r=AbC"));
    assert!(
        stage
            .client
            .url_link("pages/index/index", "r=AbC", 31)
            .await
            .is_err()
    );
    stage.close().await;
}

#[actix_web::test]
async fn a_refused_token_is_fetched_again_once() {
    let stage = Stage::open().await;
    stage
        .client
        .phone_number("phone-13812345678")
        .await
        .unwrap();
    let settings = stage.sandbox.settings(&stage.base);
    let body = json!({
        "grant_type": "client_credential", "appid": settings.appid, "secret": settings.app_secret, "force_refresh": true,
    });
    let answer = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap();
    let answer = answer
        .post(format!("{}/cgi-bin/stable_token", settings.api_base))
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["X-Sandbox"], "1");
    // The client still holds the token that this has just ended.
    stage
        .client
        .phone_number("phone-13812345678")
        .await
        .unwrap();
    stage.clock.advance(Duration::hours(3));
    stage
        .client
        .phone_number("phone-13812345678")
        .await
        .unwrap();
    stage.close().await;
}

#[actix_web::test]
async fn a_hundred_callers_cost_one_token() {
    let stage = Stage::open().await;
    let fetched = Arc::new(AtomicUsize::new(0));
    let count = fetched.clone();
    let server = HttpServer::new(move || {
        let count = count.clone();
        App::new()
            .route(
                "/cgi-bin/stable_token",
                web::post().to(move || {
                    count.fetch_add(1, Ordering::SeqCst);
                    std::future::ready(
                        HttpResponse::Ok().json(json!({ "access_token": "t", "expires_in": 7200 })),
                    )
                }),
            )
            .route(
                "/wxa/generate_urllink",
                web::post().to(|| {
                    std::future::ready(
                        HttpResponse::Ok()
                            .json(json!({ "errcode": "0", "url_link": "http://localhost/x" })),
                    )
                }),
            )
    })
    .workers(1)
    .disable_signals()
    .bind(("127.0.0.1", 0))
    .unwrap();
    let mut settings = stage.sandbox.settings(&stage.base);
    settings.api_base = format!("http://{}", server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    let (env, clock) = env_at(1_780_000_000);
    let client = WechatClient::new(settings, env).unwrap();
    let links = join_all((0..100).map(|_| client.url_link("pages/index/index", "", 1))).await;
    assert!(
        links
            .iter()
            .all(|link| link.as_ref().is_ok_and(|link| link == "http://localhost/x"))
    );
    assert_eq!(fetched.load(Ordering::SeqCst), 1);
    clock.advance(Duration::seconds(6_901));
    client.url_link("pages/index/index", "", 1).await.unwrap();
    assert_eq!(
        fetched.load(Ordering::SeqCst),
        2,
        "WeChat hands out the next token in the last five minutes"
    );
    handle.stop(false).await;
    stage.close().await;
}

#[actix_web::test]
async fn sandbox_keys_and_plain_http_stay_on_loopback() {
    let stage = Stage::open().await;
    let good = stage.sandbox.settings(&stage.base);
    let wrong: [fn(&mut crate::platform::wechat::WechatSettings); 5] = [
        |s| s.pay_base = "https://api.mch.weixin.qq.com".into(),
        |s| s.api_base = "http://api.weixin.qq.com".into(),
        |s| s.apiv3_key = "short".into(),
        |s| s.merchant_key_pem = "not a key".into(),
        |s| s.platform_keys.clear(),
    ];
    for (index, spoil) in wrong.into_iter().enumerate() {
        let mut settings = good.clone();
        spoil(&mut settings);
        let refused = WechatClient::new(settings, env_at(0).0).unwrap_err();
        assert_eq!(refused.code, Code::Validation, "case {index}");
    }
    stage.close().await;
}
