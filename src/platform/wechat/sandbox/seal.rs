//! WeChat's side of the signatures: the merchant's are checked, answers and notifications are signed.

use super::{MCHID, Sandbox};
use crate::kernel::{AppError, Result};
use crate::platform::wechat::{
    cipher,
    key::nonce,
    verify::{answer_message, request_message},
};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, http::header};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::collections::HashMap;

const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048 ";

/// A refusal of the pay API: status, code, message.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: &'static str,
}

impl Refusal {
    pub(super) const fn new(status: u16, code: &'static str, message: &'static str) -> Self {
        Self {
            status,
            code,
            message,
        }
    }
}

impl From<AppError> for Refusal {
    fn from(error: AppError) -> Self {
        tracing::error!(error = %error, "the WeChat sandbox failed");
        Self::new(500, "SYSTEM_ERROR", "系统异常,请稍后重试")
    }
}

impl Sandbox {
    /// Checks that the merchant signed exactly this request, now (spec 2.1).
    pub(super) fn check_merchant(&self, req: &HttpRequest, body: &[u8]) -> Result<(), Refusal> {
        const REFUSED: Refusal = Refusal::new(401, "SIGN_ERROR", "签名错误");
        let header = |name| {
            req.headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let text = header(header::AUTHORIZATION.as_str())
            .and_then(|text| text.strip_prefix(SCHEME))
            .ok_or(REFUSED)?;
        let pairs: HashMap<&str, &str> = text
            .split(',')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.trim(), value.trim_matches('"')))
            .collect();
        let field = |name| pairs.get(name).copied().ok_or(REFUSED);
        let secrets = &self.inner.secrets;
        if field("mchid")? != MCHID || field("serial_no")? != secrets.merchant_serial {
            return Err(REFUSED);
        }
        let (timestamp, nonce) = (field("timestamp")?, field("nonce_str")?);
        let at: i64 = timestamp.parse().map_err(|_| REFUSED)?;
        if self.inner.env.now().timestamp().abs_diff(at) > 300 {
            return Err(REFUSED);
        }
        let uri = req
            .uri()
            .path_and_query()
            .map_or_else(|| req.path(), |uri| uri.as_str());
        let message = request_message(req.method().as_str(), uri, timestamp, nonce, body);
        if !secrets
            .merchant_public
            .verifies(&message, field("signature")?)
        {
            return Err(REFUSED);
        }
        let ours =
            |serial| serial == secrets.platform_key_id || serial == secrets.certificate_serial;
        if header("Wechatpay-Serial").is_some_and(|serial| !ours(serial)) {
            return Err(Refusal::new(
                400,
                "PARAM_ERROR",
                "Wechatpay-Serial 不是本商户的微信支付公钥",
            ));
        }
        Ok(())
    }

    /// The answer to a pay call under the public key, signed whether good or bad.
    pub(super) fn signed(&self, outcome: Result<Value, Refusal>) -> HttpResponse {
        self.signed_by(&self.inner.secrets.platform_key_id, outcome)
    }

    /// The answer, signed as the request asked for.
    pub(super) fn signed_for(
        &self,
        req: &HttpRequest,
        outcome: Result<Value, Refusal>,
    ) -> HttpResponse {
        let secrets = &self.inner.secrets;
        let asked = req.headers().get("Wechatpay-Serial");
        if asked.is_some_and(|serial| serial.as_bytes() == secrets.certificate_serial.as_bytes()) {
            return self.signed_by(&secrets.certificate_serial, outcome);
        }
        self.signed(outcome)
    }

    /// The answer to a pay call, signed under this key id or serial.
    pub(super) fn signed_by(&self, serial: &str, outcome: Result<Value, Refusal>) -> HttpResponse {
        let (status, body) = match outcome {
            Ok(Value::Null) => (204, Vec::new()),
            Ok(body) => (200, body.to_string().into_bytes()),
            Err(refusal) => (
                refusal.status,
                json!({ "code": refusal.code, "message": refusal.message })
                    .to_string()
                    .into_bytes(),
            ),
        };
        let Ok(headers) = self.signature_by(serial, &body, 0) else {
            return HttpResponse::InternalServerError().finish();
        };
        let mut answer = HttpResponse::build(
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        );
        answer.content_type("application/json");
        for (name, value) in headers {
            answer.insert_header((name, value));
        }
        answer.body(body)
    }

    /// The headers that prove a notification, signed at our time plus `skew_seconds`, under the key the switches say.
    pub(super) fn signature(
        &self,
        body: &[u8],
        skew_seconds: i64,
    ) -> Result<Vec<(&'static str, String)>> {
        let secrets = &self.inner.secrets;
        let serial = if self.chaos().certificate {
            &secrets.certificate_serial
        } else {
            &secrets.platform_key_id
        };
        self.signature_by(serial, body, skew_seconds)
    }

    fn signature_by(
        &self,
        serial: &str,
        body: &[u8],
        skew_seconds: i64,
    ) -> Result<Vec<(&'static str, String)>> {
        let timestamp = self
            .inner
            .env
            .now()
            .timestamp()
            .saturating_add(skew_seconds)
            .to_string();
        let nonce = nonce().map_err(AppError::internal)?;
        let message = answer_message(&timestamp, &nonce, body);
        // Certificate and public key are two names of one key here; at WeChat they are two keys.
        let signature = self
            .inner
            .secrets
            .platform_key
            .sign(&message)
            .map_err(AppError::internal)?;
        Ok(vec![
            ("Wechatpay-Timestamp", timestamp),
            ("Wechatpay-Nonce", nonce),
            ("Wechatpay-Serial", serial.to_owned()),
            ("Wechatpay-Signature", signature),
            (
                "Wechatpay-Signature-Type",
                "WECHATPAY2-SHA256-RSA2048".into(),
            ),
        ])
    }

    /// What `GET /v3/certificates` lists.
    pub(super) fn certificate_list(&self) -> Result<Value> {
        let secrets = &self.inner.secrets;
        let nonce: String = nonce()
            .map_err(AppError::internal)?
            .chars()
            .take(12)
            .collect();
        let pem = secrets.certificate_pem.clone().into_bytes();
        let sealed = secrets
            .cipher
            .seal(&nonce, "certificate", pem)
            .ok_or_else(|| AppError::internal("sealing the sandbox certificate failed"))?;
        Ok(json!({ "data": [{
            "serial_no": secrets.certificate_serial,
            "effective_time": "2025-01-01T00:00:00+08:00",
            "expire_time": "2045-01-01T00:00:00+08:00",
            "encrypt_certificate": {
                "algorithm": cipher::ALGORITHM,
                "nonce": nonce,
                "associated_data": "certificate",
                "ciphertext": STANDARD.encode(sealed),
            },
        }]}))
    }

    /// Seals what a notification carries. `spoil` flips one bit of the ciphertext.
    pub(super) fn resource(&self, kind: &str, plain: &Value, spoil: bool) -> Result<Value> {
        let nonce: String = nonce()
            .map_err(AppError::internal)?
            .chars()
            .take(12)
            .collect();
        let sealed = self
            .inner
            .secrets
            .cipher
            .seal(&nonce, kind, plain.to_string().into_bytes());
        let mut sealed =
            sealed.ok_or_else(|| AppError::internal("sealing a sandbox notification failed"))?;
        if let Some(byte) = sealed.first_mut().filter(|_| spoil) {
            *byte ^= 1;
        }
        Ok(json!({
            "original_type": kind,
            "algorithm": cipher::ALGORITHM,
            "ciphertext": STANDARD.encode(sealed),
            "associated_data": kind,
            "nonce": nonce,
        }))
    }
}
