//! Writing, listing and verifying audit entries.

use super::chain::{Link, Walked, append_link, walk};
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
    QueryOrder, QuerySelect, QueryTrait, sea_query::Condition,
};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Name of the chain.
const CHAIN: &str = "audit";
/// The action of the entry that tells how a call ended.
const OUTCOME: &str = "outcome";

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
    append(ctx, tx, entry, None).await.map(drop)
}

/// Appends the entry of a call before the call runs, so that nothing happens unrecorded; [`end_call`] tells how it
/// ended.
///
/// # Errors
/// A database fault: then the call must not run.
pub async fn begin_call(ctx: &Ctx, tx: &DatabaseTransaction, entry: Entry) -> Result<AuditEntryId> {
    append(ctx, tx, entry, None).await
}

/// Appends how a call ended: an entry of its own, because none is ever changed. [`list`] shows the two as one.
///
/// # Errors
/// A database fault.
pub async fn end_call(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    call: AuditEntryId,
    status: u16,
    began: Entry,
) -> Result<()> {
    let outcome = Entry {
        action: OUTCOME.into(),
        detail: json!({ "call_id": call, "status": status }),
        ..began
    };
    append(ctx, tx, outcome, Some(call)).await.map(drop)
}

async fn append(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    entry: Entry,
    call: Option<AuditEntryId>,
) -> Result<AuditEntryId> {
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
        call_id: call,
    };
    let link = append_link(tx, &ctx.env, CHAIN, &body(&row)).await?;
    (row.seq, row.prev_hash, row.hash) = (link.seq, link.prev_hash, link.hash);
    let id = row.id;
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
        call_id: Set(row.call_id),
    }
    .insert(tx)
    .await?;
    Ok(id)
}

/// The newest entries, optionally about one person. A call and its outcome are one line: its `detail.status` is absent
/// when the outcome is not known, because the node ended or the caller went away in the middle.
///
/// # Errors
/// A database fault.
pub async fn list(ctx: &Ctx, cursor: Cursor, subject: Option<AccountId>) -> Result<Page<AuditOut>> {
    use audit_entry::Column::{CallId, Id, SubjectId};
    let db = ctx.db.read();
    let mut query = audit_entry::Entity::find()
        .filter(CallId.is_null())
        .order_by_desc(Id)
        .limit(cursor.fetch());
    if let Some(before) = cursor.before {
        query = query.filter(Id.lt(AuditEntryId(before)));
    }
    if let Some(subject) = subject {
        // Some handlers know whose data it was only when they have read it: then the outcome says so.
        let named_after = audit_entry::Entity::find()
            .select_only()
            .column(CallId)
            .filter(SubjectId.eq(subject))
            .filter(CallId.is_not_null())
            .into_query();
        query = query.filter(
            Condition::any()
                .add(SubjectId.eq(subject))
                .add(Id.in_subquery(named_after)),
        );
    }
    let rows = query.all(db).await?;
    let ends = audit_entry::Entity::find()
        .filter(CallId.is_in(rows.iter().map(|row| row.id)))
        .all(db)
        .await?;
    let mut ends: HashMap<AuditEntryId, audit_entry::Model> = ends
        .into_iter()
        .filter_map(|end| Some((end.call_id?, end)))
        .collect();
    Ok(cursor.page(
        rows,
        |row| row.id.0,
        |row| {
            let end = ends.remove(&row.id);
            out(row, end)
        },
    ))
}

fn out(row: audit_entry::Model, end: Option<audit_entry::Model>) -> AuditOut {
    let mut detail = row.detail;
    let named = end.as_ref().and_then(|end| end.subject_id);
    if let (Some(end), Some(detail)) = (end, detail.as_object_mut()) {
        let status = end.detail.get("status").cloned().unwrap_or_default();
        detail.insert("status".into(), status);
    }
    AuditOut {
        id: row.id,
        seq: row.seq,
        at: row.at,
        actor_id: row.actor_id,
        actor_kind: row.actor_kind,
        action: row.action,
        object: row.object,
        subject_id: row.subject_id.or(named),
        detail,
        request_id: row.request_id,
        hash: row.hash,
    }
}

/// Walks the chain; the position of the first entry that does not fit, if any, and how many were checked.
///
/// # Errors
/// A database fault.
pub async fn verify(ctx: &Ctx) -> Result<(i64, Option<i64>)> {
    walk(ctx.db.read(), CHAIN, async |from, to| {
        let rows = audit_entry::Entity::find()
            .filter(audit_entry::Column::Seq.between(from, to))
            .order_by_asc(audit_entry::Column::Seq)
            .all(ctx.db.read())
            .await?;
        Ok(rows.into_iter().map(walked).collect())
    })
    .await
}

fn walked(row: audit_entry::Model) -> Walked {
    Walked {
        columns_agree: row
            .call_id
            .is_none_or(|call| row.detail.get("call_id") == Some(&json!(call))),
        body: body(&row),
        link: Link {
            seq: row.seq,
            prev_hash: row.prev_hash,
            hash: row.hash,
        },
    }
}
