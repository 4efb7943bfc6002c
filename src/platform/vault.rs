//! Secrets at rest: sealed fields, blind indexes, random tokens.
//!
//! Owns: the master key and everything derived from it (SEC-23 to SEC-26). Uses aws-lc-rs alone: AES-256-GCM for
//! fields, HMAC-SHA-256 for indexes, HKDF-SHA-256 to derive one key per purpose, its CSPRNG for tokens.
//! Envelope of a sealed field: version (1 byte, 1) · length of the key id (1 byte) · key id · nonce (12 bytes) ·
//! ciphertext with tag (16 bytes). Table, column and row are authenticated, so a value moved elsewhere does not open.
//! Nonces are random: seal at most 2^32 values per master key, then rotate.
//! Rotation: open with the new key, add the old one with [`Vault::with_old_key`]; what [`Vault::is_current`] denies is
//! opened and sealed again in the background. A blind index tells equality to whoever reads the column; columns with
//! few possible values get none.

use crate::kernel::{AppError, Result};
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest, hkdf, hmac, rand,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};
use uuid::Uuid;

const VERSION: u8 = 1;
const MAX_KEY_ID: usize = 32;
/// Crockford's base 32: no I, L, O, U, so nothing in it is mistaken for a digit.
const CODE_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Where a sealed value lives. It opens nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The table's name.
    pub table: &'static str,
    /// The column's name.
    pub column: &'static str,
    /// The row's id.
    pub row: Uuid,
}

impl Place {
    fn aad(self) -> Aad<Vec<u8>> {
        Aad::from(
            format!("{}\0{}\0{}", self.table, self.column, self.row.hyphenated()).into_bytes(),
        )
    }
}

/// One master key, already turned into the keys of its purposes.
struct Keys {
    id: String,
    root: hkdf::Prk,
    fields: LessSafeKey,
    indexes: hmac::Key,
}

impl Keys {
    fn derive(master: &[u8; 32], id: &str) -> Result<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if id.is_empty() || id.len() > MAX_KEY_ID || !id.bytes().all(plain) {
            return Err(AppError::internal(
                "a key id must be 1 to 32 of A-Z, a-z, 0-9, '-', '_', '.'",
            ));
        }
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"linjian vault 1").extract(master);
        let fields = UnboundKey::new(&AES_256_GCM, &expand(&root, b"fields")?).map_err(broken)?;
        let indexes = hmac::Key::new(hmac::HMAC_SHA256, &expand(&root, b"blind indexes")?);
        Ok(Self {
            id: id.to_owned(),
            fields: LessSafeKey::new(fields),
            indexes,
            root,
        })
    }

    fn index(&self, column: &str, normalised: &str) -> Vec<u8> {
        let of_column = hmac::sign(&self.indexes, column.as_bytes());
        hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, of_column.as_ref()),
            normalised.as_bytes(),
        )
        .as_ref()
        .to_vec()
    }
}

fn expand(root: &hkdf::Prk, purpose: &[u8]) -> Result<[u8; 32]> {
    let mut key = [0; 32];
    root.expand(&[purpose], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .map_err(broken)?;
    Ok(key)
}

fn broken(error: aws_lc_rs::error::Unspecified) -> AppError {
    AppError::internal(error)
}

/// The keys of a deployment: one that seals, and old ones that still open.
pub struct Vault {
    current: Keys,
    old: Vec<Keys>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault")
            .field("key_id", &self.current.id)
            .finish_non_exhaustive()
    }
}

impl Vault {
    /// A vault that seals with `master_key` under the name `key_id` (1 to 32 of `A-Z a-z 0-9 - _ .`).
    pub fn open(master_key: [u8; 32], key_id: &str) -> Result<Self> {
        Ok(Self {
            current: Keys::derive(&master_key, key_id)?,
            old: Vec::new(),
        })
    }

