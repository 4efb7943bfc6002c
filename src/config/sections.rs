//! The sections of the settings, typed. `config/default.toml` explains each key.

use crate::kernel::Span;
use serde::Deserialize;
use std::{num::NonZeroU32, path::PathBuf};

/// All settings.
#[derive(Clone, Deserialize)]
pub struct Settings {
    /// Folder of the embedded backend.
    pub data_dir: PathBuf,
    /// The web server.
    pub http: Http,
    /// The database.
    pub database: Database,
    /// The event queue.
    pub queue: Queue,
    /// Where photos are kept.
    pub blob: Blob,
    /// WeChat.
    pub wechat: Wechat,
    /// Sessions.
    pub auth: Auth,
    /// Field encryption.
    pub crypto: Crypto,
    /// Slots and money of a booking.
    pub booking: Booking,
    /// Tiers.
    pub customer: Customer,
    /// Complaint clocks.
    pub complaint: Complaint,
    /// Photo limits.
    pub photo: Photo,
    /// Invitations and rewards.
    pub referral: Referral,
    /// Rate limits.
    pub limits: Limits,
    /// Who answers for personal data.
    pub controller: Controller,
    /// Logging.
    pub log: Log,
}

/// The web server.
#[derive(Clone, Debug, Deserialize)]
pub struct Http {
    /// Address and port.
    pub listen: String,
    /// What customers see; empty for the listener itself.
    pub public_url: String,
    /// Proxies whose forwarded address is believed.
    pub trusted_proxies: Vec<String>,
    /// Longest answer time.
    pub request_timeout: Span,
    /// Grace at shutdown.
    pub shutdown_timeout: Span,
    /// Threads; 0 is one per core.
    pub workers: usize,
    /// Serve the API documentation.
    pub docs: bool,
    /// Serve Prometheus metrics.
    pub metrics: bool,
}

/// The database.
#[derive(Clone, Deserialize)]
pub struct Database {
    /// Empty for SQLite in the data folder.
    pub url: String,
    /// Size of the pool (readers, on SQLite).
    pub max_connections: u32,
}

/// The event queue.
#[derive(Clone, Deserialize)]
pub struct Queue {
    /// Empty for in-process.
    pub redis_url: String,
    /// Prefix of all keys.
    pub prefix: String,
    /// When a silent consumer's events are taken over.
    pub claim_after: Span,
    /// Attempts before a dead letter.
    pub max_attempts: i32,
}

/// Where photos are kept.
#[derive(Clone, Deserialize)]
pub struct Blob {
    /// `local` or `s3`.
    pub kind: String,
    /// S3 endpoint.
    pub endpoint: String,
    /// Bucket.
    pub bucket: String,
    /// Region.
    pub region: String,
    /// Key id.
    pub access_key: String,
    /// Secret.
    pub secret_key: String,
    /// Path-style addresses.
    pub path_style: bool,
}

/// Sandbox or WeChat itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WechatMode {
    /// The loopback server inside the binary.
    Sandbox,
    /// WeChat itself.
    Live,
}

/// WeChat.
#[derive(Clone, Deserialize)]
pub struct Wechat {
    /// Sandbox or live.
    pub mode: WechatMode,
    /// Mini-program id.
    pub appid: String,
    /// Mini-program secret.
    pub app_secret: String,
    /// Mini-program host.
    pub api_base: String,
    /// WeChat Pay host.
    pub pay_base: String,
    /// `release`, `trial` or `develop`.
    pub env_version: String,
    /// Token of the message push.
    pub push_token: String,
    /// `EncodingAESKey` of the message push, 43 characters.
    pub push_aes_key: String,
    /// Merchant number.
    pub mchid: String,
    /// Serial of the merchant certificate.
    pub merchant_serial: String,
    /// Private key file.
    pub merchant_key_path: String,
    /// `APIv3` key, 32 characters.
    pub apiv3_key: String,
    /// Id of WeChat Pay's public key.
    pub platform_key_id: String,
    /// File of WeChat Pay's public key.
    pub platform_key_path: String,
    /// Fetch and renew platform certificates.
    pub platform_certificates: bool,
    /// Where WeChat reaches us.
    pub notify_base_url: String,
    /// One-time template.
    pub service_template: String,
    /// Check texts and pictures with WeChat before others see them; off at the operator's own risk (WX-14).
    pub content_check: bool,
    /// Report fulfilment: `auto`, `on` or `off`.
    pub shipping: Shipping,
    /// Whether merchant transfers may be made.
    pub transfer_enabled: bool,
    /// Scene of merchant transfers.
    pub transfer_scene_id: String,
    /// When the daily bill is compared.
    pub reconcile_at: TimeOfDay,
}

/// Whether fulfilment is reported to WeChat (发货信息管理).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shipping {
    /// As WeChat says.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Sessions.
