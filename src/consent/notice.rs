//! Notices: versioned texts, content-addressed, kept as long as a record cites them (RET-01).
//!
//! A file's `version` is `major.minor`. What people are shown carries a mark of the controller's data behind it
//! (`1.0-3fa9c1`): a new telephone number is a new version by itself, and grants under the old one stand (CR-32).
//! `material_since` names the first version with the present purpose, method, categories, recipients and retention;
//! grants under an older one are closed until the person decides again (PIPL-03).

use crate::{
    config::Controller,
    kernel::{AppError, Result, Span},
    platform::{Ctx, OneByKey, vault},
};
use chrono::{DateTime, Duration, Utc};
use entity::notice;
use figment::{
    Figment,
    providers::{Format, Toml},
};
use sea_orm::{ConnectionTrait, EntityTrait};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::OnceLock;

macro_rules! files {
    ($($name:literal),+ $(,)?) => { [$(($name, include_str!(concat!("../../config/notices/", $name, ".toml")))),+] };
}

/// Every notice the binary carries.
const FILES: [(&str, &str); 18] = files!(
    "referral_profiling",
    "graph_analysis",
    "referral_link",
    "mkt_wechat",
    "mkt_sms",
    "mkt_call",
    "photo_capture",
    "photo_internal",
    "photo_showcase",
    "review_public",
    "worker_location",
    "id_card",
    "worker_health",
    "partner_share",
    "partner_events",
    "minor_u14",
    "elder_health",
    "match_profile",
);

/// A shift's consent ends with the day's longest shift (CR-37).
const SHIFT: Duration = Duration::hours(16);
/// A per-order consent ends with its order's complaint window (CR-37, RET-06).
const ORDER: Duration = Duration::days(180);
/// Digits of the controller's mark in a shown version.
const MARK: usize = 6;

/// Who else gets the data (CR-15, PIPL 23).
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Recipient {
    pub(super) name: String,
    pub(super) contact: String,
    pub(super) purpose: String,
    pub(super) categories: Vec<String>,
}

/// A notice as written in its file.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Notice {
    pub(super) purpose: String,
    pub(super) version: String,
    pub(super) material_since: String,
    pub(super) language: String,
    pub(super) title: String,
    pub(super) text: String,
    pub(super) needed_for: String,
    pub(super) refusal_effect: String,
    pub(super) withdraw_how: String,
    pub(super) separate: bool,
    pub(super) sensitive: bool,
    pub(super) legal_basis: String,
    pub(super) article: String,
    pub(super) consent_type: String,
    pub(super) data_categories: Vec<String>,
    pub(super) necessity: String,
    pub(super) effect_on_rights: String,
    pub(super) processing_method: String,
    pub(super) automated: bool,
    pub(super) retention_rule: String,
    pub(super) storage_location: String,
    pub(super) recipients: Vec<Recipient>,
    pub(super) validity: String,
    pub(super) scope_required: String,
    pub(super) acts: Vec<String>,
    pub(super) pia_id: String,
    /// SHA-256 of the file's content before the controller's data went in: what a version pins.
    #[serde(default)]
    pub(super) template_sha256: String,
}

impl Notice {
    /// SHA-256 of the canonical JSON: the notice's address.
    pub(super) fn sha256(&self) -> Result<String> {
        Ok(vault::sha256_hex(
            serde_json::to_value(self)?.to_string().as_bytes(),
        ))
    }

    pub(super) fn body(&self) -> Value {
        json!(self)
    }

    /// Whether a grant under `version` of this notice still stands. A version nobody can read does not.
    pub(super) fn admits(&self, version: &str) -> bool {
        rank(version).is_some_and(|rank_of| Some(rank_of) >= rank(&self.material_since))
    }

    /// Until when an act of `moment` holds (CR-37). There is no endless consent (CR-20).
    pub(super) fn ends(&self, moment: DateTime<Utc>) -> Result<DateTime<Utc>> {
        length(&self.validity)
            .and_then(|length| moment.checked_add_signed(length))
            .ok_or_else(|| AppError::internal(format!("{}: no validity", self.purpose)))
    }

