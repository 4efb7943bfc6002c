//! The mini-program API: login, phone number, codes and links (spec 1.1 to 1.6).

use super::{
    WechatClient,
    fault::{ApiFault, busy},
};
use crate::kernel::{AppError, Code, Result};
use bytes::Bytes;
use reqwest::{RequestBuilder, header};
use serde::Deserialize;
use serde_json::{Value, json};

/// WeChat's codes are about 32 characters; longer ones are not WeChat's.
const MAX_CODE: usize = 512;
/// The token is unknown, expired or malformed.
const TOKEN_CODES: [i64; 3] = [40_001, 42_001, 40_014];

/// Who logged in. The session key is sealed before it is stored and never leaves the server (spec 1.1).
#[derive(Deserialize)]
pub struct Session {
    /// The person in our mini-program.
    pub openid: String,
    /// The person across apps of one open-platform account, when there is one.
    pub unionid: Option<String>,
    /// Opens encrypted data of old clients.
    pub session_key: String,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct PhoneInfo {
    #[serde(rename = "purePhoneNumber")]
    number: String,
    watermark: Watermark,
}

#[derive(Deserialize)]
struct Watermark {
    appid: String,
}

impl WechatClient {
    /// Exchanges a `wx.login` code (single use) for the person.
    ///
    /// # Errors
    /// `wechat_code_invalid` for a wrong or used code, `forbidden` for a person WeChat blocks, `unavailable` when busy.
    pub async fn code2session(&self, code: &str) -> Result<Session> {
        plausible(code)?;
        let settings = &self.inner.settings;
        let query = [
            ("appid", settings.appid.as_str()),
            ("secret", &settings.app_secret),
            ("js_code", code),
            ("grant_type", "authorization_code"),
        ];
        let url = self.api_url("/sns/jscode2session", &query);
        let answer = checked(&self.call(self.inner.http.get(url)).await?.1)?;
        serde_json::from_value(answer).map_err(|error| busy(1).because(error))
    }

    /// Exchanges a getPhoneNumber code (single use; not the login code) for the number without country code.
    ///
    /// # Errors
    /// `wechat_code_invalid` for a wrong or used code, `unavailable` when busy.
    pub async fn phone_number(&self, code: &str) -> Result<String> {
        plausible(code)?;
        let answer = self
            .with_token("/wxa/business/getuserphonenumber", &json!({ "code": code }))
            .await?;
        let answer = checked(&answer.1)?;
        let info = answer.get("phone_info").cloned().unwrap_or_default();
        let info: PhoneInfo =
            serde_json::from_value(info).map_err(|error| busy(1).because(error))?;
        if info.watermark.appid != self.inner.settings.appid {
            return Err(AppError::new(
                Code::WechatCodeInvalid,
                "手机号凭证不属于本小程序",
            ));
        }
        Ok(info.number)
    }

    /// The mini-program code for `scene` (1 to 32 visible characters) on `page` (no leading slash), as an image.
    ///
    /// # Errors
    /// `internal` when scene or page break WeChat's rules, `unavailable` when busy or out of quota.
    pub async fn wxacode_unlimited(&self, scene: &str, page: Option<&str>) -> Result<Bytes> {
        let mut body =
            json!({ "scene": scene, "check_path": true, "env_version": "release", "width": 430 });
        if let (Some(page), Some(body)) = (page, body.as_object_mut()) {
            body.insert("page".into(), page.into());
        }
        let (kind, bytes) = self.with_token("/wxa/getwxacodeunlimit", &body).await?;
        if kind.starts_with("image/") {
            return Ok(bytes);
        }
        checked(&bytes)?;
        Err(busy(1).because("getwxacodeunlimit answered neither image nor error"))
    }

    /// A link that opens the mini-program from outside WeChat, good for `days` (1 to 30).
    ///
    /// # Errors
    /// `internal` when path or query break WeChat's rules, `unavailable` when busy or out of quota.
    pub async fn url_link(&self, path: &str, query: &str, days: u8) -> Result<String> {
        let body = json!({
            "path": path, "query": query, "env_version": "release", "expire_type": 1, "expire_interval": days,
        });
        let answer = checked(&self.with_token("/wxa/generate_urllink", &body).await?.1)?;
        let link = answer.get("url_link").and_then(Value::as_str);
        link.map(str::to_owned)
            .ok_or_else(|| busy(1).because("generate_urllink without url_link"))
    }

    /// Posts JSON and reads JSON; an `errcode` is an error.
    pub(super) async fn post_json(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: &Value,
    ) -> Result<Value> {
        checked(
            &self
                .call(self.inner.http.post(self.api_url(path, query)).json(body))
                .await?
                .1,
        )
    }

    /// Posts JSON with the access token; when WeChat refuses the token, once more with a new one (spec 1.2).
    pub(super) async fn with_token(&self, path: &str, body: &Value) -> Result<(String, Bytes)> {
        let token = self.token().await?;
        let answer = self.post_with(path, &token, body).await?;
        if !refuses_token(&answer.1) {
            return Ok(answer);
        }
        self.drop_token(&token).await;
        let token = self.token().await?;
        self.post_with(path, &token, body).await
    }

    async fn post_with(&self, path: &str, token: &str, body: &Value) -> Result<(String, Bytes)> {
        self.call(
            self.inner
                .http
                .post(self.api_url(path, &[("access_token", token)]))
                .json(body),
        )
        .await
    }

    async fn call(&self, request: RequestBuilder) -> Result<(String, Bytes)> {
        // The query holds secret and token: no error may carry the URL.
        let lost = |error: reqwest::Error| busy(1).because(error.without_url());
        let answer = request.send().await.map_err(lost)?;
        if !answer.status().is_success() {
            return Err(busy(1).because(format!(
                "mini-program API answered {}",
                answer.status().as_u16()
            )));
        }
        let kind = answer
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default().to_ascii_lowercase();
        Ok((kind, answer.bytes().await.map_err(lost)?))
    }

    fn api_url(&self, path: &str, query: &[(&str, &str)]) -> reqwest::Url {
        let mut url = self.inner.api_base.clone();
        url.set_path(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

fn plausible(code: &str) -> Result<()> {
    if code.is_empty() || code.len() > MAX_CODE {
        return Err(ApiFault {
            code: 40_029,
            rid: None,
        }
        .into());
    }
    Ok(())
}

/// Reads an answer of any content type; an `errcode` becomes our error.
fn checked(bytes: &Bytes) -> Result<Value> {
    let answer: Value = serde_json::from_slice(bytes).map_err(|error| busy(1).because(error))?;
    ApiFault::of(&answer).map_or(Ok(answer), |fault| Err(fault.into()))
}

fn refuses_token(bytes: &Bytes) -> bool {
    // An image is not JSON and is never a refusal.
    serde_json::from_slice(bytes)
        .ok()
        .and_then(|answer| ApiFault::of(&answer))
        .is_some_and(|f| TOKEN_CODES.contains(&f.code))
}
