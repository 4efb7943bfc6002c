//! A person with a device: logs in, sends requests.

use super::Answer;
use reqwest::{Client, Method};
use serde_json::{Value, json};

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
}

impl Person {
    /// Nobody in particular.
    pub fn stranger(client: Client, base: String) -> Self {
        Self { client, base, token: String::new(), refresh_token: String::new(), id: String::new() }
    }

    /// Logs in with a call that answers tokens.
    pub async fn login(mut self, path: &str, body: Value) -> Self {
        let answer = self.post(path, body).await.expect(200);
        self.token = answer["access_token"].as_str().unwrap().into();
        self.refresh_token = answer["refresh_token"].as_str().unwrap().into();
        self.id = answer["account"]["id"].as_str().unwrap().into();
        self
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/api/v1/{path}") };
        let request = self.client.request(method, format!("{}{path}", self.base));
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    async fn send(request: reqwest::RequestBuilder) -> Answer {
        Answer::read(request.send().await.unwrap()).await
    }

    /// GET; paths without a leading slash are under `/api/v1/`.
    pub async fn get(&self, path: &str) -> Answer {
        Self::send(self.request(Method::GET, path)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        Self::send(self.request(Method::DELETE, path)).await
    }

    /// POST with a fresh idempotency key.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        let key = uuid_like();
        self.post_with_key(path, &key, body).await
    }

    /// POST with this idempotency key.
    pub async fn post_with_key(&self, path: &str, key: &str, body: Value) -> Answer {
        Self::send(self.request(Method::POST, path).header("Idempotency-Key", key).json(&body)).await
    }

    /// POST without an idempotency key.
    pub async fn post_without_key(&self, path: &str, body: Value) -> Answer {
        Self::send(self.request(Method::POST, path).json(&body)).await
    }

    /// POST of raw bytes.
    pub async fn post_raw(&self, path: &str, kind: &str, body: Vec<u8>) -> Answer {
        let request = self.request(Method::POST, path).header("Idempotency-Key", uuid_like());
        Self::send(request.header("content-type", kind).body(body)).await
    }

    /// POST of a multipart form.
    pub async fn post_form(&self, path: &str, form: reqwest::multipart::Form) -> Answer {
        Self::send(self.request(Method::POST, path).header("Idempotency-Key", uuid_like()).multipart(form)).await
    }

    /// PUT.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        Self::send(self.request(Method::PUT, path).json(&body)).await
    }

    /// PATCH.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        Self::send(self.request(Method::PATCH, path).json(&body)).await
    }

    /// Grants a purpose as the newest notice words it, and answers the record. Two-act purposes get both acts.
    pub async fn consents(&self, purpose: &str, scope: Option<Value>) -> Value {
        let mut record = self.decides(purpose, "granted", "popup", scope.clone()).await;
        if purpose == "graph_analysis" {
            record = self.decides(purpose, "granted", "agreement", scope).await;
        }
        record
    }

    /// Decides on a purpose through a channel.
    pub async fn decides(&self, purpose: &str, decision: &str, channel: &str, scope: Option<Value>) -> Value {
        let notices = self.get("consent/notices").await.expect(200);
        let notice = notices["items"].as_array().unwrap().iter().find(|n| n["purpose"] == purpose);
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
