//! A span of time in which one rule set was live (ADR 0021).

use crate::ids::{AccountId, RulesetId, RulesetTenureId};
use crate::values::TenureHow;
use sea_orm::entity::prelude::*;

/// A span of time in which one rule set was live. The spans follow each other without a gap; only the last is open.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ruleset_tenure")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RulesetTenureId,
    /// Which set.
    pub ruleset_id: RulesetId,
    /// Its version.
    pub version: i32,
    /// The first moment.
    #[sea_orm(unique)]
    pub from_at: DateTimeUtc,
    /// The first moment after; null for the one that goes on.
    pub until_at: Option<DateTimeUtc>,
    /// Who made it so; null for the first start and where nobody wrote it down.
    pub made_by: Option<AccountId>,
    /// How it came about.
    pub how: TenureHow,
    /// The span before; null for the first. Unique, so that no two follow the same.
    #[sea_orm(unique)]
    pub previous_id: Option<RulesetTenureId>,
}

impl ActiveModelBehavior for ActiveModel {}
