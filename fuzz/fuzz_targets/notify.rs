//! WeChat Pay's notifications: prove, read, open.
//!
//! Input: timestamp, nonce, serial and signature, a line each, then the body.

#![no_main]

#[path = "../../src/platform/wechat/cipher.rs"]
mod cipher;
#[path = "../../src/platform/wechat/envelope.rs"]
mod envelope;
#[path = "../../src/platform/wechat/key.rs"]
#[expect(dead_code, reason = "nothing is signed here")]
mod key;
#[path = "../../src/platform/wechat/verify.rs"]
#[expect(dead_code, reason = "nothing is asked here")]
mod verify;

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use std::{collections::HashMap, sync::LazyLock};

struct Stage {
    keys: verify::PlatformKeys,
    cipher: cipher::Cipher,
    now: DateTime<Utc>,
}

/// The keys of the vectors, so that their notifications are genuine.
static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let config = include_str!("../../tests/vectors/wechat/config.json");
    let config: Value = serde_json::from_str(config).unwrap();
    let pem = include_str!("../../tests/vectors/wechat/keys/platform_pubkey.pem");
    let id = config["platform_pubkey"]["id"].as_str().unwrap();
    let public = key::VerifyingKey::from_pem(id, pem).ok().unwrap();
    Stage {
        keys: verify::PlatformKeys::new(HashMap::from([(id.to_owned(), public)])),
        cipher: cipher::Cipher::new(config["apiv3_key"].as_str().unwrap()).unwrap(),
        now: DateTime::from_timestamp(config["t0"].as_i64().unwrap(), 0).unwrap(),
    }
});

fuzz_target!(|data: &[u8]| {
    let stage = &*STAGE;
    let mut parts = data.splitn(5, |byte| *byte == b'\n');
    let mut line = || parts.next().and_then(|line| std::str::from_utf8(line).ok());
    let (timestamp, nonce, serial, signature) = (line(), line(), line(), line());
    let body = parts.next().unwrap_or(data);
    let proof = verify::Proof::read(|name| match name {
        "Wechatpay-Timestamp" => timestamp,
        "Wechatpay-Nonce" => nonce,
        "Wechatpay-Serial" => serial,
        "Wechatpay-Signature" => signature,
        _ => None,
    });
    let _proved = stage.keys.verify(&proof, body, stage.now);
    // What is behind the proof must stand by itself too.
    if let Ok(envelope) = envelope::read(body) {
        let _event = envelope.event_type.len();
        let _opened = envelope.open(&stage.cipher);
    }
    // And whatever is sealed as WeChat seals it opens to the same bytes.
    let sealed = stage
        .cipher
        .seal("fuzzing-once", "transaction", data.to_vec())
        .unwrap();
    let envelope = json!({ "event_type": "X", "resource": {
        "algorithm": cipher::ALGORITHM, "ciphertext": STANDARD.encode(sealed), "nonce": "fuzzing-once",
        "associated_data": "transaction",
    } });
    let opened = envelope::read(envelope.to_string().as_bytes())
        .unwrap()
        .open(&stage.cipher);
    assert_eq!(opened.unwrap(), data);
});
