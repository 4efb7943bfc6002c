//! RSA keys: the one we sign with and those we verify with, from PEM.

use aws_lc_rs::{
    rand::{self, SystemRandom},
    signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, NaiveDateTime, Utc};

/// Why a PEM gives no key.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyFault {
    #[error("not PEM")]
    Pem,
    #[error("not the expected kind of PEM block")]
    Kind,
    #[error("the key inside is not RSA of at least 2048 bits")]
    Key,
    #[error("the certificate's serial is not the configured one")]
    Serial,
}

/// A private key that signs with SHA-256 and PKCS#1 v1.5, deterministically.
pub(super) struct SigningKey(RsaKeyPair);

impl SigningKey {
    /// Reads PKCS#8 (`PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`).
    pub(super) fn from_pem(text: &str) -> Result<Self, KeyFault> {
        let block = pem::parse(text).map_err(|_| KeyFault::Pem)?;
        let pair = match block.tag() {
            "PRIVATE KEY" => RsaKeyPair::from_pkcs8(block.contents()),
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(block.contents()),
            _ => return Err(KeyFault::Kind),
        };
        pair.map(Self).map_err(|_| KeyFault::Key)
    }

    /// The signature of `message`, base64.
    pub(super) fn sign(&self, message: &[u8]) -> Result<String, aws_lc_rs::error::Unspecified> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            message,
            &mut signature,
        )?;
        Ok(STANDARD.encode(signature))
    }
}

/// A public key, and until when its certificate is good.
pub(super) struct VerifyingKey {
    key: ParsedPublicKey,
    spki: Vec<u8>,
    not_after: Option<DateTime<Utc>>,
}

impl VerifyingKey {
    /// Reads a public key or a certificate; a certificate must have the serial it is configured under (spec 2.2).
    pub(super) fn from_pem(id: &str, text: &str) -> Result<Self, KeyFault> {
        let block = pem::parse(text).map_err(|_| KeyFault::Pem)?;
        match block.tag() {
            "PUBLIC KEY" | "RSA PUBLIC KEY" => Ok(Self {
                key: parse(block.contents())?,
                spki: block.contents().to_vec(),
                not_after: None,
            }),
            "CERTIFICATE" => {
                let certificate = Certificate::read(block.contents()).ok_or(KeyFault::Kind)?;
                if !hex::encode(certificate.serial)
                    .trim_start_matches('0')
                    .eq_ignore_ascii_case(id.trim_start_matches('0'))
                {
                    return Err(KeyFault::Serial);
                }
                Ok(Self {
                    key: parse(certificate.public_key)?,
                    spki: certificate.public_key.to_vec(),
                    not_after: Some(certificate.not_after),
                })
            }
            _ => Err(KeyFault::Kind),
        }
    }

    /// The key as DER, for sealing under it.
    pub(super) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Whether the certificate's time is over at `now`.
    pub(super) fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.not_after.is_some_and(|end| now > end)
    }

    /// Whether `signature` (base64) is this key's over `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        STANDARD
            .decode(signature)
            .is_ok_and(|bytes| self.key.verify_sig(message, &bytes).is_ok())
    }
}

fn parse(der: &[u8]) -> Result<ParsedPublicKey, KeyFault> {
    ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).map_err(|_| KeyFault::Key)
}

/// A fresh nonce, 32 hex digits.
pub(super) fn nonce() -> Result<String, aws_lc_rs::error::Unspecified> {
    let mut bytes = [0_u8; 16];
    rand::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

/// The parts of an X.509 certificate a pinned key needs. The operator put the file there, so no chain is checked.
struct Certificate<'a> {
    serial: &'a [u8],
    not_after: DateTime<Utc>,
    public_key: &'a [u8],
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

impl<'a> Certificate<'a> {
    /// Walks the DER of RFC 5280 §4.1.
    fn read(der: &'a [u8]) -> Option<Self> {
        let mut tbs = Der(Der(der).want(SEQUENCE)?.content);
        let mut tbs = Der(tbs.want(SEQUENCE)?.content);
        let mut first = tbs.next()?;
        if first.tag == VERSION {
            first = tbs.next()?;
        }
        let serial = (first.tag == INTEGER).then_some(first.content)?;
        let (_algorithm, _issuer) = (tbs.want(SEQUENCE)?, tbs.want(SEQUENCE)?);
        let mut validity = Der(tbs.want(SEQUENCE)?.content);
        let (_not_before, end) = (validity.next()?, validity.next()?);
        let _subject = tbs.want(SEQUENCE)?;
        let public_key = tbs.want(SEQUENCE)?.whole;
        Some(Self {
            serial,
            not_after: moment(&end)?,
            public_key,
        })
    }
}

fn moment(field: &Field<'_>) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(field.content).ok()?;
    let format = match field.tag {
        UTC_TIME => "%y%m%d%H%M%SZ",
        GENERALIZED_TIME => "%Y%m%d%H%M%SZ",
        _ => return None,
    };
    NaiveDateTime::parse_from_str(text, format)
        .ok()
        .map(|naive| naive.and_utc())
}

struct Field<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
}

/// What is left of a DER sequence.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn next(&mut self) -> Option<Field<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        let (&short, rest) = rest.split_first()?;
        let (length, rest) = if short < 0x80 {
            (usize::from(short), rest)
        } else {
            let (digits, rest) = rest
                .split_at_checked(usize::from(short & 0x7f))
                .filter(|(digits, _)| digits.len() <= 3)?;
            (
                digits
                    .iter()
                    .fold(0, |sum, digit| (sum << 8) | usize::from(*digit)),
                rest,
            )
        };
        let (content, after) = rest.split_at_checked(length)?;
        let whole = self.0.get(..self.0.len().checked_sub(after.len())?)?;
        self.0 = after;
        Some(Field {
            tag,
            content,
            whole,
        })
    }

    fn want(&mut self, tag: u8) -> Option<Field<'a>> {
        self.next().filter(|field| field.tag == tag)
    }
}
