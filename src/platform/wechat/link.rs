//! Links that open the mini-program from outside WeChat (spec 1.6).

use super::{WechatClient, fault::busy};
use crate::kernel::{AppError, Result};
use serde_json::{Value, json};

/// Longest query of a link, characters.
const MAX_QUERY: usize = 1_024;
/// Longest life of a link, days.
const MAX_DAYS: u8 = 30;

impl WechatClient {
    /// A https link, for messages and paper, good for `days` (1 to 30).
    ///
    /// # Errors
    /// `internal` when path or query break WeChat's rules, `unavailable` when busy or out of quota.
    pub async fn url_link(&self, path: &str, query: &str, days: u8) -> Result<String> {
        fits(path, query, days)?;
        let body = json!({
            "path": path, "query": query, "env_version": self.inner.settings.env_version,
            "expire_type": 1, "expire_interval": days,
        });
        text(
            &self.told("/wxa/generate_urllink", &body).await?,
            "url_link",
        )
    }

    /// A `weixin://` link, for other apps, good for `days` (1 to 30).
    ///
    /// # Errors
    /// As [`Self::url_link`].
    pub async fn scheme(&self, path: &str, query: &str, days: u8) -> Result<String> {
        fits(path, query, days)?;
        let body = json!({
            "jump_wxa": { "path": path, "query": query, "env_version": self.inner.settings.env_version },
            "is_expire": true, "expire_type": 1, "expire_interval": days,
        });
        text(&self.told("/wxa/generatescheme", &body).await?, "openlink")
    }
}

fn fits(path: &str, query: &str, days: u8) -> Result<()> {
    let good = !path.contains('?')
        && query.chars().count() <= MAX_QUERY
        && query.is_ascii()
        && (1..=MAX_DAYS).contains(&days);
    good.then_some(())
        .ok_or_else(|| AppError::internal("path, query or life of a link break WeChat's rules"))
}

fn text(answer: &Value, field: &'static str) -> Result<String> {
    let link = answer.get(field).and_then(Value::as_str);
    link.map(str::to_owned)
        .ok_or_else(|| busy(1).because(format!("a link without {field}")))
}
