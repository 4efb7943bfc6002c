//! A sandbox, its client, and a receiver of notifications that also mounts the player's controls.

use crate::kernel::{AppError, Clock, Env, ShiftClock, V7};
use crate::platform::wechat::{
    NOTIFY_PATH, Notification, PayParams, Prepay, WechatClient,
    sandbox::{self, Sandbox, SandboxSettings},
};
use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, http::StatusCode, web,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
};
use tempfile::TempDir;

/// A clock that stands still until it is told to move.
struct Fixed(DateTime<Utc>);

impl Clock for Fixed {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// An environment at a given second.
pub(super) fn env_at(unix: i64) -> (Env, ShiftClock) {
    let clock = ShiftClock::over(Arc::new(Fixed(DateTime::from_timestamp(unix, 0).unwrap())));
    (
        Env {
            clock: Arc::new(clock.clone()),
            ids: Arc::new(V7),
        },
        clock,
    )
}

/// What the receiver saw, in order: a short word for each notification.
#[derive(Clone, Default)]
struct Receiver {
    client: Arc<OnceLock<WechatClient>>,
    seen: Arc<Mutex<Vec<String>>>,
    arrived: Arc<tokio::sync::Notify>,
}

async fn receive(
    req: HttpRequest,
    body: web::Bytes,
    receiver: web::Data<Receiver>,
) -> HttpResponse {
    let client = receiver.client.get().unwrap();
    let (word, answer) = match client.notification(req.headers(), &body) {
        Ok(Notification::Paid(paid)) => (
            format!("paid {} {}", paid.out_trade_no, paid.total_fen),
            HttpResponse::NoContent().finish(),
        ),
        Ok(Notification::Refund(back)) => (
            format!(
                "refund {} {} {:?}",
                back.out_refund_no, back.refund_fen, back.status
            ),
            HttpResponse::NoContent().finish(),
        ),
        Ok(Notification::Transfer(told)) => (
            format!("transfer {} {:?}", told.out_bill_no, told.state),
            HttpResponse::NoContent().finish(),
        ),
        Ok(Notification::Other(event)) => (event, HttpResponse::NoContent().finish()),
        Err(error) => {
            let status = StatusCode::from_u16(error.status()).unwrap();
            (
                format!("{error:?}"),
                HttpResponse::build(status).json(error.failure()),
            )
        }
    };
    receiver.seen.lock().unwrap().push(word);
    receiver.arrived.notify_one();
    std::future::ready(answer).await
}

pub(super) struct Stage {
    pub(super) client: WechatClient,
    pub(super) sandbox: Sandbox,
    pub(super) clock: ShiftClock,
    pub(super) base: String,
    pub(super) dir: TempDir,
    env: Env,
    receiver: Receiver,
    server: ServerHandle,
    http: reqwest::Client,
}

impl Stage {
    pub(super) async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (env, clock) = env_at(1_780_000_000);
        let sandbox = start(dir.path().to_path_buf(), &env).await.unwrap();
        let receiver = Receiver::default();
        let (shared, mounted) = (receiver.clone(), sandbox.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::new(shared.clone()))
                .app_data(web::Data::new(mounted.clone()))
                .route(NOTIFY_PATH, web::post().to(receive))
                .configure(sandbox::routes)
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        let base = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        let client = WechatClient::new(sandbox.settings(&base), env.clone()).unwrap();
        assert!(receiver.client.set(client.clone()).is_ok());
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .build()
            .unwrap();
        Self {
            client,
            sandbox,
            clock,
            base,
            dir,
            env,
            receiver,
            server: handle,
            http,
        }
    }

    /// A second sandbox on the same directory, as another process would start it.
    pub(super) async fn another(&self) -> Result<Sandbox, AppError> {
        start(self.dir.path().to_path_buf(), &self.env).await
    }

    pub(super) fn client_of(&self, sandbox: &Sandbox) -> WechatClient {
        WechatClient::new(sandbox.settings(&self.base), self.env.clone()).unwrap()
    }

    pub(super) async fn close(self) {
        self.sandbox.shutdown().await;
        self.server.stop(false).await;
    }

    pub(super) fn order(&self, number: &str, fen: i64) -> Prepay {
        Prepay {
            out_trade_no: number.into(),
            description: "日常保洁 预付款".into(),
            amount_fen: fen,
            openid: "oMei".into(),
            attach: Some("booking".into()),
            time_expire: Some(self.env.now() + chrono::Duration::minutes(30)),
        }
    }

    /// Opens an order and gives what stands behind `prepay_id=` in the client's parameters.
    pub(super) async fn prepaid(&self, number: &str, fen: i64) -> String {
        let id = self
            .client
            .prepay_jsapi(&self.order(number, fen))
            .await
            .unwrap();
        let params: PayParams = self.client.pay_params(&id).unwrap();
        params
            .package
            .strip_prefix("prepay_id=")
            .unwrap()
            .to_owned()
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self
            .http
            .post(format!("{}{path}", self.base))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.headers()["X-Sandbox"], "1");
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub(super) async fn get(&self, path: &str, accept: &str) -> (u16, String, String) {
        let answer = self
            .http
            .get(format!("{}{path}", self.base))
            .header("Accept", accept)
            .send()
            .await
            .unwrap();
        let policy = answer
            .headers()
            .get("Content-Security-Policy")
            .map(|value| value.to_str().unwrap().to_owned());
        (
            answer.status().as_u16(),
            policy.unwrap_or_default(),
            answer.text().await.unwrap(),
        )
    }

    /// Pays well and gives the receiver's statuses.
    pub(super) async fn pay(&self, prepay_id: &str, more: Value) -> Vec<u64> {
        let mut body = json!({ "prepay_id": prepay_id, "outcome": "success" });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let (status, answer) = self.post("/sandbox/pay", body).await;
        assert_eq!(status, 200, "{answer}");
        answer["delivered"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["status"].as_u64().unwrap())
            .collect()
    }

    /// Everything the receiver saw so far; empties the list.
    pub(super) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.receiver.seen.lock().unwrap())
    }

    /// Waits for the next notification.
    pub(super) async fn next_seen(&self) -> String {
        loop {
            if let Some(word) = self.receiver.seen.lock().unwrap().pop() {
                return word;
            }
            self.receiver.arrived.notified().await;
        }
    }
}

async fn start(data_dir: PathBuf, env: &Env) -> Result<Sandbox, AppError> {
    Sandbox::start(SandboxSettings {
        data_dir,
        env: env.clone(),
    })
    .await
}
