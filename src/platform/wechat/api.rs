//! The mini-program API: login, phone number, codes and links (spec 1.1 to 1.6).

use super::{
    WechatClient,
    fault::{ApiFault, Class, busy},
    limit,
};
use crate::kernel::{AppError, Code, Result};
use bytes::Bytes;
use reqwest::{RequestBuilder, header};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// WeChat's codes are about 32 characters; longer ones are not WeChat's.
const MAX_CODE: usize = 512;
/// Waits before a busy WeChat is asked again (spec 1: three times at most, within what a person waits for).
const BUSY_PAUSES: [Duration; 3] = [
    Duration::from_millis(150),
    Duration::from_millis(400),
    Duration::from_millis(900),
];

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
    /// Documented as text, seen as a number.
    #[serde(rename = "countryCode", default)]
    country: Value,
    watermark: Watermark,
}

impl PhoneInfo {
    /// Whether the number is of the Chinese mainland, which is all a home-service company can call back.
    fn is_mainland(&self) -> bool {
        match &self.country {
            Value::Null => true,
            Value::String(code) => code.trim_start_matches('+') == "86" || code.is_empty(),
            code => code.as_i64() == Some(86),
        }
    }
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
        let mut pauses = BUSY_PAUSES.iter();
        let answer = loop {
            let answer = self.call(self.inner.http.get(url.clone())).await?.1;
            match (class_of(&answer), pauses.next()) {
                (Some(Class::Busy), Some(pause)) => tokio::time::sleep(*pause).await,
                _ => break checked(&answer)?,
            }
        };
        serde_json::from_value(answer).map_err(|error| busy(1).because(error))
    }

    /// Exchanges a getPhoneNumber code (single use; not the login code) for the number without country code.
    ///
    /// # Errors
    /// `wechat_code_invalid` for a wrong or used code, `unavailable` when busy.
    pub async fn phone_number(&self, code: &str) -> Result<String> {
        plausible(code)?;
        // Each success costs money (WX-07): the meter is what the shop compares WeChat's invoice with.
        metrics::counter!("linjian_wechat_phone_numbers_total").increment(1);
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
        if !info.is_mainland() {
            return Err(AppError::new(
                Code::Validation,
                "目前只支持中国大陆手机号,请换一个号码",
            ));
        }
        Ok(info.number)
    }

    /// The mini-program code for `scene` (1 to 32 visible characters) on `page` (no leading slash), as an image.
    ///
    /// # Errors
    /// `internal` when scene or page break WeChat's rules, `unavailable` when busy or out of quota.
    pub async fn wxacode_unlimited(&self, scene: &str, page: Option<&str>) -> Result<Bytes> {
        if !limit::is_scene(scene) || page.is_some_and(|page| !limit::is_page(page)) {
            return Err(AppError::internal(
                "scene or page of a code break WeChat's rules",
            ));
        }
        let mut body = json!({
            "scene": scene,
            "check_path": true,
            "env_version": self.inner.settings.env_version,
            "width": 430,
        });
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

    /// Posts JSON with the access token. A refused token is fetched anew once; a busy WeChat is asked again (spec 1, 1.2).
    /// Every other answer, good or bad, is the caller's to read.
    pub(super) async fn with_token(&self, path: &str, body: &Value) -> Result<(String, Bytes)> {
        let mut pauses = BUSY_PAUSES.iter();
        let mut refetched = false;
        loop {
            let token = self.token().await?;
            let answer = self.post_with(path, &token, body).await?;
            match class_of(&answer.1) {
                Some(Class::Token) if !refetched => {
                    refetched = true;
                    self.drop_token(&token).await;
                }
                Some(Class::Busy) => match pauses.next() {
                    Some(pause) => tokio::time::sleep(*pause).await,
                    None => return Ok(answer),
                },
                _ => return Ok(answer),
            }
        }
    }

    /// [`Self::with_token`] for calls whose only answers are success and fault.
    ///
    /// # Errors
    /// The fault, by its class.
    pub(super) async fn told(&self, path: &str, body: &Value) -> Result<Value> {
        checked(&self.with_token(path, body).await?.1)
    }

    /// A GET with the access token.
    pub(super) async fn get_with_token(&self, path: &str) -> Result<Value> {
        let token = self.token().await?;
        let url = self.api_url(path, &[("access_token", &token)]);
        let answer = self.call(self.inner.http.get(url)).await?.1;
        if class_of(&answer) != Some(Class::Token) {
            return checked(&answer);
        }
        self.drop_token(&token).await;
        let token = self.token().await?;
        let url = self.api_url(path, &[("access_token", &token)]);
        checked(&self.call(self.inner.http.get(url)).await?.1)
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

fn class_of(bytes: &Bytes) -> Option<Class> {
    // An image is not JSON and carries no fault.
    let answer = bytes.first().filter(|byte| **byte == b'{').map(|_| ());
    answer
        .and_then(|()| serde_json::from_slice(bytes).ok())
        .and_then(|answer| ApiFault::of(&answer))
        .map(|fault| fault.class())
}
