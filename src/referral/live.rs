//! The rule set in force, compiled once per version.

use crate::{
    kernel::{AppError, Code, Result},
    platform::Ctx,
    rule::{self, CompiledRuleSet, DEFAULT_RULESET, RuleSet},
};
use entity::{ids::RulesetId, ruleset, values::RulesetStatus};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait,
    QueryFilter, QuerySelect,
};
use serde_json::Value;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The live set.
pub struct LiveSet {
    /// Its row.
    pub id: RulesetId,
    /// Its version.
    pub version: i32,
    /// Ready to evaluate.
    pub rules: CompiledRuleSet,
}

/// Compiled documents by row; a published document never changes, so an entry is never stale.
fn compiled() -> &'static Mutex<Vec<Arc<LiveSet>>> {
    static SETS: OnceLock<Mutex<Vec<Arc<LiveSet>>>> = OnceLock::new();
    SETS.get_or_init(Mutex::default)
}

/// How many compiled sets are kept.
const KEPT: usize = 8;

/// The live set; its row is looked up each time, its document read and compiled once.
///
/// # Errors
/// `unavailable` before the first start has installed one; a database fault.
pub async fn live(_: &Ctx, db: &impl ConnectionTrait) -> Result<Arc<LiveSet>> {
    let id: Option<RulesetId> = ruleset::Entity::find()
        .select_only()
        .column(ruleset::Column::Id)
        .filter(ruleset::Column::Status.eq(RulesetStatus::Live))
        .into_tuple()
        .all(db)
        .await?
        .pop();
    let id = id.ok_or_else(|| AppError::new(Code::Unavailable, "还没有生效的规则集"))?;
    if let Some(known) = lookup(id) {
        return Ok(known);
    }
    let row = ruleset::Entity::find_by_id(id)
        .all(db)
        .await?
        .pop()
        .ok_or_else(AppError::not_found)?;
    let set = Arc::new(LiveSet {
        id,
        version: row.version,
        rules: compile(&row.document)?,
    });
    let mut sets = compiled().lock().unwrap_or_else(PoisonError::into_inner);
    sets.retain(|known| known.id != id);
    sets.insert(0, Arc::clone(&set));
    sets.truncate(KEPT);
    Ok(set)
}

fn lookup(id: RulesetId) -> Option<Arc<LiveSet>> {
    let sets = compiled().lock().unwrap_or_else(PoisonError::into_inner);
    sets.iter().find(|known| known.id == id).map(Arc::clone)
}

/// Compiles a stored document, and no more: it was linted and analysed before it was published.
pub(super) fn compile(document: &Value) -> Result<CompiledRuleSet> {
    RuleSet::from_json(document)
        .and_then(|set| rule::compile(&set))
        .map_err(|_| AppError::internal("a stored rule set does not compile"))
}

/// Puts the shipped rule set in force when there is none.
///
/// # Errors
/// A database fault.
pub async fn install_default(ctx: &Ctx) -> Result<()> {
    let tx = ctx.db.begin_write().await?;
    super::ruleset::in_order(ctx, &tx).await?;
    if ruleset::Entity::find().count(&tx).await? > 0 {
        return Ok(());
    }
    let document: Value = serde_json::from_str(DEFAULT_RULESET)?;
    let now = ctx.env.now();
    ruleset::ActiveModel {
        id: Set(ctx.env.id()),
        version: Set(1),
        name: Set(document
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or("默认规则集")
            .to_owned()),
        document: Set(document),
        status: Set(RulesetStatus::Live),
        created_by: Set(None),
        updated_by: Set(None),
        previous_id: Set(None),
        approved_by: Set(None),
        published_at: Set(Some(now)),
        retired_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    }
    .insert(&tx)
    .await?;
    ctx.commit(tx).await
}