    fn shown(&self, controller: &Controller) -> Result<Self> {
        let fill = |text: &str| {
            text.replace("{controller}", &controller.name)
                .replace("{address}", &controller.address)
                .replace("{phone}", &controller.phone)
                .replace("{email}", &controller.email)
                .replace("{pipo}", &controller.pipo)
        };
        let mark = vault::sha256_hex(serde_json::to_value(controller)?.to_string().as_bytes());
        let mark = mark.get(..MARK).unwrap_or_default();
        let recipients = self.recipients.iter().map(|one| Recipient {
            contact: fill(&one.contact),
            ..one.clone()
        });
        Ok(Self {
            version: format!("{}-{mark}", self.version),
            text: fill(&self.text),
            withdraw_how: fill(&self.withdraw_how),
            recipients: recipients.collect(),
            ..self.clone()
        })
    }
}

/// `major.minor` of a version, whoever it was filled for.
fn rank(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = base(version).split_once('.').unwrap_or((version, "0"));
    Some((base(major).parse().ok()?, minor.parse().ok()?))
}

/// The version as its file has it.
pub(super) fn base(version: &str) -> &str {
    version.split_once('-').map_or(version, |(base, _)| base)
}

fn length(validity: &str) -> Option<Duration> {
    match validity {
        "order" => Some(ORDER),
        "shift" => Some(SHIFT),
        span => span.parse::<Span>().ok().map(Span::get),
    }
}

fn parsed() -> Result<&'static [Notice]> {
    static NOTICES: OnceLock<Result<Vec<Notice>, String>> = OnceLock::new();
    let notices = NOTICES.get_or_init(|| {
        let read = |(name, text): &(&str, &str)| {
            parse(text).map_err(|fault| format!("config/notices/{name}.toml: {fault}"))
        };
        FILES.iter().map(read).collect()
    });
    let notices = notices.as_ref();
    Ok(notices.map_err(|fault| AppError::internal(fault.clone()))?)
}

/// Reads one file. What would make a consent endless or a version incomparable is refused here, at the start.
fn parse(text: &str) -> Result<Notice, String> {
    let notice = Figment::from(Toml::string(text)).extract::<Notice>();
    let mut notice = notice.map_err(|error| error.to_string())?;
    if length(&notice.validity).is_none() {
        return Err(format!("validity “{}” is no span", notice.validity));
    }
    if notice.version.contains('-')
        || rank(&notice.version).is_none()
        || rank(&notice.material_since) > rank(&notice.version)
        || rank(&notice.material_since).is_none()
    {
        return Err("version and material_since must be major.minor, in order".into());
    }
    notice.template_sha256 = notice.sha256().map_err(|error| error.to_string())?;
    Ok(notice)
}

/// All notices as this controller shows them.
pub(super) fn all(controller: &Controller) -> Result<Vec<Notice>> {
    let shown = parsed()?.iter().map(|notice| notice.shown(controller));
    shown.collect()
}

/// The newest notice of a purpose.
pub(super) fn of_purpose(controller: &Controller, purpose: &str) -> Result<Option<Notice>> {
    let notice = parsed()?.iter().find(|notice| notice.purpose == purpose);
    notice.map(|notice| notice.shown(controller)).transpose()
}

/// Whether a grant of `purpose` under the notice `sha256` still stands, as far as the texts go.
pub(super) async fn still_admits(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    purpose: &str,
    sha256: &str,
) -> Result<bool> {
    let Some(shown) = of_purpose(&ctx.config.controller, purpose)? else {
        return Ok(false);
    };
    if shown.sha256()? == sha256 {
        return Ok(true);
    }
    let agreed = notice::Entity::find_by_id(sha256).one_by_key(db).await?;
    Ok(agreed.is_some_and(|agreed| shown.admits(&agreed.version)))
}

#[cfg(test)]
mod tests;
