//! The key that signs receipts: Ed25519, derived from the vault's key, so that every node signs as one and any of them
//! can say which key it was.

use crate::{
    kernel::{AppError, Result},
    platform::vault::{self, Vault},
};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::sync::Arc;

/// What the vault derives the key for; another number is another key.
const PURPOSE: &str = "consent receipts 1";

/// Signs what a person takes home.
#[derive(Clone)]
pub(super) struct ReceiptKey {
    pair: Arc<Ed25519KeyPair>,
    id: String,
}

impl ReceiptKey {
    /// The deployment's key.
    ///
    /// # Errors
    /// `internal` when the cipher library refuses the seed.
    pub(super) fn of(vault: &Vault) -> Result<Self> {
        Self::from_seed(vault.derive(PURPOSE)?)
    }

    fn from_seed(seed: [u8; 32]) -> Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(AppError::internal)?;
        let id: String = vault::sha256_hex(pair.public_key().as_ref())
            .chars()
            .take(16)
            .collect();
        Ok(Self {
            pair: Arc::new(pair),
            id,
        })
    }

    /// Name of the key: the first quarter of its public key's SHA-256.
    pub(super) fn id(&self) -> &str {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_with_the_master_key_signs_with_the_same_key() {
        let of = |master| ReceiptKey::of(&Vault::open([master; 32], "a").unwrap()).unwrap();
        assert_eq!(of(1).id(), of(1).id());
        assert_eq!(of(1).sign(b"x"), of(1).sign(b"x"));
        assert_ne!(of(1).public(), of(2).public());
        assert_eq!(of(1).id().len(), 16);
    }
}
