//! The stable access token: one in the process, fetched by one caller at a time (spec 1.2).

use super::{WechatClient, fault::busy};
use crate::kernel::Result;
use chrono::{DateTime, Duration, Utc};
use serde_json::json;
use tokio::sync::Mutex;

/// WeChat changes the token in the last five minutes and honours both; we change with it.
const SPARE_SECONDS: i64 = 300;

/// The token held now. The lock is kept while fetching, so a hundred callers cost one call.
#[derive(Default)]
pub(super) struct TokenCache(Mutex<Option<Token>>);

struct Token {
    value: String,
    until: DateTime<Utc>,
}

impl WechatClient {
    /// The token, fetched if there is none or its time is over.
    ///
    /// # Errors
    /// WeChat is away or refuses the secret.
    pub(super) async fn token(&self) -> Result<String> {
        let mut held = self.inner.token.0.lock().await;
        let now = self.inner.env.now();
        if let Some(token) = held.as_ref().filter(|token| now < token.until) {
            return Ok(token.value.clone());
        }
        let settings = &self.inner.settings;
        // force_refresh would end the token of every other process; it is for leaks alone.
        let body = json!({
            "grant_type": "client_credential",
            "appid": settings.appid,
            "secret": settings.app_secret,
            "force_refresh": false,
        });
        let answer = self.post_json("/cgi-bin/stable_token", &[], &body).await?;
        let value = answer
            .get("access_token")
            .and_then(serde_json::Value::as_str)
            .filter(|value| !value.is_empty());
        let value = value
            .ok_or_else(|| busy(1).because("stable_token without access_token"))?
            .to_owned();
        let lives = answer
            .get("expires_in")
            .and_then(serde_json::Value::as_i64)
            .unwrap_or_default();
        let until = now + Duration::seconds(lives.clamp(0, 7_200).saturating_sub(SPARE_SECONDS));
        *held = Some(Token {
            value: value.clone(),
            until,
        });
        Ok(value)
    }

    /// Forgets a token WeChat refused, unless another caller has replaced it already.
    pub(super) async fn drop_token(&self, refused: &str) {
        let mut held = self.inner.token.0.lock().await;
        if held.as_ref().is_some_and(|token| token.value == refused) {
            *held = None;
        }
    }
}
