//! Message pushes: envelope, signature, seal, message.
//!
//! Input: timestamp, nonce and signature, a line each, then the body.

#![no_main]

#[path = "../../src/platform/wechat/cbc.rs"]
mod cbc;
#[path = "../../src/platform/wechat/push_message.rs"]
mod push_message;
#[path = "../../src/platform/wechat/push_seal.rs"]
mod push_seal;

use base64::{Engine, engine::general_purpose::STANDARD};
use libfuzzer_sys::fuzz_target;
use push_seal::PushKey;
use serde_json::Value;
use std::sync::LazyLock;

/// The key of the vectors, so that their pushes are genuine.
static KEY: LazyLock<PushKey> = LazyLock::new(|| {
    let config = include_str!("../../tests/vectors/wechat/config.json");
    let config: Value = serde_json::from_str(config).unwrap();
    let word = |name: &str| config["message_push"][name].as_str().unwrap();
    PushKey::new(word("token"), word("encoding_aes_key"), word("appid")).unwrap()
});

/// Opens a ciphertext and reads what is inside, if anything.
fn opened(when: (&str, &str), signature: &str, encrypt: &str) {
    if let Ok(message) = KEY.open(signature, when, encrypt) {
        read(&message);
    }
}

/// A message is an object or nothing.
fn read(body: &[u8]) -> Option<Value> {
    let message = push_message::parse(body);
    assert!(message.as_ref().is_none_or(Value::is_object));
    message
}

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(4, |byte| *byte == b'\n');
    let mut line = || {
        parts
            .next()
            .and_then(|line| std::str::from_utf8(line).ok())
            .unwrap_or("")
    };
    let (timestamp, nonce, signature) = (line(), line(), line());
    let body = parts.next().unwrap_or(data);
    KEY.proves_address(signature, timestamp, nonce);
    if let Some(envelope) = read(body) {
        let encrypt = envelope
            .get("Encrypt")
            .and_then(Value::as_str)
            .unwrap_or("");
        opened((timestamp, nonce), signature, encrypt);
        // Behind the signature: CBC has no integrity, so anything may come out.
        opened(("1", "2"), &KEY.sign("1", "2", encrypt), encrypt);
    }
    let blocks = STANDARD.encode(&data[..data.len() / 16 * 16]);
    opened(("1", "2"), &KEY.sign("1", "2", &blocks), &blocks);
    // Whatever is sealed as WeChat seals it opens to the same bytes.
    let sealed = KEY.seal(b"0123456789abcdef", body).unwrap();
    let again = KEY.open(&KEY.sign("1", "2", &sealed), ("1", "2"), &sealed);
    assert_eq!(again.unwrap(), body);
    assert!(KEY.sign_address("1", "2").len() == 40);
});
