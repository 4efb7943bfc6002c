//! A day's trade bill: applied for, fetched, compared with its hash, read (spec 2.8).

use super::{
    WechatClient,
    bill_csv::{self, Bill},
    fault::Fault,
    pay::{PayCall, SPARE_FOR, SPARE_HOST, uri},
};
use crate::kernel::{AppError, Result};
use aws_lc_rs::{constant_time, digest};
use chrono::NaiveDate;
use flate2::read::MultiGzDecoder;
use reqwest::{Response, Url, header};
use serde::Deserialize;
use std::{io::Read, time::Duration};

/// Largest packed file. A hundred thousand trades take about a tenth of it.
const PACKED_LIMIT: usize = 64 << 20;
/// Largest unpacked file: what a small file may blow up to is bounded.
const UNPACKED_LIMIT: u64 = 256 << 20;
/// A file takes longer than a call.
const PATIENCE: Duration = Duration::from_mins(1);
/// What a gzip file begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

#[derive(Deserialize)]
struct Applied {
    hash_type: String,
    hash_value: String,
    download_url: String,
}

impl WechatClient {
    /// The bill of a day in Beijing; `None` when nothing was traded that day.
    ///
    /// # Errors
    /// `unavailable` when it is not there yet or no answer can be trusted; `internal` when the file is not what its
    /// hash says, or is no bill: it is thrown away.
    pub async fn trade_bill(&self, day: NaiveDate) -> Result<Option<Bill>> {
        let query = vec![
            ("bill_date", day.format("%Y-%m-%d").to_string()),
            ("bill_type", "ALL".to_owned()),
            ("tar_type", "GZIP".to_owned()),
        ];
        let call = PayCall::get(&["v3", "bill", "tradebill"], query);
        let applied: Applied = match self.pay_again(&call).await {
            Err(Fault::Refused(fault)) if fault.code == "NO_STATEMENT_EXIST" => return Ok(None),
            applied => applied?,
        };
        if !applied.hash_type.eq_ignore_ascii_case("SHA1") {
            return Err(AppError::internal("a bill with another hash than SHA-1"));
        }
        let packed = self.fetch(&applied.download_url).await?;
        // A big file keeps a thread busy for a second or two.
        let read = tokio::task::spawn_blocking(move || read(&packed, &applied.hash_value));
        read.await.map_err(AppError::internal)?.map(Some)
    }

    /// Fetches the file with a signed request; what comes is not signed, its hash is all that proves it.
    async fn fetch(&self, address: &str) -> Result<Vec<u8>> {
        let url = download_url(&self.inner.pay_base, address)
            .ok_or_else(|| AppError::internal("a bill's address on a foreign host"))?;
        let authorization = self.authorization("GET", &uri(&url), b"")?;
        let request = self
            .inner
            .http
            .get(url)
            .timeout(PATIENCE)
            .header(header::ACCEPT, "*/*")
            .header(header::AUTHORIZATION, authorization);
        // The address holds a token: no error may carry it.
        let lost = |error: reqwest::Error| AppError::from(Fault::Lost(error.without_url()));
        let answer = request.send().await.map_err(lost)?;
        if !answer.status().is_success() {
            return Err(super::fault::busy(60).because(format!(
                "the bill's file answered {}",
                answer.status().as_u16()
            )));
        }
        bounded(answer).await
    }
}

async fn bounded(mut answer: Response) -> Result<Vec<u8>> {
    let lost = |error: reqwest::Error| AppError::from(Fault::Lost(error.without_url()));
    let mut packed = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(lost)? {
        if packed.len().saturating_add(chunk.len()) > PACKED_LIMIT {
            return Err(AppError::internal("a bill of more than 64 MiB"));
        }
        packed.extend_from_slice(&chunk);
    }
    Ok(packed)
}

/// The address of a file, if it is on the host we speak to or on its spare: a signed request goes nowhere else.
pub(super) fn download_url(base: &Url, address: &str) -> Option<Url> {
    let url = Url::parse(address).ok()?;
    let place = |url: &Url| {
        (
            url.scheme().to_owned(),
            url.host_str().map(str::to_owned),
            url.port_or_known_default(),
        )
    };
    let spare = base.host_str() == Some(SPARE_FOR)
        && url.host_str() == Some(SPARE_HOST)
        && url.scheme() == base.scheme()
        && url.port_or_known_default() == base.port_or_known_default();
    let anonymous = url.username().is_empty() && url.password().is_none();
    (anonymous && (spare || place(&url) == place(base))).then_some(url)
}

/// Unpacks, compares with the hash and reads.
pub(super) fn read(packed: &[u8], hash: &str) -> Result<Bill> {
    let csv = unpack(packed, UNPACKED_LIMIT)?;
    let ours = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &csv);
    let told = hex::decode(hash.trim()).unwrap_or_default();
    constant_time::verify_slices_are_equal(ours.as_ref(), &told)
        .map_err(|_| AppError::internal("the bill is not what its hash says"))?;
    bill_csv::parse(&csv).map_err(AppError::internal)
}

/// At most `limit` bytes; a file that came unpacked (a proxy may have done it) is taken as it is.
pub(super) fn unpack(packed: &[u8], limit: u64) -> Result<Vec<u8>> {
    if !packed.starts_with(&GZIP) {
        return Ok(packed.to_vec());
    }
    let mut csv = Vec::new();
    MultiGzDecoder::new(packed)
        .take(limit.saturating_add(1))
        .read_to_end(&mut csv)
        .map_err(AppError::internal)?;
    if u64::try_from(csv.len()).unwrap_or(u64::MAX) > limit {
        return Err(AppError::internal("a bill that unpacks to too much"));
    }
    Ok(csv)
}
