//! Bodies: size first, then JSON with unknown fields refused, then `validator`; every fault with a JSON pointer.

use super::order::recognised;
use crate::kernel::{AppError, Code, FieldError, Result};
use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header};
use aws_lc_rs::digest;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use std::{future::Future, pin::Pin};
use validator::{Validate, ValidationErrors, ValidationErrorsKind};

/// Largest multipart upload, bytes: a photo and its fields.
pub const MULTIPART_LIMIT: usize = 11 * 1024 * 1024;

/// A JSON body that passed every check. `LIMIT` is its largest size in bytes.
pub struct Valid<T, const LIMIT: usize = 65_536> {
    /// The parsed body.
    pub value: T,
    /// SHA-256 of the bytes as sent, for idempotency keys.
    pub hash: String,
}

impl<T, const LIMIT: usize> FromRequest for Valid<T, LIMIT>
where
    T: DeserializeOwned + Validate + 'static,
{
    type Error = AppError;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let typed = req
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let bytes = read(payload.take(), LIMIT);
        let recognised = recognised(req);
        Box::pin(async move {
            recognised.await;
            let bytes = bytes.await?;
            if let Some(typed) = typed.filter(|typed| !typed.contains("json")) {
                tracing::debug!(content_type = %typed, "body is not declared as JSON");
                return Err(AppError::new(
                    Code::UnsupportedMedia,
                    "请求体应为 application/json",
                ));
            }
            let value = parse(&bytes)?;
            check(&value)?;
            Ok(Self {
                value,
                hash: hex::encode(digest::digest(&digest::SHA256, &bytes)),
            })
        })
    }
}

/// A JSON body as text, for whoever reads it himself. `LIMIT` is its largest size in bytes.
pub struct Text<const LIMIT: usize> {
    /// The text as sent.
    pub value: String,
    /// SHA-256 of the bytes as sent, for idempotency keys.
    pub hash: String,
}

impl<const LIMIT: usize> FromRequest for Text<LIMIT> {
    type Error = AppError;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = read(payload.take(), LIMIT);
        let recognised = recognised(req);
        Box::pin(async move {
            recognised.await;
            let bytes = bytes.await?;
            let hash = hex::encode(digest::digest(&digest::SHA256, &bytes));
            let value = String::from_utf8(bytes)
                .map_err(|_| AppError::field("", "utf8", "文件应为 UTF-8 编码的文字"))?;
            Ok(Self { value, hash })
        })
    }
}

async fn read(mut payload: Payload, limit: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| match error {
            actix_web::error::PayloadError::Overflow => too_large(limit),
            other => AppError::new(Code::Validation, "请求体没有完整到达").because(other),
        })?;
        if bytes.len().saturating_add(chunk.len()) > limit {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn too_large(limit: usize) -> AppError {
    AppError::new(
        Code::PayloadTooLarge,
        format!("请求体不得超过 {limit} 字节"),
    )
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // An empty body stands for an empty object: calls without parameters need not send one.
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = pointer_of(error.path());
        let code = if error.inner().is_data() {
            "type"
        } else {
            "json"
        };
        AppError::field(pointer, code, error.inner().to_string())
    })?;
    json.end()
        .map_err(|error| AppError::field("", "json", error.to_string()))?;
    match nul(bytes) {
        Some(pointer) => Err(AppError::field(pointer, "nul", "文字里不能有 NUL 字符")),
        None => Ok(value),
    }
}

/// Where a text holds U+0000, which PostgreSQL cannot keep. Only an escape can bring one in.
fn nul(bytes: &[u8]) -> Option<String> {
    let escaped = bytes.windows(6).any(|six| six == br"\u0000");
    let value = escaped.then(|| serde_json::from_slice::<serde_json::Value>(bytes).ok())??;
    find_nul(&value, String::new())
}

fn find_nul(value: &serde_json::Value, at: String) -> Option<String> {
    use serde_json::Value;
    match value {
        Value::String(text) => text.contains('\0').then_some(at),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| find_nul(item, format!("{at}/{index}"))),
        Value::Object(members) => members.iter().find_map(|(key, member)| {
            if key.contains('\0') {
                return Some(at.clone());
            }
            find_nul(member, format!("{at}/{}", escape(key)))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// A member's name in a JSON pointer (RFC 6901).
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |mut pointer, segment| {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&escape(key)),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
        pointer
    })
}

/// Runs `validator` and turns its tree into pointers.
///
/// # Errors
/// `validation` with every fault.
pub fn check(value: &impl Validate) -> Result<()> {
    value.validate().map_err(|errors| {
        let mut fields = Vec::new();
        flatten(&errors, "", &mut fields);
        fields.sort_by(|a, b| a.pointer.cmp(&b.pointer));
        AppError::fields(fields)
    })
}

fn flatten(errors: &ValidationErrors, at: &str, out: &mut Vec<FieldError>) {
    for (field, kind) in errors.errors() {
        let pointer = format!("{at}/{field}");
        match kind {
            ValidationErrorsKind::Field(faults) => out.extend(faults.iter().map(|fault| {
                FieldError {
                    pointer: pointer.clone(),
                    code: fault.code.to_string(),
                    detail: fault
                        .message
                        .as_ref()
                        .map_or_else(|| sentence(&fault.code), ToString::to_string),
                }
            })),
            ValidationErrorsKind::Struct(inner) => flatten(inner, &pointer, out),
            ValidationErrorsKind::List(items) => {
                for (index, inner) in items {
                    flatten(inner, &format!("{pointer}/{index}"), out);
                }
            }
        }
    }
}

fn sentence(code: &str) -> String {
    match code {
        "range" => "数值超出允许范围",
        "length" => "长度超出允许范围",
        "email" => "不是电子邮箱地址",
        "url" => "不是网址",
        _ => "内容不符合要求",
    }
    .into()
}
