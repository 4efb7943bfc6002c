//! Staff passwords: Argon2id (SEC-27). Hashing takes some 30 ms of a core, so it leaves the async threads.

use crate::kernel::{AppError, Result};
use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};

pub(super) fn hash(password: &str) -> Result<String> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string())
        .map_err(|error| AppError::internal(error.to_string()))
}

/// Whether `password` fits. Without a stored hash the same work is done, so that time does not tell who exists.
pub(super) async fn fits(stored: Option<String>, password: String) -> Result<bool> {
    let checked = actix_web::web::block(move || match stored {
        Some(stored) => PasswordHash::new(&stored).is_ok_and(|hash| {
            Argon2::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok()
        }),
        None => hash(&password).is_err(),
    });
    checked.await.map_err(AppError::internal)
}
