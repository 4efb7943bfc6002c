//! Open data of old clients: what `wx.getUserInfo` and the old phone button hand over, under the session key (spec 1.8).
//! Pure.

use super::cbc;
use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{SHA1_FOR_LEGACY_USE_ONLY, digest},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

/// Ordinary padding, one block.
const PAD_TO: usize = 16;
/// WeChat sets no limit; ours keeps a stolen box from being shown again later.
const FRESH_SECONDS: u64 = 300;

/// Why open data does not count. Says nothing of what is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenDataFault {
    /// It does not open with this session key: changed, or of another login.
    #[error("it does not open with this session key")]
    Sealed,
    /// Its watermark is missing or names another mini-program.
    #[error("its watermark is not ours")]
    Foreign,
    /// Its watermark is older, or further ahead, than five minutes.
    #[error("its watermark is not fresh")]
    Stale,
}

/// Opens `encrypted` and checks its watermark; `now` is a Unix second.
pub(super) fn open(
    (session_key, iv): (&str, &str),
    encrypted: &str,
    appid: &str,
    now: i64,
) -> Result<Value, OpenDataFault> {
    let data = opened(session_key, iv, encrypted).ok_or(OpenDataFault::Sealed)?;
    let mark = data.get("watermark").ok_or(OpenDataFault::Foreign)?;
    if mark.get("appid").and_then(Value::as_str) != Some(appid) {
        return Err(OpenDataFault::Foreign);
    }
    let made = mark.get("timestamp").and_then(second);
    match made {
        Some(made) if now.abs_diff(made) <= FRESH_SECONDS => Ok(data),
        _ => Err(OpenDataFault::Stale),
    }
}

fn opened(session_key: &str, iv: &str, encrypted: &str) -> Option<Value> {
    let key: [u8; 16] = STANDARD.decode(session_key).ok()?.try_into().ok()?;
    let iv: [u8; cbc::BLOCK] = STANDARD.decode(iv).ok()?.try_into().ok()?;
    let plain = cbc::open(&key, &iv, STANDARD.decode(encrypted).ok()?, PAD_TO)?;
    let data: Value = serde_json::from_slice(&plain).ok()?;
    data.is_object().then_some(data)
}

/// A number, or a text that is one (spec 1).
fn second(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    }
}

/// Whether `signature` is WeChat's over the plain half of the data.
pub(super) fn is_signed(raw_data: &str, session_key: &str, signature: &str) -> bool {
    let wanted = hex::encode(digest(
        &SHA1_FOR_LEGACY_USE_ONLY,
        format!("{raw_data}{session_key}").as_bytes(),
    ));
    verify_slices_are_equal(signature.as_bytes(), wanted.as_bytes()).is_ok()
}
