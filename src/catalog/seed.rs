//! The services of a first start.

use super::model::{ChecklistEntry, Question};
use crate::{
    kernel::{AppError, Result},
    platform::Ctx,
};
use entity::{ids::ServiceId, service, values::Fen};
use figment::{
    Figment,
    providers::{Format, Toml},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, PaginatorTrait};
use serde::Deserialize;
use serde_json::json;

const COMPANY: &str = include_str!("../../config/seed/company.toml");

#[derive(Deserialize)]
struct Company {
    services: Vec<SampleService>,
}

#[derive(Deserialize)]
struct SampleService {
    slug: String,
    name: String,
    base_minutes: i32,
    base_price_fen: i64,
    skill: String,
    areas: Vec<String>,
    price_rules: Vec<String>,
    questionnaire: Vec<Question>,
    checklist: Vec<ChecklistEntry>,
}

/// Puts the sample services on sale when there are none, so that a fresh deployment can be tried. The shop replaces
/// them through `/admin/services`.
///
/// # Errors
/// A database fault.
pub async fn install_default(ctx: &Ctx) -> Result<()> {
    let tx = ctx.db.begin_write().await?;
    if service::Entity::find().count(&tx).await? > 0 {
        return Ok(());
    }
    let company: Company = Figment::from(Toml::string(COMPANY))
        .extract()
        .map_err(AppError::internal)?;
    for sample in company.services {
        service::ActiveModel {
            id: Set(ctx.env.id::<ServiceId>()),
            slug: Set(sample.slug),
            name: Set(sample.name),
            base_minutes: Set(sample.base_minutes),
            base_price_fen: Set(Fen(sample.base_price_fen)),
            price_rules: Set(json!(sample.price_rules)),
            skill: Set(sample.skill),
            questionnaire: Set(json!(sample.questionnaire)),
            checklist: Set(json!(sample.checklist)),
            areas: Set(json!(sample.areas)),
            active: Set(true),
            created_at: Set(ctx.env.now()),
        }
        .insert(&tx)
        .await?;
    }
    ctx.commit(tx).await
}
