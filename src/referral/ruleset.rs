//! The `ruleset` table: drafts and versions.

use crate::{
    kernel::{AppError, Cursor, FieldError, Result},
    platform::{Ctx, OneByKey},
    rule::{Finding, RuleSet, Severity},
};
use entity::{
    ids::{AccountId, RulesetId},
    ruleset,
    values::RulesetStatus,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ConnectionTrait, DatabaseTransaction, EntityTrait,
    QueryOrder, QuerySelect,
};
use serde_json::Value;

pub(super) async fn by_id(
    db: &(impl ConnectionTrait + Sync),
    id: RulesetId,
) -> Result<ruleset::Model> {
    ruleset::Entity::find_by_id(id)
        .one_by_key(db)
        .await?
        .ok_or_else(AppError::not_found)
}

pub(super) async fn lock(tx: &DatabaseTransaction, id: RulesetId) -> Result<ruleset::Model> {
    ruleset::Entity::find_by_id(id)
        .lock_exclusive()
        .one_by_key(tx)
        .await?
        .ok_or_else(AppError::not_found)
}

/// All sets, newest version first.
pub(super) async fn page(db: &impl ConnectionTrait, cursor: Cursor) -> Result<Vec<ruleset::Model>> {
    use sea_orm::{ColumnTrait, QueryFilter};
    let mut query = ruleset::Entity::find()
        .order_by_desc(ruleset::Column::Id)
        .limit(cursor.fetch());
    if let Some(before) = cursor.before {
        query = query.filter(ruleset::Column::Id.lt(RulesetId(before)));
    }
    Ok(query.all(db).await?)
}

/// A document must be of the grammar to be kept; what it means is for `check`.
///
/// # Errors
/// `validation` with pointers below `/document`.
pub(super) fn grammar(document: &Value) -> Result<()> {
    let faults = match RuleSet::from_json(document) {
        Ok(_) => return Ok(()),
        Err(findings) => findings,
    };
    let field = |finding: Finding| FieldError {
        pointer: format!("/document{}", finding.pointer),
        code: finding.id,
        detail: format!("{} {}", finding.message, finding.fix),
    };
    Err(AppError::fields(
        faults
            .into_iter()
            .filter(|fault| fault.severity == Severity::Block)
            .map(field)
            .collect(),
    ))
}

/// Keeps a new draft under the next version.
pub(super) async fn create(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    author: AccountId,
    (name, document): (String, Value),
) -> Result<ruleset::Model> {
    grammar(&document)?;
    let newest: Option<i32> = ruleset::Entity::find()
        .select_only()
        .column(ruleset::Column::Version)
        .order_by_desc(ruleset::Column::Version)
        .limit(1)
        .into_tuple()
        .all(tx)
        .await?
        .pop();
    let now = ctx.env.now();
    let row = ruleset::ActiveModel {
        id: Set(ctx.env.id()),
        version: Set(newest.unwrap_or_default().saturating_add(1)),
        name: Set(name),
        document: Set(document),
        status: Set(RulesetStatus::Draft),
        created_by: Set(Some(author)),
        approved_by: Set(None),
        published_at: Set(None),
        retired_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    };
    Ok(row.insert(tx).await?)
}

/// Rewrites a draft; an approval given before is void.
///
/// # Errors
/// `invalid_state` for anything that was published.
pub(super) async fn rewrite(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: RulesetId,
    (name, document): (String, Value),
) -> Result<ruleset::Model> {
    grammar(&document)?;
    let row = lock(tx, id).await?;
    if !matches!(row.status, RulesetStatus::Draft | RulesetStatus::Approved) {
        return Err(AppError::invalid_state("已发布过的版本不能修改,请新建草稿"));
    }
    let change = ruleset::ActiveModel {
        id: Set(id),
        name: Set(name),
        document: Set(document),
        status: Set(RulesetStatus::Draft),
        approved_by: Set(None),
        updated_at: Set(ctx.env.now()),
        ..Default::default()
    };
    Ok(change.update(tx).await?)
}
