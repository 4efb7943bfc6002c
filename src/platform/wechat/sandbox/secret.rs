//! The sandbox's keys: merchant and platform RSA-2048, the `APIv3` key, the app secret. Made once per data directory.

use crate::kernel::{AppError, Result};
use crate::platform::wechat::{
    cipher::Cipher, key::SigningKey, key::VerifyingKey, settings::SANDBOX_KEY_ID,
};
use aws_lc_rs::{
    digest,
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rand,
    rsa::KeySize,
    signature::{KeyPair, RsaKeyPair},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

/// Everything both sides need; the sandbox plays both. No Debug.
pub(super) struct Secrets {
    pub(super) app_secret: String,
    pub(super) apiv3_key: String,
    pub(super) push_token: String,
    pub(super) push_aes_key: String,
    pub(super) merchant_serial: String,
    pub(super) merchant_key_pem: String,
    pub(super) platform_key_id: String,
    pub(super) platform_public_pem: String,
    /// The same key as a certificate, for certificate mode.
    pub(super) certificate_serial: String,
    pub(super) certificate_pem: String,
    /// What WeChat opens sensitive fields with.
    pub(super) platform_private_der: Vec<u8>,
    /// What WeChat signs with.
    pub(super) platform_key: SigningKey,
    /// What WeChat knows of the merchant.
    pub(super) merchant_public: VerifyingKey,
    pub(super) cipher: Cipher,
}

/// The file's content.
#[derive(Serialize, Deserialize)]
struct Kept {
    app_secret: String,
    apiv3_key: String,
    merchant_key_pem: String,
    platform_key_pem: String,
}

impl Secrets {
    /// Reads `dir/keys.json`, or makes it. The file is locked meanwhile, so two processes agree on one set.
    pub(super) fn open(dir: &Path) -> Result<Self> {
        if let Some(parent) = dir.parent() {
            fs::create_dir_all(parent).map_err(AppError::internal)?;
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(AppError::internal)?;
        let path = dir.join("keys.json");
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path);
        let file = file.map_err(AppError::internal)?;
        file.lock().map_err(AppError::internal)?;
        Self::ready(&read_or_make(&file)?)
    }

    fn ready(kept: &Kept) -> Result<Self> {
        let merchant = public_der(&kept.merchant_key_pem)?;
        let platform = public_der(&kept.platform_key_pem)?;
        let certificate = certificate(&kept.platform_key_pem, &platform)?;
        let private = pem::parse(&kept.platform_key_pem).map_err(AppError::internal)?;
        let merchant_public_pem = pem::encode(&pem::Pem::new("PUBLIC KEY", merchant.clone()));
        Ok(Self {
            push_token: short_of(&kept.app_secret, "push token", 32),
            push_aes_key: short_of(&kept.app_secret, "push key", 43),
            app_secret: kept.app_secret.clone(),
            apiv3_key: kept.apiv3_key.clone(),
            merchant_serial: name_of(&merchant).to_ascii_uppercase(),
            merchant_key_pem: kept.merchant_key_pem.clone(),
            certificate_serial: name_of(&platform).to_ascii_uppercase(),
            certificate_pem: certificate,
            platform_key_id: format!("{SANDBOX_KEY_ID}{}", name_of(&platform)),
            platform_private_der: private.into_contents(),
            platform_public_pem: pem::encode(&pem::Pem::new("PUBLIC KEY", platform)),
            platform_key: SigningKey::from_pem(&kept.platform_key_pem)
                .map_err(AppError::internal)?,
            merchant_public: VerifyingKey::from_pem("", &merchant_public_pem)
                .map_err(AppError::internal)?,
            cipher: Cipher::new(&kept.apiv3_key)
                .ok_or_else(|| AppError::internal("sandbox APIv3 key is not 32 bytes"))?,
        })
    }
}

fn read_or_make(mut file: &File) -> Result<Kept> {
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(AppError::internal)?;
    if let Ok(kept) = serde_json::from_str(&text) {
        return Ok(kept);
    }
    // Empty, or torn by a crash at the very first start: nothing was ever signed with it.
    file.set_len(0).map_err(AppError::internal)?;
    let kept = Kept {
        app_secret: random_hex()?,
        apiv3_key: random_hex()?,
        merchant_key_pem: make_key()?,
        platform_key_pem: make_key()?,
    };
    file.write_all(serde_json::to_string(&kept)?.as_bytes())
        .map_err(AppError::internal)?;
    file.sync_all().map_err(AppError::internal)?;
    Ok(kept)
}

fn make_key() -> Result<String> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(AppError::internal)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(AppError::internal)?;
    Ok(pem::encode(&pem::Pem::new("PRIVATE KEY", der.as_ref())))
}

fn public_der(private_pem: &str) -> Result<Vec<u8>> {
    let block = pem::parse(private_pem).map_err(AppError::internal)?;
    let pair = RsaKeyPair::from_pkcs8(block.contents()).map_err(AppError::internal)?;
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(AppError::internal)?;
    Ok(der.as_ref().to_vec())
}

/// A certificate of the platform key, signed by itself, whose serial is the key's name.
fn certificate(private_pem: &str, public_der: &[u8]) -> Result<String> {
    let pair = rcgen::KeyPair::from_pem(private_pem).map_err(AppError::internal)?;
    let mut params =
        rcgen::CertificateParams::new(Vec::<String>::new()).map_err(AppError::internal)?;
    let serial = hex::decode(name_of(public_der)).map_err(AppError::internal)?;
    params.serial_number = Some(rcgen::SerialNumber::from(serial));
    params.not_before = rcgen::date_time_ymd(2025, 1, 1);
    params.not_after = rcgen::date_time_ymd(2045, 1, 1);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Linjian WeChat sandbox");
    let made = params.self_signed(&pair).map_err(AppError::internal)?;
    Ok(made.pem())
}

/// Forty hex digits that name a key, as a certificate's serial has.
fn name_of(public_der: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, public_der))
        .chars()
        .take(40)
        .collect()
}

/// `count` letters that follow from the secret: a folder of an older version needs no new file.
fn short_of(secret: &str, purpose: &str, count: usize) -> String {
    let hash = digest::digest(
        &digest::SHA256,
        format!("linjian sandbox {purpose} {secret}").as_bytes(),
    );
    hex::encode(hash).chars().take(count).collect()
}

/// 32 hex digits.
fn random_hex() -> Result<String> {
    let mut bytes = [0_u8; 16];
    rand::fill(&mut bytes).map_err(AppError::internal)?;
    Ok(hex::encode(bytes))
}
