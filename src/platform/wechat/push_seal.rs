//! Message pushes in secure mode: proved by the token, opened by the `EncodingAESKey` (spec 1.8). Pure: bytes in, bytes out.

use super::cbc;
use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{SHA1_FOR_LEGACY_USE_ONLY, digest},
};
use base64::{
    Engine,
    alphabet::STANDARD as ALPHABET,
    engine::general_purpose::{GeneralPurpose, PAD, STANDARD},
};

/// WeChat pads to 32 bytes, twice the cipher's block.
const PAD_TO: u8 = 32;
/// Random bytes before the length.
const RANDOM: usize = 16;
/// The console makes 43 letters and digits at random, so the two bits that belong to no byte are rarely zero.
const KEY_FORM: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, PAD.with_decode_allow_trailing_bits(true));

/// Why a push does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SealFault {
    /// Not signed with our token; nothing was opened.
    #[error("the signature does not hold")]
    Signature,
    /// Signed, but it does not open to a whole message: CBC alone has no integrity.
    #[error("the message does not open")]
    Sealed,
    /// Opened, but meant for another mini-program.
    #[error("about another mini-program")]
    Foreign,
}

/// Token and key of the message push. No Debug: both are secrets.
pub(super) struct PushKey {
    token: String,
    appid: String,
    key: [u8; 32],
}

impl PushKey {
    /// `None` without a token, or when the `EncodingAESKey` has not 43 characters that stand for 32 bytes.
    pub(super) fn new(token: &str, encoding_aes_key: &str, appid: &str) -> Option<Self> {
        let key = KEY_FORM.decode(format!("{encoding_aes_key}=")).ok()?;
        (!token.is_empty()).then_some(Self {
            token: token.to_owned(),
            appid: appid.to_owned(),
            key: key.try_into().ok()?,
        })
    }

    /// Whether an address check comes from WeChat.
    pub(super) fn proves_address(&self, signature: &str, timestamp: &str, nonce: &str) -> bool {
        same(signature, &signed(&[&self.token, timestamp, nonce]))
    }

    /// What `msg_signature` must be over this ciphertext.
    pub(super) fn sign(&self, timestamp: &str, nonce: &str, encrypt: &str) -> String {
        signed(&[&self.token, timestamp, nonce, encrypt])
    }

    /// What `signature` is in the query of every push; it proves nothing about the body.
    pub(super) fn sign_address(&self, timestamp: &str, nonce: &str) -> String {
        signed(&[&self.token, timestamp, nonce])
    }

    /// Proves, then opens.
    pub(super) fn open(
        &self,
        msg_signature: &str,
        (timestamp, nonce): (&str, &str),
        encrypt: &str,
    ) -> Result<Vec<u8>, SealFault> {
        if !same(msg_signature, &self.sign(timestamp, nonce, encrypt)) {
            return Err(SealFault::Signature);
        }
        let sealed = STANDARD.decode(encrypt).map_err(|_| SealFault::Sealed)?;
        let iv = self.iv().ok_or(SealFault::Sealed)?;
        let plain = cbc::open(&self.key, iv, sealed, usize::from(PAD_TO));
        let plain = plain.ok_or(SealFault::Sealed)?;
        let (message, appid) = framed(&plain).ok_or(SealFault::Sealed)?;
        if appid != self.appid.as_bytes() {
            return Err(SealFault::Foreign);
        }
        Ok(message.to_vec())
    }

    /// Seals as WeChat does, for replies and for the sandbox; `None` when the message is too long to be framed.
    pub(super) fn seal(&self, random: &[u8; RANDOM], message: &[u8]) -> Option<String> {
        let length = u32::try_from(message.len()).ok()?.to_be_bytes();
        let plain = [random, length.as_slice(), message, self.appid.as_bytes()].concat();
        let sealed = cbc::seal(&self.key, self.iv()?, plain, PAD_TO)?;
        Some(STANDARD.encode(sealed))
    }

    fn iv(&self) -> Option<&[u8; cbc::BLOCK]> {
        self.key.first_chunk()
    }
}

/// random16 ‖ length ‖ message ‖ appid: message and appid.
fn framed(plain: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_random, rest) = plain.split_at_checked(RANDOM)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// SHA-1 of the sorted parts, in hex; the algorithm is WeChat's choice.
fn signed(parts: &[&str]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes()))
}

/// Compares in constant time: a forger must not learn a signature letter by letter.
fn same(given: &str, wanted: &str) -> bool {
    verify_slices_are_equal(given.as_bytes(), wanted.as_bytes()).is_ok()
}
