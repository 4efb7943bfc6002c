//! A person with a device: logs in, sends requests.

use super::Answer;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// Somebody who speaks HTTP to the node.
#[derive(Clone, Debug)]
pub struct Person {
    client: Client,
    base: String,
    /// Access token, empty when not logged in.
    pub token: String,
    /// Refresh token of the login.
    pub refresh_token: String,
    /// Account id, empty when not logged in.
    pub id: String,
    /// Tokens fetched since, access and refresh: a device goes on when its access token has ended.
    fresh: Arc<Mutex<Option<(String, String)>>>,
}

impl Person {
    /// Nobody in particular.
    pub fn stranger(client: Client, base: String) -> Self {
        Self {
            client,
            base,
            token: String::new(),
            refresh_token: String::new(),
            id: String::new(),
            fresh: Arc::default(),
        }
    }

    /// Logs in with a call that answers tokens.
    pub async fn login(mut self, path: &str, body: Value) -> Self {
        let answer = self.post(path, body).await.expect(200);
        self.token = answer["access_token"].as_str().unwrap().into();
        self.refresh_token = answer["refresh_token"].as_str().unwrap().into();
        self.id = answer["account"]["id"].as_str().unwrap().into();
        self
    }

    /// The same person on a device that does not refresh its tokens.
    pub fn forgetful(&self) -> Self {
        Self {
            refresh_token: String::new(),
            fresh: Arc::default(),
            ..self.clone()
        }
    }

    fn held(&self) -> (String, String) {
        let fresh = self.fresh.lock().unwrap().clone();
        fresh.unwrap_or_else(|| (self.token.clone(), self.refresh_token.clone()))
    }

    /// Sends what `build` makes; once more with fresh tokens when the access token has ended, as the mini-program does.
    async fn send(
        &self,
        method: Method,
        path: &str,
        build: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Answer {
        let (token, refresh) = self.held();
        let first = self.once(&method, path, &token, &build).await;
        if first.status != 401 || token.is_empty() || refresh.is_empty() {
            return first;
        }
        let body = json!({ "refresh_token": refresh });
        let renewed = self
            .once(&Method::POST, "auth/refresh", "", &|request| {
                request.json(&body)
            })
            .await;
        if renewed.status != 200 {
            return first;
        }
        let text = |key: &str| renewed.json[key].as_str().unwrap().to_owned();
        let tokens = (text("access_token"), text("refresh_token"));
        *self.fresh.lock().unwrap() = Some(tokens.clone());
        self.once(&method, path, &tokens.0, &build).await
    }

    async fn once(
        &self,
        method: &Method,
        path: &str,
        token: &str,
        build: &impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Answer {
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/api/v1/{path}")
        };
        let request = self
            .client
            .request(method.clone(), format!("{}{path}", self.base));
        let request = if token.is_empty() {
            request
        } else {
            request.bearer_auth(token)
        };
        Answer::read(build(request).send().await.unwrap()).await
    }

    /// GET; paths without a leading slash are under `/api/v1/`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, |request| request).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, |request| request).await
    }

    /// POST with a fresh idempotency key.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        let key = uuid_like();
        self.post_with_key(path, &key, body).await
    }

    /// POST with this idempotency key.
    pub async fn post_with_key(&self, path: &str, key: &str, body: Value) -> Answer {
        self.send(Method::POST, path, |request| {
            request.header("Idempotency-Key", key).json(&body)
        })
        .await
    }

    /// POST that would rather be answered at once (RFC 7240).
    pub async fn post_async(&self, path: &str, body: Value) -> Answer {
        let ask = |request: RequestBuilder| request.header("Prefer", "respond-async").json(&body);
        self.send(Method::POST, path, ask).await
    }

    /// POST without an idempotency key.
    pub async fn post_without_key(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, |request| request.json(&body))
            .await
    }

    /// POST of raw bytes.
    pub async fn post_raw(&self, path: &str, kind: &str, body: Vec<u8>) -> Answer {
        let key = uuid_like();
        let raw = |request: RequestBuilder| {
            request
                .header("Idempotency-Key", &key)
                .header("content-type", kind)
                .body(body.clone())
        };
        self.send(Method::POST, path, raw).await
    }

    /// POST of a multipart form, made anew for each attempt.
    pub async fn post_form(
        &self,
        path: &str,
        form: impl Fn() -> reqwest::multipart::Form,
    ) -> Answer {
        self.post_form_with_key(path, &uuid_like(), form).await
    }

    /// POST of a multipart form with this idempotency key.
    pub async fn post_form_with_key(
        &self,
        path: &str,
        key: &str,
        form: impl Fn() -> reqwest::multipart::Form,
    ) -> Answer {
        self.send(Method::POST, path, |request| {
            request.header("Idempotency-Key", key).multipart(form())
        })
        .await
    }

    /// PUT.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, |request| request.json(&body))
            .await
    }

    /// PATCH.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, |request| request.json(&body))
            .await
    }

    /// Grants a purpose as the newest notice words it, and answers the record. Two-act purposes get both acts.
    pub async fn consents(&self, purpose: &str, scope: Option<Value>) -> Value {
        let mut record = self
            .decides(purpose, "granted", "popup", scope.clone())
            .await;
        if purpose == "graph_analysis" {
            record = self.decides(purpose, "granted", "agreement", scope).await;
        }
        record
    }

    /// Decides on a purpose through a channel.
    pub async fn decides(
        &self,
        purpose: &str,
        decision: &str,
        channel: &str,
        scope: Option<Value>,
    ) -> Value {
        let notices = self.get("consent/notices").await.expect(200);
        let notice = notices["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|n| n["purpose"] == purpose);
        let notice = notice.unwrap_or_else(|| panic!("no notice for {purpose}"));
        let mut body = json!({
            "purpose": purpose, "decision": decision, "notice_version": notice["version"],
            "notice_sha256": notice["sha256"], "channel": channel,
        });
        if let Some(scope) = scope {
            body["scope"] = scope;
        }
        self.post("me/consents", body).await.expect(201)
    }
}

#[expect(clippy::disallowed_methods, reason = "a test may pick its own keys")]
fn uuid_like() -> String {
    uuid::Uuid::now_v7().to_string()
}