    /// The embedded vault: reads the key file, or makes one with a random key and mode 0600.
    ///
    /// The file holds base64 of 32 bytes per line: the first seals, further ones are old keys that still open. A key's
    /// id follows from the key. Losing the file loses every sealed value; it belongs into the backup, apart from the
    /// database.
    pub fn load_or_create(path: &Path) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create_key_file(path).map_err(AppError::internal)?;
                fs::read_to_string(path)
            }
            read => read,
        };
        let text = text.map_err(AppError::internal)?;
        let mode = fs::metadata(path)
            .map_err(AppError::internal)?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            tracing::warn!("the vault's key file can be read by others; its mode should be 0600");
        }
        let mut vault: Option<Self> = None;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let key = STANDARD
                .decode(line)
                .ok()
                .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            let key = key.ok_or_else(|| {
                AppError::internal("a line of the vault's key file is not base64 of 32 bytes")
            })?;
            let id = key_id(&key)?;
            vault = Some(match vault {
                None => Self::open(key, &id)?,
                Some(vault) => vault.with_old_key(&id, key)?,
            });
        }
        vault.ok_or_else(|| AppError::internal("the vault's key file is empty"))
    }

    /// Adds a key that opens what it once sealed.
    pub fn with_old_key(mut self, key_id: &str, master_key: [u8; 32]) -> Result<Self> {
        if self.all_keys().any(|keys| keys.id == key_id) {
            return Err(AppError::internal("two vault keys have the same id"));
        }
        self.old.push(Keys::derive(&master_key, key_id)?);
        Ok(self)
    }

    fn all_keys(&self) -> impl Iterator<Item = &Keys> {
        std::iter::once(&self.current).chain(&self.old)
    }

    /// Seals a value for one place (SEC-23). Twice the same value gives two different envelopes.
    pub fn seal(&self, place: Place, plain: &str) -> Result<Vec<u8>> {
        let Keys { id, fields, .. } = &self.current;
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce);
        let mut body = plain.as_bytes().to_vec();
        fields
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), place.aad(), &mut body)
            .map_err(broken)?;
        let length = u8::try_from(id.len()).map_err(AppError::internal)?;
        Ok([&[VERSION, length], id.as_bytes(), &nonce, &body].concat())
    }

    /// Opens what was sealed for this place, by the present or an old key. Anything else is our fault: 500.
    pub fn unseal(&self, place: Place, sealed: &[u8]) -> Result<String> {
        let shut = || {
            AppError::internal(format!(
                "{}.{} holds a value that does not open",
                place.table, place.column
            ))
        };
        let (id, rest) = split(sealed).ok_or_else(shut)?;
        let keys = self
            .all_keys()
            .find(|keys| keys.id.as_bytes() == id)
            .ok_or_else(shut)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(shut)?;
        let mut body = body.to_vec();
        let plain = keys
            .fields
            .open_in_place(Nonce::assume_unique_for_key(*nonce), place.aad(), &mut body)
            .map_err(|_| shut())?;
        std::str::from_utf8(plain)
            .map(str::to_owned)
            .map_err(|_| shut())
    }

    /// A secret of its own for another purpose, from the present key: the same on every node that holds the key.
    pub fn derive(&self, purpose: &str) -> Result<[u8; 32]> {
        // The prefix keeps callers away from the vault's own two keys.
        expand(&self.current.root, format!("derived {purpose}").as_bytes())
    }

    /// Whether the value was sealed by the present key; otherwise it waits to be sealed again (SEC-24).
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        split(sealed).is_some_and(|(id, _)| id == self.current.id.as_bytes())
    }

    /// 32 bytes that are equal for equal values of one column (SEC-25), to look a sealed value up by.
    ///
    /// Normalise first (`kernel::normalise_phone`). Each column has its own key, so columns cannot be joined.
    pub fn blind_index(&self, column: &'static str, normalised: &str) -> Vec<u8> {
        self.current.index(column, normalised)
    }

    /// The index of a value under every key, the present one first: while a column is being re-keyed, look for any.
    pub fn blind_indexes(&self, column: &'static str, normalised: &str) -> Vec<Vec<u8>> {
        self.all_keys()
            .map(|keys| keys.index(column, normalised))
            .collect()
    }
}

/// Key id and what follows it.
fn split(sealed: &[u8]) -> Option<(&[u8], &[u8])> {
    match sealed {
        [VERSION, length, rest @ ..] => rest.split_at_checked(usize::from(*length)),
        _ => None,
    }
}

/// A name that follows from the key and tells nothing about it.
fn key_id(master: &[u8; 32]) -> Result<String> {
    let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"linjian vault key id").extract(master);
    Ok(hex::encode(
        expand(&root, b"id")?.get(..8).unwrap_or_default(),
    ))
}

/// Writes a new key beside `path` and links it into place, so that of two processes starting at once both end with the
/// same, whole file.
fn create_key_file(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut key = [0; 32];
    fill(&mut key);
    let draft = path.with_extension(format!("new-{}", random_token(9)));
    let written = (|| {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        writeln!(file, "{}", STANDARD.encode(key))?;
        file.sync_all()?;
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    })();
    fs::remove_file(&draft).and(written)
}

/// Without randomness there is no safe way on: a token somebody can guess is worse than no process.
fn fill(bytes: &mut [u8]) {
    if rand::fill(bytes).is_err() {
        tracing::error!("the system gives no random bytes");
        std::process::abort();
    }
}

/// A random secret as base64url text: `bytes` bytes of it, but never fewer than the 16 (128 bits) of SEC-26.
pub fn random_token(bytes: usize) -> String {
    let mut random = vec![0; bytes.max(16)];
    fill(&mut random);
    URL_SAFE_NO_PAD.encode(random)
}

/// A random code people can read aloud: `len` characters of Crockford's base 32, five bits each (26 for 128 bits).
pub fn random_code(len: usize) -> String {
    let mut random = vec![0; len];
    fill(&mut random);
    random
        .iter()
        .filter_map(|byte| CODE_ALPHABET.get(usize::from(byte & 31)))
        .copied()
        .map(char::from)
        .collect()
}

/// SHA-256 as 64 lower-case hex digits; for tokens kept as hashes and for fingerprints of files.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

#[cfg(test)]
mod tests;
