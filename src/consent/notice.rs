//! Notices: versioned texts, content-addressed, kept as long as a record cites them (RET-01).

use crate::{
    config::Controller,
    kernel::{AppError, Code, Result},
    platform::{Ctx, OneByKey, vault},
};
use entity::notice;
use figment::{
    Figment,
    providers::{Format, Toml},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::OnceLock;

macro_rules! files {
    ($($name:literal),+ $(,)?) => { [$(($name, include_str!(concat!("../../config/notices/", $name, ".toml")))),+] };
}

/// Every notice the binary carries.
const FILES: [(&str, &str); 17] = files!(
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
    "minor_u14",
    "elder_health",
    "match_profile",
);

/// A notice as written in its file.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Notice {
    pub(super) purpose: String,
    pub(super) version: String,
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
    pub(super) recipients: Vec<String>,
    pub(super) validity: String,
    pub(super) scope_required: String,
    pub(super) acts: Vec<String>,
    pub(super) pia_id: String,
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
}

fn parsed() -> &'static Result<Vec<Notice>, String> {
    static NOTICES: OnceLock<Result<Vec<Notice>, String>> = OnceLock::new();
    NOTICES.get_or_init(|| {
        let read = |(name, text): &(&str, &str)| {
            let notice = Figment::from(Toml::string(text)).extract::<Notice>();
            notice.map_err(|error| format!("config/notices/{name}.toml: {error}"))
        };
        FILES.iter().map(read).collect()
    })
}

/// All notices as this controller shows them.
pub(super) fn all(controller: &Controller) -> Result<Vec<Notice>> {
    let notices = parsed()
        .as_ref()
        .map_err(|error| AppError::internal(error.clone()))?;
    let fill = |text: &str| {
        text.replace("{controller}", &controller.name)
            .replace("{address}", &controller.address)
            .replace("{phone}", &controller.phone)
            .replace("{email}", &controller.email)
            .replace("{pipo}", &controller.pipo)
    };
    let shown = |notice: &Notice| Notice {
        text: fill(&notice.text),
        withdraw_how: fill(&notice.withdraw_how),
        ..notice.clone()
    };
    Ok(notices.iter().map(shown).collect())
}

/// The newest notice of a purpose.
pub(super) fn of_purpose(controller: &Controller, purpose: &str) -> Result<Option<Notice>> {
    Ok(all(controller)?
        .into_iter()
        .find(|notice| notice.purpose == purpose))
}

/// Keeps every notice's exact text in the database. A text that changed without a new version is refused: what people
/// agreed to must stay provable (PIPL-03, PIPL-39).
///
/// # Errors
/// `conflict` naming the notice; a database fault.
pub async fn install_notices(ctx: &Ctx) -> Result<()> {
    let tx = ctx.db.begin_write().await?;
    for notice in all(&ctx.config.controller)? {
        let sha256 = notice.sha256()?;
        let known = notice::Entity::find()
            .filter(notice::Column::Purpose.eq(&notice.purpose))
            .filter(notice::Column::Version.eq(&notice.version))
            .filter(notice::Column::Language.eq(&notice.language))
            .one_by_key(&tx)
            .await?;
        match known {
            Some(known) if known.sha256 == sha256 => {}
            Some(_) => {
                let what = format!(
                    "告知书 {} 第 {} 版的文字变了,请提高版本号",
                    notice.purpose, notice.version
                );
                return Err(AppError::new(Code::Conflict, what));
            }
            None => {
                notice::ActiveModel {
                    sha256: Set(sha256),
                    purpose: Set(notice.purpose.clone()),
                    version: Set(notice.version.clone()),
                    language: Set(notice.language.clone()),
                    title: Set(notice.title.clone()),
                    body: Set(notice.body()),
                    created_at: Set(ctx.env.now()),
                }
                .insert(&tx)
                .await?;
            }
        }
    }
    ctx.commit(tx).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn controller() -> Controller {
        crate::config::with_overrides(&[]).unwrap().controller
    }

    #[test]
    fn every_file_of_the_folder_is_carried() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/notices");
        let files = std::fs::read_dir(folder).unwrap().filter_map(Result::ok);
        let mut names: Vec<String> = files
            .filter_map(|file| {
                file.file_name()
                    .to_str()?
                    .strip_suffix(".toml")
                    .map(str::to_owned)
            })
            .collect();
        names.sort();
        let mut carried: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        carried.sort_unstable();
        assert_eq!(names, carried);
    }

    #[test]
    fn every_notice_says_what_the_law_asks() {
        // PIPL-08: handler and contact, purpose, method, categories, retention, rights. PIPL-20: necessity and effect.
        let notices = all(&controller()).unwrap();
        assert_eq!(notices.len(), FILES.len());
        for notice in notices {
            for part in [
                "谁在处理",
                "为什么",
                "用到什么",
                "怎么用",
                "保存多久",
                "您的权利",
                "拒绝会怎样",
            ] {
                assert!(
                    notice.text.contains(part),
                    "{} lacks {part}",
                    notice.purpose
                );
            }
            assert!(
                !notice.text.contains('{'),
                "{} has an unfilled place",
                notice.purpose
            );
            assert!(
                notice.text.contains(&controller().phone),
                "{} has no contact",
                notice.purpose
            );
            if notice.sensitive {
                assert!(
                    !notice.necessity.is_empty() && !notice.effect_on_rights.is_empty(),
                    "{}",
                    notice.purpose
                );
            }
        }
    }

    #[test]
    fn a_changed_letter_changes_the_address() {
        let mut notice = of_purpose(&controller(), "referral_link").unwrap().unwrap();
        let before = notice.sha256().unwrap();
        notice.text.push('。');
        assert_ne!(before, notice.sha256().unwrap());
    }
}
