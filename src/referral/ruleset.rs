//! The `ruleset` table: drafts and versions.

use crate::{
    benefit,
    kernel::{AppError, Cursor, FieldError, Result},
    platform::{Ctx, OneByKey},
    rule::{Finding, RuleSet, Severity},
};
use chrono::{DateTime, Utc};
use entity::{
    ids::{AccountId, RulesetId},
    ruleset,
    values::RulesetStatus,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::Value;

pub(super) async fn by_id(db: &impl ConnectionTrait, id: RulesetId) -> Result<ruleset::Model> {
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

/// Whoever changes which sets there are, or which is live, waits here for his turn: on PostgreSQL two publishes would
/// otherwise each retire the set they saw.
pub(super) async fn in_order(ctx: &Ctx, tx: &DatabaseTransaction) -> Result<()> {
    benefit::hold_counters(tx, &ctx.env, vec!["ruleset".to_owned()]).await
}

/// A set without its document, which may be megabytes.
#[derive(Debug, FromQueryResult)]
pub(super) struct Brief {
    pub(super) id: RulesetId,
    pub(super) version: i32,
    pub(super) name: String,
    pub(super) status: RulesetStatus,
    pub(super) created_by: Option<AccountId>,
    pub(super) updated_by: Option<AccountId>,
    pub(super) approved_by: Option<AccountId>,
    pub(super) publish_at: Option<DateTime<Utc>>,
    pub(super) published_at: Option<DateTime<Utc>>,
    pub(super) retired_at: Option<DateTime<Utc>>,
    pub(super) created_at: DateTime<Utc>,
}

impl From<ruleset::Model> for Brief {
    fn from(row: ruleset::Model) -> Self {
        Self {
            id: row.id,
            version: row.version,
            name: row.name,
            status: row.status,
            created_by: row.created_by,
            updated_by: row.updated_by,
            approved_by: row.approved_by,
            publish_at: row.publish_at,
            published_at: row.published_at,
            retired_at: row.retired_at,
            created_at: row.created_at,
        }
    }
}

/// All sets, newest version first.
pub(super) async fn page(db: &impl ConnectionTrait, cursor: Cursor) -> Result<Vec<Brief>> {
    use ruleset::Column as C;
    let mut query = ruleset::Entity::find()
        .select_only()
        .columns([
            C::Id,
            C::Version,
            C::Name,
            C::Status,
            C::CreatedBy,
            C::UpdatedBy,
            C::ApprovedBy,
            C::PublishAt,
            C::PublishedAt,
            C::RetiredAt,
            C::CreatedAt,
        ])
        .order_by_desc(C::Id)
        .limit(cursor.fetch());
    if let Some(before) = cursor.before {
        query = query.filter(C::Id.lt(RulesetId(before)));
    }
    Ok(query.into_model::<Brief>().all(db).await?)
}

/// A document must be of the grammar to be kept; what it means is for `check`.
///
/// # Errors
/// `validation` with pointers below `/document`, or about the name.
pub(super) async fn grammar(name: String, document: Value) -> Result<(String, Value)> {
    if name.contains('\0') {
        let detail = "名称里有看不见的 NUL 字符,请重新输入";
        return Err(AppError::field("/name", "format", detail));
    }
    // Thousands of rules are read off the threads that serve others.
    let read = move || (RuleSet::from_json(&document).err(), document);
    let (faults, document) = tokio::task::spawn_blocking(read)
        .await
        .map_err(AppError::internal)?;
    let Some(faults) = faults else {
        return Ok((name, document));
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
    let (name, document) = grammar(name, document).await?;
    in_order(ctx, tx).await?;
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
        updated_by: Set(Some(author)),
        previous_id: Set(None),
        approved_by: Set(None),
        publish_at: Set(None),
        scheduled_by: Set(None),
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
/// `invalid_state` for anything that was published or waits for it.
pub(super) async fn rewrite(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    (id, writer): (RulesetId, AccountId),
    (name, document): (String, Value),
) -> Result<ruleset::Model> {
    let (name, document) = grammar(name, document).await?;
    let row = lock(tx, id).await?;
    if row.status == RulesetStatus::Scheduled {
        return Err(AppError::invalid_state(
            "这个版本在等待生效;要修改它请先取消排定",
        ));
    }
    if !matches!(row.status, RulesetStatus::Draft | RulesetStatus::Approved) {
        return Err(AppError::invalid_state("已发布过的版本不能修改,请新建草稿"));
    }
    let change = ruleset::ActiveModel {
        id: Set(id),
        name: Set(name),
        document: Set(document),
        status: Set(RulesetStatus::Draft),
        updated_by: Set(Some(writer)),
        approved_by: Set(None),
        updated_at: Set(ctx.env.now()),
        ..Default::default()
    };
    Ok(change.update(tx).await?)
}
