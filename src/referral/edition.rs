//! Rule sets by their version: for making a recorded decision again.

use super::live::{LiveSet, runnable};
use crate::kernel::Result;
use entity::{ids::RulesetId, ruleset};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};
use std::sync::Arc;

/// The set of a version as it was published; a published document never changes. `None` when this program cannot run it any more
/// (a fact or an event it reads is gone): what was stored of it can be told all the same.
///
/// # Errors
/// A database fault.
pub(super) async fn edition(
    db: &impl ConnectionTrait,
    version: i32,
) -> Result<Option<Arc<LiveSet>>> {
    let id: Option<RulesetId> = ruleset::Entity::find()
        .select_only()
        .column(ruleset::Column::Id)
        .filter(ruleset::Column::Version.eq(version))
        .into_tuple()
        .all(db)
        .await?
        .pop();
    match id {
        Some(id) => runnable(db, id).await,
        None => Ok(None),
    }
}
