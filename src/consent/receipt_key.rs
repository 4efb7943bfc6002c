//! The key that signs receipts: Ed25519, made once, its public half in every receipt.

use crate::{
    kernel::{AppError, Result},
    platform::vault,
};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{io::Write, path::Path, sync::Arc};

/// Signs what a person takes home.
#[derive(Clone)]
pub struct ReceiptKey {
    pair: Arc<Ed25519KeyPair>,
    id: String,
}

impl ReceiptKey {
    /// Reads the key file (PKCS#8), or makes one with mode 0600.
    ///
    /// # Errors
    /// `internal` when the file cannot be read, written or understood.
    pub fn load_or_create(path: &Path) -> Result<Self> {
        let pkcs8 = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(_) => make(path)?,
        };
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(AppError::internal)?;
        let id: String = vault::sha256_hex(pair.public_key().as_ref())
            .chars()
            .take(16)
            .collect();
        Ok(Self {
            pair: Arc::new(pair),
            id,
        })
    }

    /// Name of the key: the first half of its public key's hash.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Signature over `bytes`, base64.
    pub(super) fn sign(&self, bytes: &[u8]) -> String {
        STANDARD.encode(self.pair.sign(bytes).as_ref())
    }

    /// The public key, base64.
    pub(super) fn public(&self) -> String {
        STANDARD.encode(self.pair.public_key().as_ref())
    }
}

fn make(path: &Path) -> Result<Vec<u8>> {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new())
        .map_err(AppError::internal)?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(AppError::internal)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(mut file) => file.write_all(pkcs8.as_ref()).map_err(AppError::internal)?,
        // Another process was first: its key is the deployment's.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return std::fs::read(path).map_err(AppError::internal);
        }
        Err(error) => return Err(AppError::internal(error)),
    }
    Ok(pkcs8.as_ref().to_vec())
}