#[derive(Clone, Deserialize)]
pub struct Auth {
    /// HMAC secret of access tokens.
    pub jwt_secret: String,
    /// Life of an access token.
    pub access_ttl: Span,
    /// Life of a refresh token.
    pub refresh_ttl: Span,
    /// Absolute life of a session.
    pub session_ttl: Span,
}

/// Field encryption.
#[derive(Clone, Deserialize)]
pub struct Crypto {
    /// 32 bytes, base64.
    pub master_key: String,
    /// Name of the key in envelopes.
    pub key_id: String,
}

/// Slots and money of a booking.
#[derive(Clone, Debug, Deserialize)]
pub struct Booking {
    /// How long an unpaid slot is held.
    pub hold: Span,
    /// Free time between visits.
    pub travel_buffer: Span,
    /// Share to prepay, basis points.
    pub prepay_bp: i64,
    /// Start of business hours.
    pub opens: TimeOfDay,
    /// End of business hours.
    pub closes: TimeOfDay,
    /// How far ahead one can book.
    pub horizon: Span,
    /// When silence counts as acceptance.
    pub acceptance_window: Span,
    /// Cancelling earlier than this is free.
    pub free_cancel: Span,
    /// Fee of a late cancellation, basis points of the price.
    pub late_cancel_bp: i64,
    /// Radius of the geofence, metres.
    pub geofence_m: u32,
}

/// Tiers, by completed visits of the last year.
#[derive(Clone, Debug, Deserialize)]
pub struct Customer {
    /// From here on silver.
    pub silver_visits: u64,
    /// From here on gold.
    pub gold_visits: u64,
}

/// Complaint clocks.
#[derive(Clone, Debug, Deserialize)]
pub struct Complaint {
    /// Time to the first response.
    pub first_response: Span,
    /// Time to the resolution.
    pub resolution: Span,
}

/// Photo limits.
#[derive(Clone, Debug, Deserialize)]
pub struct Photo {
    /// Largest upload, bytes.
    pub max_bytes: usize,
    /// Most pixels.
    pub max_pixels: u64,
    /// Longest stored side.
    pub max_side: u32,
    /// Longest side of a thumbnail.
    pub thumbnail_side: u32,
    /// Photos of one work order.
    pub per_booking: u64,
}

/// Invitations and rewards.
#[derive(Clone, Debug, Deserialize)]
pub struct Referral {
    /// After completion, before an order counts.
    pub refund_window: Span,
    /// Quiet hours begin.
    pub quiet_from: TimeOfDay,
    /// Quiet hours end.
    pub quiet_to: TimeOfDay,
    /// Default sending hour.
    pub best_hour: TimeOfDay,
    /// Between decision and sending.
    pub recall_window: String,
    /// Invitations a person gets in 90 days.
    pub per_quarter: u64,
    /// Thank-yous in 30 days.
    pub thanks_per_month: u64,
    /// Thank-yous in 365 days.
    pub thanks_per_year: u64,
    /// One in so many events keeps the decisions of all rules; 0 is none.
    pub sample_not_fired: u32,
    /// How long the facts of an event are kept.
    pub keep_facts: Span,
    /// How long decisions are kept.
    pub keep_decisions: Span,
}

/// Calls per minute.
#[derive(Clone, Debug, Deserialize)]
pub struct Limits {
    /// Per network address.
    pub per_address: NonZeroU32,
    /// Per account.
    pub per_account: NonZeroU32,
    /// Logins per address.
    pub login: NonZeroU32,
    /// Staff logins per username and address.
    pub staff_login: NonZeroU32,
    /// Invitation codes tried or made.
    pub invitation: NonZeroU32,
    /// Photos sent.
    pub upload: NonZeroU32,
    /// Exports asked for.
    pub export: NonZeroU32,
    /// Events of one third party.
    pub event: NonZeroU32,
}

/// Who answers for personal data (CR-05).
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
pub struct Controller {
    /// Company.
    pub name: String,
    /// Address.
    pub address: String,
    /// Telephone.
    pub phone: String,
    /// E-mail.
    pub email: String,
    /// The personal-information officer.
    pub pipo: String,
}

/// Logging.
#[derive(Clone, Debug, Deserialize)]
pub struct Log {
    /// Filter.
    pub filter: String,
    /// `text` or `json`.
    pub format: String,
}

/// A time of day in business time, minutes since midnight; `24:00` is allowed as an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(u32);

impl TimeOfDay {
    /// Minutes since midnight, 0 to 1440.
    pub fn minutes(self) -> u32 {
        self.0
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let minutes = text.split_once(':').and_then(|(h, m)| {
            let (h, m): (u32, u32) = (h.parse().ok()?, m.parse().ok()?);
            (m < 60 && h * 60 + m <= 1440).then_some(h * 60 + m)
        });
        minutes
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("“{text}”不是 HH:MM")))
    }
}
