//! The wire to WeChat Pay: every request signed, every success verified (spec 2.1, 2.2).

use super::{
    WechatClient,
    fault::{Fault, PayFault},
    key::nonce,
    verify::{Proof, SignatureFault, request_message},
};
use reqwest::{
    Method, Url,
    header::{self, HeaderMap},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The host that has a spare.
pub(super) const SPARE_FOR: &str = "api.mch.weixin.qq.com";
/// The spare.
pub(super) const SPARE_HOST: &str = "api2.mch.weixin.qq.com";

/// One call: what is signed is what is sent, so the body is serialised before either.
pub(super) struct PayCall {
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl PayCall {
    /// A GET of these path segments; each is percent-encoded on its own.
    pub(super) fn get(path: &[&str], query: Vec<(&'static str, String)>) -> Self {
        Self {
            method: Method::GET,
            path: path.iter().map(ToString::to_string).collect(),
            query,
            body: Vec::new(),
        }
    }

    /// A POST of a JSON value.
    pub(super) fn post(path: &[&str], body: &Value) -> Self {
        Self {
            method: Method::POST,
            path: path.iter().map(ToString::to_string).collect(),
            query: Vec::new(),
            body: body.to_string().into_bytes(),
        }
    }

    /// A POST without a body; the line feed after it is signed all the same (spec 2.1).
    pub(super) fn empty_post(path: &[&str]) -> Self {
        Self {
            method: Method::POST,
            ..Self::get(path, Vec::new())
        }
    }

    fn url(&self, base: &Url, spare: bool) -> Url {
        let mut url = base.clone();
        if spare {
            // Only a cannot-be-a-base URL refuses a host; ours was checked at start.
            let _unchanged_on_error = url.set_host(Some(SPARE_HOST));
        }
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(&self.path);
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }
}

/// Path and query as they are sent.
pub(super) fn uri(url: &Url) -> String {
    url.query().map_or_else(
        || url.path().to_owned(),
        |query| format!("{}?{query}", url.path()),
    )
}

impl WechatClient {
    /// Calls and, where the same call again is harmless, calls once more after an unknown outcome (spec 2.10).
    pub(super) async fn pay_again<T: DeserializeOwned>(&self, call: &PayCall) -> Result<T, Fault> {
        match self.pay_once(call).await {
            Err(fault) if fault.is_unknown() => {
                tracing::info!(fault = %fault, "WeChat Pay gave no clear answer; the same request once more");
                self.pay_once(call).await
            }
            outcome => outcome,
        }
    }

    /// Calls once and believes a success only when it is signed.
    pub(super) async fn pay_once<T: DeserializeOwned>(&self, call: &PayCall) -> Result<T, Fault> {
        self.have_a_key().await?;
        let (headers, body) = self.exchange(call).await?;
        let verify = || {
            let proof = Proof::read(|name| headers.get(name).and_then(|value| value.to_str().ok()));
            self.inner
                .platform_keys
                .verify(&proof, &body, self.inner.env.now())
        };
        match verify() {
            // Perhaps a certificate that is new since we asked last.
            Err(SignatureFault::UnknownSerial) if self.renew_soon().await => verify()?,
            outcome => outcome?,
        }
        let bytes = body;
        let bytes = if bytes.is_empty() {
            b"null".as_slice()
        } else {
            &bytes
        };
        serde_json::from_slice(bytes).map_err(Fault::Unreadable)
    }

    /// Sends a signed request and gives a success as it came, not verified yet. When no connection came about, nothing
    /// was sent, and the second try goes to the spare host.
    pub(super) async fn exchange(&self, call: &PayCall) -> Result<(HeaderMap, Vec<u8>), Fault> {
        let base = &self.inner.pay_base;
        match self.send(call, &call.url(base, false)).await {
            Err(Fault::Connect(_)) => {
                let spare = base.host_str() == Some(SPARE_FOR);
                self.send(call, &call.url(base, spare)).await
            }
            outcome => outcome,
        }
    }

    async fn send(&self, call: &PayCall, url: &Url) -> Result<(HeaderMap, Vec<u8>), Fault> {
        let authorization = self.authorization(call.method.as_str(), &uri(url), &call.body)?;
        let mut request = self
            .inner
            .http
            .request(call.method.clone(), url.clone())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, authorization);
        if let Some(key) = self.answer_key() {
            request = request.header("Wechatpay-Serial", key);
        }
        let answer = request
            .body(call.body.clone())
            .send()
            .await
            .map_err(|error| {
                let error = error.without_url();
                if error.is_connect() {
                    Fault::Connect(error)
                } else {
                    Fault::Lost(error)
                }
            })?;
        let status = answer.status();
        let headers = answer.headers().clone();
        let body = answer
            .bytes()
            .await
            .map_err(|error| Fault::Lost(error.without_url()))?;
        if !status.is_success() {
            // Errors may come unsigned: they are only ever an error (spec 2.2).
            return Err(Fault::Refused(PayFault {
                status: status.as_u16(),
                code: code_of(&body),
            }));
        }
        Ok((headers, body.to_vec()))
    }

    /// The header for now, signed over this method, address and body.
    pub(super) fn authorization(
        &self,
        method: &str,
        uri: &str,
        body: &[u8],
    ) -> Result<String, Fault> {
        let nonce = nonce().map_err(|_| Fault::Signing)?;
        self.authorization_at(
            &self.inner.env.now().timestamp().to_string(),
            &nonce,
            (method, uri, body),
        )
    }

    /// The header for a given time and nonce; signatures are deterministic (spec 2.1).
    pub(super) fn authorization_at(
        &self,
        timestamp: &str,
        nonce: &str,
        (method, uri, body): (&str, &str, &[u8]),
    ) -> Result<String, Fault> {
        let message = request_message(method, uri, timestamp, nonce, body);
        let signature = self
            .inner
            .merchant_key
            .sign(&message)
            .map_err(|_| Fault::Signing)?;
        let settings = &self.inner.settings;
        Ok(format!(
            "WECHATPAY2-SHA256-RSA2048 mchid=\"{}\",nonce_str=\"{nonce}\",signature=\"{signature}\",timestamp=\"{timestamp}\",serial_no=\"{}\"",
            settings.mchid, settings.merchant_serial
        ))
    }
}

/// The `code` of an error body; empty for a proxy's HTML.
fn code_of(body: &[u8]) -> String {
    let body: Option<Value> = serde_json::from_slice(body).ok();
    let code = body
        .as_ref()
        .and_then(|body| body.get("code"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    code.chars()
        .filter(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_')
        .take(64)
        .collect()
}
