//! Rule sets by their version, compiled: for making a recorded decision again.

use super::live::compile;
use crate::{
    kernel::{AppError, Result},
    rule::CompiledRuleSet,
};
use entity::ruleset;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use std::sync::{Arc, Mutex, PoisonError};

/// How many are kept compiled.
const KEPT: usize = 4;

/// Compiled documents by row and version; databases of one process may each have a version 3.
type Kept = Vec<(uuid::Uuid, Arc<CompiledRuleSet>)>;

static EDITIONS: Mutex<Kept> = Mutex::new(Vec::new());

/// The set of a version as it was published; a published document never changes.
///
/// # Errors
/// `not_found`; a database fault.
pub(super) async fn edition(
    db: &impl ConnectionTrait,
    version: i32,
) -> Result<Arc<CompiledRuleSet>> {
    let row = ruleset::Entity::find()
        .filter(ruleset::Column::Version.eq(version))
        .all(db)
        .await?
        .pop()
        .ok_or_else(AppError::not_found)?;
    let lock = || EDITIONS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, known)) = lock().iter().find(|(id, _)| *id == row.id.0) {
        return Ok(Arc::clone(known));
    }
    let set = Arc::new(compile(&row.document)?);
    let mut kept = lock();
    kept.insert(0, (row.id.0, Arc::clone(&set)));
    kept.truncate(KEPT);
    Ok(set)
}
