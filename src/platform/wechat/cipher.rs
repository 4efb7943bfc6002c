//! AEAD_AES_256_GCM under the `APIv3` key, as resources of notifications are sealed (spec 2.4).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// The only algorithm WeChat Pay names.
pub(super) const ALGORITHM: &str = "AEAD_AES_256_GCM";

/// The `APIv3` key, ready for use.
pub(super) struct Cipher(LessSafeKey);

impl Cipher {
    /// `None` unless the key has 32 bytes.
    pub(super) fn new(apiv3_key: &str) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, apiv3_key.as_bytes())
            .ok()
            .map(|key| Self(LessSafeKey::new(key)))
    }

    /// Opens ciphertext ‖ tag; `None` when the nonce has not 12 bytes or anything was changed.
    pub(super) fn open(&self, nonce: &str, aad: &str, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let nonce = Nonce::try_assume_unique_for_key(nonce.as_bytes()).ok()?;
        let plain = self
            .0
            .open_in_place(nonce, Aad::from(aad.as_bytes()), &mut sealed)
            .ok()?;
        Some(plain.to_vec())
    }

    /// Seals as WeChat does; the sandbox's half.
    pub(super) fn seal(&self, nonce: &str, aad: &str, mut plain: Vec<u8>) -> Option<Vec<u8>> {
        let nonce = Nonce::try_assume_unique_for_key(nonce.as_bytes()).ok()?;
        self.0
            .seal_in_place_append_tag(nonce, Aad::from(aad.as_bytes()), &mut plain)
            .ok()?;
        Some(plain)
    }
}
