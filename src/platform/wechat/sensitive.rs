//! Names and other sensitive fields, sealed for WeChat Pay alone: RSAES-OAEP with SHA-1 under a platform key, whose id
//! goes with the request in `Wechatpay-Serial` (spec 2.7).

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};
use base64::{Engine, engine::general_purpose::STANDARD};

/// Why a field cannot be sealed or opened; says nothing about the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sensitive field cannot be sealed or opened")]
pub(super) struct SensitiveFault;

/// Seals under a public key (DER of a `SubjectPublicKeyInfo`), base64. At most 214 bytes fit a key of 2048 bits.
pub(super) fn seal(public_der: &[u8], plain: &str) -> Result<String, SensitiveFault> {
    let key = PublicEncryptingKey::from_der(public_der).map_err(|_| SensitiveFault)?;
    let key = OaepPublicEncryptingKey::new(key).map_err(|_| SensitiveFault)?;
    let mut sealed = vec![0; key.ciphertext_size()];
    let written = key
        .encrypt(&OAEP_SHA1_MGF1SHA1, plain.as_bytes(), &mut sealed, None)
        .map_err(|_| SensitiveFault)?;
    Ok(STANDARD.encode(written))
}

/// Opens with a private key (DER of PKCS#8): WeChat's half, which the sandbox and the tests play.
pub(super) fn open(private_der: &[u8], sealed: &str) -> Result<String, SensitiveFault> {
    let key = PrivateDecryptingKey::from_pkcs8(private_der).map_err(|_| SensitiveFault)?;
    let key = OaepPrivateDecryptingKey::new(key).map_err(|_| SensitiveFault)?;
    let sealed = STANDARD.decode(sealed).map_err(|_| SensitiveFault)?;
    let mut plain = vec![0; key.min_output_size()];
    let plain = key
        .decrypt(&OAEP_SHA1_MGF1SHA1, &sealed, &mut plain, None)
        .map_err(|_| SensitiveFault)?;
    String::from_utf8(plain.to_vec()).map_err(|_| SensitiveFault)
}
