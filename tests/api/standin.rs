//! The backend against another WeChat than its own sandbox, in live mode, from base URLs and keys alone.

use crate::support::{Backend, Person, Standin, TestApp};
use entity::values::StaffRole;
use futures_util::future::join_all;
use linjian::{
    app::{self, Half},
    catalog, config,
};
use reqwest::Client;
use serde_json::{Value, json};

/// A live deployment on its own, with the sample catalogue.
async fn live(backend: Backend) -> (TestApp, Standin) {
    let standin = Standin::start();
    let keys = tempfile::tempdir().unwrap().keep();
    let settings = standin.settings(&keys);
    let settings: Vec<(&'static str, &str)> = settings
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    let app = TestApp::with(backend, Half::ApiOnly, &settings).await;
    catalog::install_default(app.ctx()).await.unwrap();
    (app, standin)
}

async fn deliver(app: &TestApp, (headers, body): &(Vec<(&'static str, String)>, Vec<u8>)) -> u16 {
    let mut request = Client::new()
        .post(format!("{}/api/v1/webhooks/wechat-pay", app.node.url()))
        .header("Content-Type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let answer = request.body(body.clone()).send().await.unwrap();
    answer.status().as_u16()
}

/// A booking whose prepayment was opened; its order number.
async fn prepaid(app: &TestApp, standin: &Standin) -> (Person, Value, String) {
    app.crew("13900000001").await;
    let mei = app.customer("mei").await;
    let booking = app.books(&mei).await;
    let path = format!("bookings/{}/prepayments", booking["id"].as_str().unwrap());
    let half = booking["total_fen"].as_i64().unwrap() / 2 + 1;
    mei.post(&path, json!({ "amount_fen": half }))
        .await
        .expect(201);
    let number = standin.with(|state| state.prepays.keys().next().unwrap().clone());
    (mei, booking, number)
}

async fn prepaid_fen(mei: &Person, booking: &Value) -> i64 {
    let path = format!("bookings/{}", booking["id"].as_str().unwrap());
    mei.get(&path).await.expect(200)["prepaid_fen"]
        .as_i64()
        .unwrap()
}

async fn eight_parallel_notifications_are_one_payment(backend: Backend) {
    let (app, standin) = live(backend).await;
    let (mei, booking, number) = prepaid(&app, &standin).await;
    let notice = standin.paid(&number);
    let statuses = join_all((0..8).map(|_| deliver(&app, &notice))).await;
    assert!(
        statuses.iter().all(|status| (200..300).contains(status)),
        "{statuses:?}"
    );
    app.drain().await;
    let half = booking["total_fen"].as_i64().unwrap() / 2 + 1;
    assert_eq!(prepaid_fen(&mei, &booking).await, half);
    // Another notification about the same payment, as WeChat's own retries are, changes nothing.
    assert!((200..300).contains(&deliver(&app, &standin.paid(&number)).await));
    app.drain().await;
    assert_eq!(prepaid_fen(&mei, &booking).await, half);
    app.finish().await;
}

async fn lost_answers_neither_charge_nor_refund_twice(backend: Backend) {
    let (app, standin) = live(backend).await;
    standin.with(|state| state.lose = Some("/v3/pay/transactions/jsapi"));
    let (mei, booking, number) = prepaid(&app, &standin).await;
    let tries = standin.with(|state| state.prepays.clone());
    assert_eq!(
        tries,
        [(number.clone(), 2)].into(),
        "entered again under the same number"
    );
    assert_eq!(deliver(&app, &standin.paid(&number)).await, 204);
    app.drain().await;

    standin.with(|state| state.lose = Some("/v3/refund/domestic/refunds"));
    let service = app.staff(&[StaffRole::Service]).await;
    let refund = json!({ "booking_id": booking["id"], "reason": "客人改期" });
    service.post("admin/refunds", refund).await.expect(201);
    app.drain().await;
    let asked = standin.with(|state| state.refunds.clone());
    assert_eq!(asked.values().collect::<Vec<_>>(), [&1]);
    let notice = standin.refunded(asked.keys().next().unwrap());
    let statuses = join_all((0..8).map(|_| deliver(&app, &notice))).await;
    assert!(statuses.iter().all(|status| (200..300).contains(status)));
    app.drain().await;
    let refunds = service.get("admin/refunds").await.expect(200);
    assert_eq!(refunds["items"].as_array().unwrap().len(), 1);
    assert_eq!(refunds["items"][0]["status"], "succeeded");
    let path = format!("bookings/{}", booking["id"].as_str().unwrap());
    let timeline = mei.get(&path).await.expect(200)["timeline"].to_string();
    assert_eq!(timeline.matches("已受理").count(), 1, "{timeline}");
    assert_eq!(standin.with(|state| state.refunds.clone()), asked);
    app.finish().await;
}

async fn an_ended_token_is_fetched_again_once(backend: Backend) {
    let (app, standin) = live(backend).await;
    let people = [
        app.customer("a").await,
        app.customer("b").await,
        app.customer("c").await,
    ];
    let ask = |round: usize| {
        people
            .iter()
            .enumerate()
            .map(move |(index, person)| async move {
                let code = format!("phone-1390000{round}{index:03}");
                person
                    .post("auth/phone", json!({ "code": code }))
                    .await
                    .expect(200);
            })
    };
    join_all(ask(1)).await;
    assert_eq!(standin.with(|state| state.token_calls), 1);
    standin.end_token();
    join_all(ask(2)).await;
    assert_eq!(standin.with(|state| state.token_calls), 2);
    app.finish().await;
}

async fn a_flipped_bit_anywhere_changes_nothing(backend: Backend) {
    let (app, standin) = live(backend).await;
    let (mei, booking, number) = prepaid(&app, &standin).await;
    let good = standin.paid(&number);
    let mut spoilt = Vec::new();
    for at in (0..good.1.len()).step_by(23) {
        let mut one = good.clone();
        one.1[at] ^= 1 << (at % 8);
        spoilt.push(one);
    }
    for header in 0..good.0.len() {
        for at in (0..good.0[header].1.len()).step_by(41) {
            let mut one = good.clone();
            let mut text = one.0[header].1.clone().into_bytes();
            // The lowest bit keeps it visible ASCII, so that it arrives.
            text[at] ^= 1;
            one.0[header].1 = String::from_utf8(text).unwrap();
            spoilt.push(one);
        }
    }
    let statuses = join_all(spoilt.iter().map(|one| deliver(&app, one))).await;
    assert!(
        statuses.iter().all(|status| (400..500).contains(status)),
        "{statuses:?}"
    );
    app.drain().await;
    assert_eq!(prepaid_fen(&mei, &booking).await, 0);
    assert_eq!(
        deliver(&app, &good).await,
        204,
        "and the true one still counts"
    );
    app.finish().await;
}

async fn a_sandbox_database_never_serves_a_live_shop(backend: Backend) {
    let app = TestApp::start(backend).await;
    let standin = Standin::start();
    let keys = tempfile::tempdir().unwrap().keep();
    let mut settings: Vec<(&str, String)> = app.settings().to_vec();
    settings.extend(standin.settings(&keys));
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    let settings = config::with_overrides(&settings).unwrap_or_else(|faults| panic!("{faults}"));
    let refused = app::start(settings, Half::ApiOnly).await.err().unwrap();
    assert_eq!(refused.code, linjian::kernel::Code::InvalidState);
    assert!(refused.detail.contains("sandbox"), "{refused}");
    app.finish().await;
}

macro_rules! both {
    ($($name:ident),+) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite_and_memory() {
                super::$name(crate::support::Backend::Embedded).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres_and_redis() {
                super::$name(crate::support::Backend::Production).await;
            }
        }
    )+};
}

both!(
    eight_parallel_notifications_are_one_payment,
    lost_answers_neither_charge_nor_refund_twice,
    an_ended_token_is_fetched_again_once,
    a_flipped_bit_anywhere_changes_nothing,
    a_sandbox_database_never_serves_a_live_shop
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_ask_for_one_token() {
    let (app, standin) = live(Backend::Production).await;
    let mut settings: Vec<(&str, String)> = app.settings().to_vec();
    settings.push(("http.listen", "127.0.0.1:0".into()));
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let settings: Vec<(&str, &str)> = settings
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        let settings =
            config::with_overrides(&settings).unwrap_or_else(|faults| panic!("{faults}"));
        nodes.push(app::start(settings, Half::ApiOnly).await.unwrap());
    }
    let all = [&app.node, &nodes[0], &nodes[1]];
    let calls = all
        .iter()
        .flat_map(|node| (0..5).map(move |_| node.ctx.wechat.phone_number("phone-13900000001")));
    assert!(join_all(calls).await.iter().all(Result::is_ok));
    assert_eq!(standin.with(|state| state.token_calls), 1);
    for node in nodes {
        node.stop().await;
    }
    app.finish().await;
}

/// What the doctor says about a live deployment, line by line, and its status.
async fn doctor(standin: &Standin, extra: &[(&str, &str)]) -> (String, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_linjian"));
    command.arg("doctor").current_dir(folder.path());
    let settings = standin.settings(folder.path());
    let given = settings.iter().map(|(key, value)| (*key, value.as_str()));
    for (key, value) in given.chain(extra.iter().copied()) {
        let name = key.to_uppercase().replace('.', "__");
        command.env(format!("LINJIAN__{name}"), value);
    }
    let said = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    (text, said.status.code())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_finds_what_is_wrong_and_names_the_cure() {
    let (app, standin) = live(Backend::Embedded).await;
    let url = app.node.url();
    let here = ("wechat.notify_base_url", url.as_str());
    let (said, status) = doctor(&standin, &[here, ("wechat.service_template", "good")]).await;
    assert_eq!(status, Some(0), "{said}");
    assert!(!said.contains('✗'), "{said}");

    let away = ("wechat.notify_base_url", "http://127.0.0.1:1");
    let other = ("wechat.service_template", "other");
    let (said, status) = doctor(&standin, &[away, other, ("wechat.shipping", "off")]).await;
    assert_eq!(status, Some(1), "{said}");
    for line in [
        "消息推送地址可达",
        "订阅消息模板的用途",
        "订阅消息模板",
        "发货信息管理",
    ] {
        assert!(said.contains(&format!("✗ {line}:")), "{line}: {said}");
    }

    let serial = (
        "wechat.merchant_serial",
        "0000000000000000000000000000000000000001",
    );
    let key = ("wechat.platform_key_path", "/nowhere.pem");
    let (said, status) = doctor(&standin, &[here, serial, key]).await;
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("wechat.platform_key_path"), "{said}");

    standin.with(|state| state.barred = true);
    let (said, status) = doctor(&standin, &[here]).await;
    assert_eq!(status, Some(1), "{said}");
    let barred = said.lines().find(|line| line.starts_with("✗ IP 白名单"));
    assert!(barred.unwrap().contains("→ 把服务器的出口 IP"), "{said}");
    assert!(
        !said.contains("203.0.113.7"),
        "WeChat's own words may quote anything: {said}"
    );
    app.finish().await;
}
