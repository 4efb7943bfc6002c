//! Whether something really comes from WeChat Pay (spec 2.2). The order of the checks is part of the contract.

use super::key::VerifyingKey;
use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// Furthest a signature's time may be from ours, seconds.
const MAX_SKEW_SECONDS: u64 = 300;
const RSA: &str = "WECHATPAY2-SHA256-RSA2048";

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// One of the four headers is missing.
    #[error("header {0} is missing")]
    Missing(&'static str),
    /// Another kind of signature than RSA.
    #[error("signature type is not RSA")]
    Kind,
    /// The time is no number or more than 300 s away.
    #[error("timestamp is outside 300 s")]
    Stale,
    /// No key of exactly this serial.
    #[error("no key of this serial")]
    UnknownSerial,
    /// The certificate of this serial has expired.
    #[error("the certificate of this serial has expired")]
    Expired,
    /// The signature is not that key's over these bytes.
    #[error("signature does not verify")]
    Invalid,
}

/// The headers that prove a body.
pub(super) struct Proof<'a> {
    timestamp: Option<&'a str>,
    nonce: Option<&'a str>,
    serial: Option<&'a str>,
    signature: Option<&'a str>,
    kind: Option<&'a str>,
}

impl<'a> Proof<'a> {
    /// Reads the five headers by name.
    pub(super) fn read(header: impl Fn(&str) -> Option<&'a str>) -> Self {
        Self {
            timestamp: header("Wechatpay-Timestamp"),
            nonce: header("Wechatpay-Nonce"),
            serial: header("Wechatpay-Serial"),
            signature: header("Wechatpay-Signature"),
            kind: header("Wechatpay-Signature-Type"),
        }
    }
}

/// The keys WeChat Pay signs with, by id or serial.
pub(super) struct PlatformKeys(HashMap<String, VerifyingKey>);

impl PlatformKeys {
    /// Takes keys by the name they sign under.
    pub(super) fn new(keys: HashMap<String, VerifyingKey>) -> Self {
        Self(keys)
    }

    /// The key of exactly this id or serial.
    pub(super) fn get(&self, id: &str) -> Option<&VerifyingKey> {
        self.0.get(id)
    }

    /// Checks headers, kind, time, serial and signature, in this order, over the raw bytes.
    pub(super) fn verify(
        &self,
        proof: &Proof<'_>,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<(), SignatureFault> {
        let timestamp = proof
            .timestamp
            .ok_or(SignatureFault::Missing("Wechatpay-Timestamp"))?;
        let nonce = proof
            .nonce
            .ok_or(SignatureFault::Missing("Wechatpay-Nonce"))?;
        let serial = proof
            .serial
            .ok_or(SignatureFault::Missing("Wechatpay-Serial"))?;
        let signature = proof
            .signature
            .ok_or(SignatureFault::Missing("Wechatpay-Signature"))?;
        if proof.kind.is_some_and(|kind| kind != RSA) {
            return Err(SignatureFault::Kind);
        }
        let at: i64 = timestamp.parse().map_err(|_| SignatureFault::Stale)?;
        if now.timestamp().abs_diff(at) > MAX_SKEW_SECONDS {
            return Err(SignatureFault::Stale);
        }
        let key = self.0.get(serial).ok_or(SignatureFault::UnknownSerial)?;
        if key.is_expired(now) {
            return Err(SignatureFault::Expired);
        }
        let message = answer_message(timestamp, nonce, body);
        if key.verifies(&message, signature) {
            Ok(())
        } else {
            Err(SignatureFault::Invalid)
        }
    }
}

/// What WeChat Pay signs: `timestamp\nnonce\nbody\n`.
pub(super) fn answer_message(timestamp: &str, nonce: &str, body: &[u8]) -> Vec<u8> {
    [
        timestamp.as_bytes(),
        b"\n",
        nonce.as_bytes(),
        b"\n",
        body,
        b"\n",
    ]
    .concat()
}

/// What a merchant signs: `METHOD\nURI\ntimestamp\nnonce\nbody\n`; the URI is path and query as sent (spec 2.1).
pub(super) fn request_message(
    method: &str,
    uri: &str,
    timestamp: &str,
    nonce: &str,
    body: &[u8],
) -> Vec<u8> {
    let head = format!("{method}\n{uri}\n{timestamp}\n{nonce}\n");
    [head.as_bytes(), body, b"\n"].concat()
}
