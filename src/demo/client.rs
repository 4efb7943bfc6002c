//! A device that speaks the API.

use crate::kernel::{AppError, Code, Result};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// One person's device, logged in or not.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    pub(crate) id: String,
    keys: Arc<AtomicU64>,
}

/// An answer: status and body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// The slug of a refusal, or nothing.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl Client {
    pub(crate) fn new(base: String) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().map_err(AppError::internal)?;
        Ok(Self { http, base, token: None, id: String::new(), keys: Arc::new(AtomicU64::new(0)) })
    }

    /// The same company, another person.
    pub(crate) async fn login(&self, path: &str, body: Value) -> Result<Self> {
        let tokens = self.post(path, body).await?;
        let token = tokens["access_token"].as_str().map(str::to_owned);
        let id = tokens["account"]["id"].as_str().unwrap_or_default().to_owned();
        Ok(Self { token, id, ..self.clone() })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/api/v1/{path}") };
        let request = self.http.request(method, format!("{}{path}", self.base));
        let key = format!("demo-{}-{}", self.id, self.keys.fetch_add(1, Ordering::Relaxed));
        let request = request.header("Idempotency-Key", key);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer> {
        let answer = request.send().await.map_err(|error| AppError::internal(error.without_url()))?;
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.map_err(AppError::internal)?;
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }

    fn must(path: &str, answer: Answer) -> Result<Value> {
        if answer.status < 300 {
            return Ok(answer.body);
        }
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        let fields = answer.body["errors"].to_string();
        Err(AppError::new(Code::Conflict, format!("{path} → {} {detail} {fields}", answer.status)))
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        Self::must(path, self.send(self.request(Method::GET, path)).await?)
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Value> {
        Self::must(path, self.try_post(path, body).await?)
    }

    /// A POST whose refusal is part of the story.
    pub(crate) async fn try_post(&self, path: &str, body: Value) -> Result<Answer> {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Result<Value> {
        Self::must(path, self.send(self.request(Method::PUT, path).json(&body)).await?)
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Result<Value> {
        Self::must(path, self.send(self.request(Method::PATCH, path).json(&body)).await?)
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Value> {
        Self::must(path, self.send(self.request(Method::DELETE, path)).await?)
    }

    pub(crate) async fn upload(&self, path: &str, kind: &str, jpeg: Vec<u8>) -> Result<Value> {
        self.upload_for(path, kind, "", jpeg).await
    }

    /// Uploads a photo for one checklist item; for none when `item` is empty.
    pub(crate) async fn upload_for(&self, path: &str, kind: &str, item: &str, jpeg: Vec<u8>) -> Result<Value> {
        use reqwest::multipart::{Form, Part};
        let file = Part::bytes(jpeg).file_name("photo.jpg").mime_str("image/jpeg").map_err(AppError::internal)?;
        let mut form = Form::new().text("kind", kind.to_owned());
        if !item.is_empty() {
            form = form.text("checklist_key", item.to_owned());
        }
        let form = form.part("file", file);
        Self::must(path, self.send(self.request(Method::POST, path).multipart(form)).await?)
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
    pub(crate) async fn decide(&self, purpose: &str, decision: &str, channel: &str, scope: Value) -> Result<Value> {
        let notices = self.get("consent/notices").await?;
        let found = notices["items"].as_array().and_then(|items| items.iter().find(|one| one["purpose"] == purpose));
        let notice = found.ok_or_else(|| AppError::new(Code::NotFound, format!("没有用途 {purpose} 的告知书")))?;
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
