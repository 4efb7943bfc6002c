//! Rule sets by their version: for making a recorded decision again.

use super::live::{LiveSet, published};
use crate::kernel::{AppError, Result};
use entity::{ids::RulesetId, ruleset};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};
use std::sync::Arc;

/// The set of a version as it was published; a published document never changes.
///
/// # Errors
/// `not_found`; a database fault.
pub(super) async fn edition(db: &impl ConnectionTrait, version: i32) -> Result<Arc<LiveSet>> {
    let id: Option<RulesetId> = ruleset::Entity::find()
        .select_only()
        .column(ruleset::Column::Id)
        .filter(ruleset::Column::Version.eq(version))
        .into_tuple()
        .all(db)
        .await?
        .pop();
    published(db, id.ok_or_else(AppError::not_found)?).await
}
