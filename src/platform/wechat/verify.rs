//! Whether something really comes from WeChat Pay (spec 2.2). The order of the checks is part of the contract.

use super::key::VerifyingKey;
use chrono::{DateTime, Utc};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

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

/// A platform certificate WeChat Pay gave us.
pub(super) struct Fetched {
    /// Its serial.
    pub(super) serial: String,
    /// From when WeChat signs with it.
    pub(super) effective: DateTime<Utc>,
    /// Its key.
    pub(super) key: Arc<VerifyingKey>,
}

/// The keys WeChat Pay signs with, by id or serial: those of the settings, and certificates as they were fetched last.
pub(super) struct PlatformKeys {
    fixed: HashMap<String, Arc<VerifyingKey>>,
    fetched: RwLock<Vec<Fetched>>,
}

impl PlatformKeys {
    /// Takes keys by the name they sign under.
    pub(super) fn new(keys: HashMap<String, VerifyingKey>) -> Self {
        let shared = |(id, key)| (id, Arc::new(key));
        Self {
            fixed: keys.into_iter().map(shared).collect(),
            fetched: RwLock::default(),
        }
    }

    /// Only these, to prove the answer they came in.
    pub(super) fn of_certificates(keys: HashMap<String, Arc<VerifyingKey>>) -> Self {
        Self {
            fixed: keys,
            fetched: RwLock::default(),
        }
    }

    /// Puts other certificates in the place of those fetched before.
    pub(super) fn replace(&self, certificates: Vec<Fetched>) {
        *self.fetched.write().unwrap_or_else(PoisonError::into_inner) = certificates;
    }

    /// The serial of the newest fetched certificate that is good at `now`.
    pub(super) fn newest(&self, now: DateTime<Utc>) -> Option<String> {
        let fetched = self.fetched.read().unwrap_or_else(PoisonError::into_inner);
        let good = |one: &&Fetched| one.effective <= now && !one.key.is_expired(now);
        fetched
            .iter()
            .filter(good)
            .max_by_key(|one| one.effective)
            .map(|one| one.serial.clone())
    }

    /// The key of exactly this id or serial.
    pub(super) fn of(&self, serial: &str) -> Option<Arc<VerifyingKey>> {
        if let Some(key) = self.fixed.get(serial) {
            return Some(Arc::clone(key));
        }
        let fetched = self.fetched.read().unwrap_or_else(PoisonError::into_inner);
        fetched
            .iter()
            .find(|one| one.serial == serial)
            .map(|one| Arc::clone(&one.key))
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
        let key = self.of(serial).ok_or(SignatureFault::UnknownSerial)?;
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
