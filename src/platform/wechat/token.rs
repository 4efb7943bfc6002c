//! The stable access token: one per mini-program, fetched by one caller at a time, shared by all nodes (spec 1.2).

use super::{
    WechatClient,
    fault::busy,
    shelf::{Token, TokenShelf},
};
use crate::kernel::Result;
use chrono::{DateTime, Duration, Utc};
use serde_json::json;
use tokio::sync::Mutex;

/// WeChat changes the token in the last five minutes and honours both; we change with it.
const SPARE_SECONDS: i64 = 300;
/// A token that is in its last five minutes already is used this long before we look again.
const LEAST_SECONDS: i64 = 60;
/// How often, and how many times, a node looks whether the one that fetches is done.
const LOOK: std::time::Duration = std::time::Duration::from_millis(50);
const LOOKS: usize = 100;

/// The token held now. The lock is kept while fetching, so a hundred callers cost one call.
#[derive(Default)]
pub(super) struct TokenCache(Mutex<Option<Token>>);

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
        let token = match &self.inner.shelf {
            Some(place) => self.shared_token(place, now).await?,
            None => self.fetch_token(now).await?,
        };
        let value = token.value.clone();
        *held = Some(token);
        Ok(value)
    }

    /// What another node fetched, or else our own; while one fetches, the others wait for it.
    async fn shared_token(&self, place: &TokenShelf, now: DateTime<Utc>) -> Result<Token> {
        for _ in 0..LOOKS {
            if let Some(token) = place.read(now).await {
                return Ok(token);
            }
            if place.claim().await {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        // Between our look and our claim the other may have finished.
        if let Some(token) = place.read(now).await {
            place.release().await;
            return Ok(token);
        }
        let fetched = self.fetch_token(now).await;
        if let Ok(token) = &fetched {
            place.put(token, now).await;
        }
        place.release().await;
        fetched
    }

    async fn fetch_token(&self, now: DateTime<Utc>) -> Result<Token> {
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
            .unwrap_or_default()
            .clamp(LEAST_SECONDS, 7_200);
        let used = lives.saturating_sub(SPARE_SECONDS).max(LEAST_SECONDS);
        Ok(Token {
            value,
            until: now + Duration::seconds(used),
        })
    }

    /// Forgets a token WeChat refused, here and for all nodes, unless another caller has replaced it already.
    pub(super) async fn drop_token(&self, refused: &str) {
        let mut held = self.inner.token.0.lock().await;
        if held.as_ref().is_some_and(|token| token.value == refused) {
            *held = None;
        }
        if let Some(shelf) = &self.inner.shelf {
            shelf.drop_refused(refused).await;
        }
    }
}
