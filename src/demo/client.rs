//! A device that speaks the API.

use crate::kernel::{AppError, Code, Result};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// One person's device, logged in or not.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    tokens: Arc<Mutex<Tokens>>,
    pub(crate) id: String,
    keys: Arc<AtomicU64>,
}

/// What a device holds of its login; the story moves the clock, so access tokens end in the middle of it.
#[derive(Clone, Default)]
struct Tokens {
    access: Option<String>,
    refresh: Option<String>,
}

impl Tokens {
    fn of(answer: &Value) -> Self {
        let text = |key: &str| answer[key].as_str().map(str::to_owned);
        Self {
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }
}

/// An answer: status and body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    length: usize,
}

impl Answer {
    /// The slug of a refusal, or nothing.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl Client {
    pub(crate) fn new(base: String) -> Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .build()
            .map_err(AppError::internal)?;
        Ok(Self {
            http,
            base,
            tokens: Arc::default(),
            id: String::new(),
            keys: Arc::new(AtomicU64::new(0)),
        })
    }

    /// The same company, another person.
    pub(crate) async fn login(&self, path: &str, body: Value) -> Result<Self> {
        let answer = self.post(path, body).await?;
        let id = answer["account"]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        Ok(Self {
            tokens: Arc::new(Mutex::new(Tokens::of(&answer))),
            id,
            ..self.clone()
        })
    }

    fn held(&self) -> Tokens {
        self.tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Sends what `build` makes of a fresh request; once more with new tokens when the access token has ended.
    async fn send(
        &self,
        method: Method,
        path: &str,
        build: impl Fn(RequestBuilder) -> Result<RequestBuilder>,
    ) -> Result<Answer> {
        let key = format!(
            "demo-{}-{}",
            self.id,
            self.keys.fetch_add(1, Ordering::Relaxed)
        );
        let attempt = async |access: Option<String>| {
            let url = format!("{}{}", self.base, rooted(path));
            let mut request = self
                .http
                .request(method.clone(), url)
                .header("Idempotency-Key", &key);
            if let Some(access) = access {
                request = request.bearer_auth(access);
            }
            Self::read(build(request)?).await
        };
        let held = self.held();
        let answer = attempt(held.access).await?;
        let Some(refresh) = held.refresh.filter(|_| answer.status == 401) else {
            return Ok(answer);
        };
        let request = self
            .http
            .post(format!("{}{}", self.base, rooted("auth/refresh")));
        let renewed = Self::read(request.json(&json!({ "refresh_token": refresh }))).await?;
        if renewed.status != 200 {
            return Ok(answer);
        }
        let fresh = Tokens::of(&renewed.body);
        *self.tokens.lock().unwrap_or_else(PoisonError::into_inner) = fresh.clone();
        attempt(fresh.access).await
    }

    async fn read(request: RequestBuilder) -> Result<Answer> {
        let answer = request
            .send()
            .await
            .map_err(|error| AppError::internal(error.without_url()))?;
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.map_err(AppError::internal)?;
        Ok(Answer {
            status,
            length: bytes.len(),
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        })
    }

    fn must(path: &str, answer: Answer) -> Result<Value> {
        if answer.status < 300 {
            return Ok(answer.body);
        }
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        let fields = answer.body["errors"].to_string();
        Err(AppError::new(
            Code::Conflict,
            format!("{path} → {} {detail} {fields}", answer.status),
        ))
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        Self::must(path, self.send(Method::GET, path, Ok).await?)
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Value> {
        Self::must(path, self.try_post(path, body).await?)
    }

    /// A POST whose refusal is part of the story.
    pub(crate) async fn try_post(&self, path: &str, body: Value) -> Result<Answer> {
        self.send(Method::POST, path, |request| Ok(request.json(&body)))
            .await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Result<Value> {
        Self::must(
            path,
            self.send(Method::PUT, path, |request| Ok(request.json(&body)))
                .await?,
        )
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Result<Value> {
        Self::must(
            path,
            self.send(Method::PATCH, path, |request| Ok(request.json(&body)))
                .await?,
        )
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Value> {
        Self::must(path, self.send(Method::DELETE, path, Ok).await?)
    }

    pub(crate) async fn upload(&self, path: &str, kind: &str, jpeg: Vec<u8>) -> Result<Value> {
        self.upload_for(path, kind, "", jpeg).await
    }

    /// Uploads a photo for one checklist item; for none when `item` is empty.
    pub(crate) async fn upload_for(
        &self,
        path: &str,
        kind: &str,
        item: &str,
        jpeg: Vec<u8>,
    ) -> Result<Value> {
        use reqwest::multipart::{Form, Part};
        let form = |request: RequestBuilder| {
            let file = Part::bytes(jpeg.clone())
                .file_name("photo.jpg")
                .mime_str("image/jpeg")
                .map_err(AppError::internal)?;
            let mut form = Form::new().text("kind", kind.to_owned());
            if !item.is_empty() {
                form = form.text("checklist_key", item.to_owned());
            }
            Ok(request.multipart(form.part("file", file)))
        };
        Self::must(path, self.send(Method::POST, path, form).await?)
    }

    /// A page or picture that is not JSON: how many bytes came.
    pub(crate) async fn page(&self, path: &str) -> Result<usize> {
        let answer = self.send(Method::GET, path, Ok).await?;
        Ok(if answer.status == 200 {
            answer.length
        } else {
            0
        })
    }

    /// Asks again until `enough` or five seconds have passed; the last answer either way. Events take a moment.
    pub(crate) async fn until(&self, path: &str, enough: impl Fn(&Value) -> bool) -> Result<Value> {
        let mut last = self.get(path).await?;
        for _ in 0..100 {
            if enough(&last) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            last = self.get(path).await?;
        }
        Ok(last)
    }

    /// Decides on a purpose as its newest notice words it.
    pub(crate) async fn decide(
        &self,
        purpose: &str,
        decision: &str,
        channel: &str,
        scope: Value,
    ) -> Result<Value> {
        let notices = self.get("consent/notices").await?;
        let found = notices["items"]
            .as_array()
            .and_then(|items| items.iter().find(|one| one["purpose"] == purpose));
        let notice = found
            .ok_or_else(|| AppError::new(Code::NotFound, format!("没有用途 {purpose} 的告知书")))?;
        let mut body = json!({
            "purpose": purpose, "decision": decision, "channel": channel,
            "notice_version": notice["version"], "notice_sha256": notice["sha256"],
        });
        if !scope.is_null() {
            body["scope"] = scope;
        }
        self.post("me/consents", body).await
    }
}

/// Paths without a leading slash are under `/api/v1/`.
fn rooted(path: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/api/v1/{path}")
    }
}
