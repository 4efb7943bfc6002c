//! Writing, listing and verifying audit entries.

use super::chain::{Link, append_link};
use crate::{
    kernel::{Cursor, Page, Result},
    platform::Ctx,
};
use chrono::{DateTime, Utc};
use entity::{
    audit_entry,
    ids::{AccountId, AuditEntryId},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde_json::{Value, json};

/// What is about to be recorded.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Who; `None` for the system.
    pub actor: Option<AccountId>,
    /// `staff`, `customer`, `worker`, `system`.
    pub actor_kind: &'static str,
    /// What, e.g. `GET /api/v1/admin/audit`.
    pub action: String,
    /// On which object, e.g. `booking:<id>`.
    pub object: String,
    /// Whose data.
    pub subject: Option<AccountId>,
    /// Further facts without personal data.
    pub detail: Value,
    /// The request.
    pub request_id: String,
}

/// One entry as the officer reads it.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct AuditOut {
    /// Key.
    pub id: AuditEntryId,
    /// Position in the chain.
    pub seq: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor_id: Option<AccountId>,
    /// What kind of account.
    pub actor_kind: String,
    /// What.
    pub action: String,
    /// On which object.
    pub object: String,
    /// Whose data.
    pub subject_id: Option<AccountId>,
    /// Further facts.
    #[schema(value_type = Object)]
    pub detail: Value,
    /// The request.
    pub request_id: String,
    /// Hash of this entry.
    pub hash: String,
}

fn body(row: &audit_entry::Model) -> Value {
    json!({
        "id": row.id, "at": row.at.timestamp_micros(), "actor_id": row.actor_id, "actor_kind": row.actor_kind,
        "action": row.action, "object": row.object, "subject_id": row.subject_id, "detail": row.detail,
        "request_id": row.request_id,
    })
}

/// Appends an entry in `tx`.
///
/// # Errors
/// A database fault.
pub async fn record(ctx: &Ctx, tx: &DatabaseTransaction, entry: Entry) -> Result<()> {
    let mut row = audit_entry::Model {
        id: ctx.env.id(),
        seq: 0,
        at: ctx.env.now(),
        actor_id: entry.actor,
        actor_kind: entry.actor_kind.to_owned(),
        action: entry.action,
        object: entry.object,
        subject_id: entry.subject,
        detail: entry.detail,
        request_id: entry.request_id,
        prev_hash: String::new(),
        hash: String::new(),
    };
    let link = append_link(tx, &ctx.env, "audit", &body(&row)).await?;
    (row.seq, row.prev_hash, row.hash) = (link.seq, link.prev_hash, link.hash);
    audit_entry::ActiveModel {
        id: Set(row.id),
        seq: Set(row.seq),
        at: Set(row.at),
        actor_id: Set(row.actor_id),
        actor_kind: Set(row.actor_kind),
        action: Set(row.action),
        object: Set(row.object),
        subject_id: Set(row.subject_id),
        detail: Set(row.detail),
        request_id: Set(row.request_id),
        prev_hash: Set(row.prev_hash),
        hash: Set(row.hash),
    }
    .insert(tx)
    .await?;
    Ok(())
}

/// The newest entries, optionally about one person.
///
/// # Errors
/// A database fault.
pub async fn list(ctx: &Ctx, cursor: Cursor, subject: Option<AccountId>) -> Result<Page<AuditOut>> {
    let mut query = audit_entry::Entity::find()
        .order_by_desc(audit_entry::Column::Id)
        .limit(cursor.fetch());
    if let Some(before) = cursor.before {
        query = query.filter(audit_entry::Column::Id.lt(AuditEntryId(before)));
    }
    if let Some(subject) = subject {
        query = query.filter(audit_entry::Column::SubjectId.eq(subject));
    }
    let rows = query.all(ctx.db.read()).await?;
    Ok(cursor.page(rows, |row| row.id.0, out))
}

fn out(row: audit_entry::Model) -> AuditOut {
    AuditOut {
        id: row.id,
        seq: row.seq,
        at: row.at,
        actor_id: row.actor_id,
        actor_kind: row.actor_kind,
        action: row.action,
        object: row.object,
        subject_id: row.subject_id,
        detail: row.detail,
        request_id: row.request_id,
        hash: row.hash,
    }
}

/// Walks the chain; the position of the first entry that does not fit, if any, and how many were checked.
///
/// # Errors
/// A database fault.
pub async fn verify(ctx: &Ctx) -> Result<(i64, Option<i64>)> {
    let mut expected = (1, Link::genesis());
    loop {
        let rows = audit_entry::Entity::find()
            .filter(audit_entry::Column::Seq.gte(expected.0))
            .order_by_asc(audit_entry::Column::Seq)
            .limit(500)
            .all(ctx.db.read())
            .await?;
        if rows.is_empty() {
            return Ok((expected.0 - 1, None));
        }
        for row in rows {
            let hash = Link::hash_of(row.seq, &row.prev_hash, &body(&row));
            if row.seq != expected.0 || row.prev_hash != expected.1 || row.hash != hash {
                return Ok((expected.0, Some(expected.0)));
            }
            expected = (row.seq.saturating_add(1), row.hash);
        }
    }
}
