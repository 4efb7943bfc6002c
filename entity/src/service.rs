//! A sellable service: duration, price formula, skill, questionnaire and checklist.

use crate::ids::ServiceId;
use crate::values::Fen;
use sea_orm::entity::prelude::*;

/// A sellable service: duration, price formula, skill, questionnaire and checklist.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "service")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ServiceId,
    /// Slug.
    #[sea_orm(unique)]
    pub slug: String,
    /// Name.
    pub name: String,
    /// Base minutes.
    pub base_minutes: i32,
    /// Base price fen.
    pub base_price_fen: Fen,
    /// Published sentences on how the price is made.
    #[sea_orm(column_type = "JsonBinary")]
    pub price_rules: Json,
    /// Skill.
    pub skill: String,
    /// Questions whose answers change minutes and price.
    #[sea_orm(column_type = "JsonBinary")]
    pub questionnaire: Json,
    /// SOP items `{key, label, required, photo_required}`.
    #[sea_orm(column_type = "JsonBinary")]
    pub checklist: Json,
    /// Areas.
    #[sea_orm(column_type = "JsonBinary")]
    pub areas: Json,
    /// Active.
    pub active: bool,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
