//! The envelope of a notification: read only after its proof, opened with the `APIv3` key (spec 2.4). Pure.

use super::cipher::{self, Cipher};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

/// Why a proved body holds no resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EnvelopeFault {
    /// Not of the documented form.
    Malformed(&'static str),
    /// It does not open with our key.
    Decrypt,
}

/// A notification before its resource is opened.
#[derive(Deserialize)]
pub(super) struct Envelope {
    pub(super) event_type: String,
    resource: Sealed,
}

#[derive(Deserialize)]
struct Sealed {
    algorithm: String,
    ciphertext: String,
    #[serde(default)]
    associated_data: String,
    nonce: String,
}

/// Reads a body whose signature held.
pub(super) fn read(raw_body: &[u8]) -> Result<Envelope, EnvelopeFault> {
    serde_json::from_slice(raw_body).map_err(|_| EnvelopeFault::Malformed("not a notification"))
}

impl Envelope {
    /// Opens the resource.
    pub(super) fn open(self, cipher: &Cipher) -> Result<Vec<u8>, EnvelopeFault> {
        let sealed = self.resource;
        if sealed.algorithm != cipher::ALGORITHM {
            return Err(EnvelopeFault::Malformed("unknown algorithm"));
        }
        let bytes = STANDARD
            .decode(sealed.ciphertext)
            .map_err(|_| EnvelopeFault::Malformed("ciphertext is not base64"))?;
        cipher
            .open(&sealed.nonce, &sealed.associated_data, bytes)
            .ok_or(EnvelopeFault::Decrypt)
    }
}
