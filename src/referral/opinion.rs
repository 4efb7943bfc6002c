//! The officer's legal opinions, and the policy pack as they leave it: shipped, minus what a live opinion lowers from block to
//! approve (ADR 0019). What holds in the types is never lowered.

use crate::{
    audit,
    http::current_request_id,
    kernel::{AppError, Cursor, Result},
    platform::{Ctx, OneByKey},
    rule::PolicyPack,
};
use chrono::{DateTime, Utc};
use entity::{
    ids::{AccountId, LegalOpinionId},
    legal_opinion::{ActiveModel, Column, Entity, Model},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::json;

/// What the officer records.
pub(super) struct New {
    pub(super) lint_id: String,
    pub(super) opinion: String,
    pub(super) document_ref: String,
    pub(super) valid_until: DateTime<Utc>,
}

/// The opinions that hold now: of the pack in force, not run out, not taken back.
pub(super) async fn standing(ctx: &Ctx, db: &impl ConnectionTrait) -> Result<Vec<Model>> {
    let rows = Entity::find()
        .filter(Column::PolicyVersion.eq(&PolicyPack::shipped().version))
        .filter(Column::ValidUntil.gt(ctx.env.now()))
        .filter(Column::RevokedAt.is_null())
        .order_by_asc(Column::Id);
    Ok(rows.all(db).await?)
}

/// The pack that decides what may be published here and now.
pub(super) async fn effective(ctx: &Ctx, db: &impl ConnectionTrait) -> Result<PolicyPack> {
    let mut pack = PolicyPack::shipped().clone();
    for row in standing(ctx, db).await? {
        // A second opinion on the same lint finds it lowered, and one on a floor lowers nothing.
        pack.lower(&row.lint_id).ok();
    }
    Ok(pack)
}

/// Every opinion, newest first.
pub(super) async fn page(db: &impl ConnectionTrait, cursor: Cursor) -> Result<Vec<Model>> {
    let mut query = Entity::find()
        .order_by_desc(Column::Id)
        .limit(cursor.fetch());
    if let Some(before) = cursor.before {
        query = query.filter(Column::Id.lt(LegalOpinionId(before)));
    }
    Ok(query.all(db).await?)
}

/// Records an opinion on the pack in force.
///
/// # Errors
/// `validation` when no opinion can lower this lint, or it would be over before it begins.
pub(super) async fn record(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    officer: AccountId,
    new: New,
) -> Result<Model> {
    let now = ctx.env.now();
    let shipped = PolicyPack::shipped();
    shipped
        .clone()
        .lower(&new.lint_id)
        .map_err(|reason| AppError::field("/lint_id", "locked", reason))?;
    if new.valid_until <= now {
        return Err(AppError::field(
            "/valid_until",
            "range",
            "有效期须在现在之后",
        ));
    }
    let row = ActiveModel {
        id: Set(ctx.env.id()),
        lint_id: Set(new.lint_id),
        policy_version: Set(shipped.version.clone()),
        opinion: Set(new.opinion),
        document_ref: Set(new.document_ref),
        officer_id: Set(officer),
        decided_at: Set(now),
        valid_until: Set(new.valid_until),
        revoked_at: Set(None),
        revoked_by: Set(None),
    };
    let row = row.insert(tx).await?;
    told(ctx, tx, officer, "legal_opinion.recorded", &row).await?;
    Ok(row)
}

/// Takes an opinion back: its lint blocks again at once.
///
/// # Errors
/// `not_found`; `invalid_state` when it was taken back before.
pub(super) async fn revoke(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: LegalOpinionId,
    officer: AccountId,
) -> Result<Model> {
    let row = Entity::find_by_id(id)
        .lock_exclusive()
        .one_by_key(tx)
        .await?
        .ok_or_else(AppError::not_found)?;
    if row.revoked_at.is_some() {
        return Err(AppError::invalid_state("这份意见已经撤回"));
    }
    let change = ActiveModel {
        id: Set(id),
        revoked_at: Set(Some(ctx.env.now())),
        revoked_by: Set(Some(officer)),
        ..Default::default()
    };
    let row = change.update(tx).await?;
    told(ctx, tx, officer, "legal_opinion.revoked", &row).await?;
    Ok(row)
}

async fn told(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    officer: AccountId,
    action: &str,
    row: &Model,
) -> Result<()> {
    let entry = audit::Entry {
        actor: Some(officer),
        actor_kind: "staff",
        action: action.to_owned(),
        object: format!("legal_opinion:{}", row.id),
        subject: None,
        detail: json!({ "lint_id": row.lint_id, "policy_version": row.policy_version, "valid_until": row.valid_until }),
        request_id: current_request_id(),
    };
    audit::record(ctx, tx, entry).await
}
