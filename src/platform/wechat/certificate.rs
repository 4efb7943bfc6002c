//! Platform certificates: fetched, trusted only when they prove their own answer, renewed (spec 2.2).

use super::{
    WechatClient, cipher,
    fault::Fault,
    key::VerifyingKey,
    notify::{Notification, NotifyError},
    pay::PayCall,
    verify::{Fetched, PlatformKeys, Proof, SignatureFault},
};
use crate::kernel::{OrLog, Result};
use actix_web::http::header::HeaderMap;
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::Mutex;

/// An unknown serial makes us ask at most this often: whoever sends forged ones must not make us ask WeChat for him.
const AT_MOST_EVERY: Duration = Duration::minutes(1);

/// When certificates were asked for last.
#[derive(Default)]
pub(super) struct Renewal(Mutex<Option<DateTime<Utc>>>);

#[derive(Deserialize)]
struct CertificatesWire {
    data: Vec<CertificateWire>,
}

#[derive(Deserialize)]
struct CertificateWire {
    serial_no: String,
    effective_time: DateTime<Utc>,
    encrypt_certificate: SealedWire,
}

#[derive(Deserialize)]
struct SealedWire {
    algorithm: String,
    nonce: String,
    #[serde(default)]
    associated_data: String,
    ciphertext: String,
}

impl WechatClient {
    /// The name of the key WeChat Pay is asked to sign its answers with: the public key, or else the newest certificate.
    pub(super) fn answer_key(&self) -> Option<String> {
        let named = self.inner.platform_key_id.clone();
        named.or_else(|| self.inner.platform_keys.newest(self.inner.env.now()))
    }

    /// Fetches the certificates when there is no key yet to verify an answer with.
    pub(super) async fn have_a_key(&self) -> Result<(), Fault> {
        if self.inner.settings.platform_certificates && self.answer_key().is_none() {
            self.renew_soon().await;
        }
        match self.answer_key() {
            Some(_) => Ok(()),
            None => Err(Fault::Unverified(SignatureFault::UnknownSerial)),
        }
    }

    /// Fetches the platform certificates and puts them in the place of the old ones; a failure leaves those as they are.
    ///
    /// # Errors
    /// `unavailable` when there is no answer, or none that its own certificate proves.
    pub async fn renew_certificates(&self) -> Result<()> {
        let mut asked = self.inner.renewal.0.lock().await;
        *asked = Some(self.inner.env.now());
        Ok(self.fetch_certificates().await?)
    }

    /// Asks again, unless it was asked within the last minute. Whether it was worth a second look.
    pub(super) async fn renew_soon(&self) -> bool {
        if !self.inner.settings.platform_certificates {
            return false;
        }
        let mut asked = self.inner.renewal.0.lock().await;
        let now = self.inner.env.now();
        if asked.is_some_and(|at| now - at < AT_MOST_EVERY) {
            return false;
        }
        *asked = Some(now);
        let fetched = self.fetch_certificates().await;
        fetched
            .or_log("new platform certificates; the old ones stay")
            .is_some()
    }

    async fn fetch_certificates(&self) -> Result<(), Fault> {
        let call = PayCall::get(&["v3", "certificates"], Vec::new());
        let (headers, body) = self.exchange(&call).await?;
        let proof = Proof::read(|name| headers.get(name).and_then(|value| value.to_str().ok()));
        let certificates = self.trusted(&proof, &body)?;
        self.inner.platform_keys.replace(certificates);
        Ok(())
    }

    /// The certificates of an answer, if one of them proves it; the expired ones are left out.
    pub(super) fn trusted(&self, proof: &Proof<'_>, body: &[u8]) -> Result<Vec<Fetched>, Fault> {
        let now = self.inner.env.now();
        // Opened before it is verified, as the protocol wants it: what proves the answer is inside it, sealed with a key
        // that only WeChat Pay and the merchant have.
        let wire: CertificatesWire = serde_json::from_slice(body).map_err(Fault::Unreadable)?;
        let opened: Vec<Fetched> = wire
            .data
            .into_iter()
            .filter_map(|one| self.open_certificate(one))
            .filter(|one| !one.key.is_expired(now))
            .collect();
        let keys: HashMap<String, Arc<VerifyingKey>> = opened
            .iter()
            .map(|one| (one.serial.clone(), Arc::clone(&one.key)))
            .collect();
        PlatformKeys::of_certificates(keys).verify(proof, body, now)?;
        Ok(opened)
    }

    /// `None` when it does not open, or is not the certificate it says it is.
    fn open_certificate(&self, one: CertificateWire) -> Option<Fetched> {
        let sealed = one.encrypt_certificate;
        if sealed.algorithm != cipher::ALGORITHM {
            return None;
        }
        let bytes = STANDARD.decode(sealed.ciphertext).ok()?;
        let pem = self
            .inner
            .cipher
            .open(&sealed.nonce, &sealed.associated_data, bytes)?;
        let key = VerifyingKey::from_pem(&one.serial_no, std::str::from_utf8(&pem).ok()?);
        Some(Fetched {
            serial: one.serial_no,
            effective: one.effective_time,
            key: Arc::new(key.ok()?),
        })
    }

    /// [`Self::notification`]; a serial nobody knows may be that of a certificate that is new since we asked last.
    ///
    /// # Errors
    /// As [`Self::notification`].
    pub async fn notified(
        &self,
        headers: &HeaderMap,
        raw_body: &[u8],
    ) -> Result<Notification, NotifyError> {
        match self.notification(headers, raw_body) {
            Err(NotifyError::Signature(SignatureFault::UnknownSerial))
                if self.renew_soon().await =>
            {
                self.notification(headers, raw_body)
            }
            outcome => outcome,
        }
    }
}
