//! Open data of old clients: whatever a client hands over as ciphertext, vector, signature.
//!
//! Input: initialisation vector and signature, a line each, then the data.

#![no_main]

#[path = "../../src/platform/wechat/cbc.rs"]
mod cbc;
#[path = "../../src/platform/wechat/open_data.rs"]
mod open_data;

use base64::{Engine, engine::general_purpose::STANDARD};
use libfuzzer_sys::fuzz_target;

const KEY: [u8; 16] = *b"0123456789abcdef";
const IV: [u8; 16] = *b"fedcba9876543210";
const APPID: &str = "wxd678efh567hg6787";
const NOW: i64 = 1_767_225_600;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |byte| *byte == b'\n');
    let mut line = || {
        parts
            .next()
            .and_then(|line| std::str::from_utf8(line).ok())
            .unwrap_or("")
    };
    let (iv, signature) = (line(), line());
    let body = parts.next().unwrap_or(data);
    let text = String::from_utf8_lossy(body);
    let key = STANDARD.encode(KEY);
    let _opened = open_data::open((&key, iv), &text, APPID, NOW);
    let _opened = open_data::open((iv, &key), &text, APPID, NOW);
    open_data::is_signed(&text, &key, signature);
    let blocks = STANDARD.encode(&body[..body.len() / 16 * 16]);
    let _opened = open_data::open((&key, &STANDARD.encode(IV)), &blocks, APPID, NOW);
    // Sealed as WeChat seals it, it is read, and believed only with a fresh watermark of ours.
    let sealed = cbc::seal(&KEY, &IV, body.to_vec(), 16).unwrap();
    assert_eq!(cbc::open(&KEY, &IV, sealed.clone(), 16).unwrap(), body);
    if let Ok(data) = open_data::open(
        (&key, &STANDARD.encode(IV)),
        &STANDARD.encode(sealed),
        APPID,
        NOW,
    ) {
        assert_eq!(data["watermark"]["appid"], APPID);
    }
});
