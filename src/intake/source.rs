//! The senders: registered by the officer, heard until revoked.

use crate::{
    kernel::{AppError, Code, Cursor, Result},
    platform::{Ctx, OneByKey, vault},
};
use entity::{
    event_source,
    ids::{AccountId, EventSourceId},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::OnConflict,
};
use serde_json::json;

/// Random bytes of a key: 256 bits.
const KEY_BYTES: usize = 32;
/// Longest key that is looked at.
const LONGEST_KEY: usize = 200;

/// A sender about to be registered.
pub(super) struct New {
    pub(super) name: String,
    pub(super) slug: String,
    pub(super) kinds: Vec<String>,
    pub(super) provenance: String,
    pub(super) contract_id: String,
    pub(super) authorisation: String,
    pub(super) by: AccountId,
}

/// A key and its hash. The prefix lets leak scanners and people see what it is.
fn make_key() -> (String, String) {
    let key = format!("ljk_{}", vault::random_token(KEY_BYTES));
    let hash = vault::sha256_hex(key.as_bytes());
    (key, hash)
}

/// The live sender of a key.
pub(super) async fn by_key(
    db: &impl ConnectionTrait,
    key: &str,
) -> Result<Option<event_source::Model>> {
    if key.len() > LONGEST_KEY {
        return Ok(None);
    }
    Ok(event_source::Entity::find()
        .filter(event_source::Column::KeyHash.eq(vault::sha256_hex(key.as_bytes())))
        .filter(event_source::Column::RevokedAt.is_null())
        .one_by_key(db)
        .await?)
}

/// Registers a sender; answers it with its key, which is never shown again.
///
/// # Errors
/// `conflict` when the short name is taken.
pub(super) async fn register(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    new: New,
) -> Result<(event_source::Model, String)> {
    let (key, key_hash) = make_key();
    let id: EventSourceId = ctx.env.id();
    let row = event_source::ActiveModel {
        id: Set(id),
        name: Set(new.name),
        slug: Set(new.slug),
        key_hash: Set(key_hash),
        kinds: Set(json!(new.kinds)),
        provenance: Set(new.provenance),
        contract_id: Set(new.contract_id),
        authorisation: Set(new.authorisation),
        created_by: Set(new.by),
        created_at: Set(ctx.env.now()),
        rotated_at: Set(None),
        revoked_at: Set(None),
    };
    let taken = OnConflict::column(event_source::Column::Slug)
        .do_nothing()
        .to_owned();
    let made = event_source::Entity::insert(row)
        .on_conflict(taken)
        .exec_without_returning(tx)
        .await?;
    if made == 0 {
        return Err(AppError::new(Code::Conflict, "这个短名已经有人用了"));
    }
    Ok((lock(tx, id).await?, key))
}

/// Gives a sender a new key; the old one is heard no more.
///
/// # Errors
/// `not_found`; `invalid_state` when it was revoked.
pub(super) async fn rotate(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: EventSourceId,
) -> Result<(event_source::Model, String)> {
    if lock(tx, id).await?.revoked_at.is_some() {
        return Err(AppError::invalid_state("这个来源已经停用"));
    }
    let (key, key_hash) = make_key();
    let changed = event_source::ActiveModel {
        id: Set(id),
        key_hash: Set(key_hash),
        rotated_at: Set(Some(ctx.env.now())),
        ..Default::default()
    };
    Ok((changed.update(tx).await?, key))
}

/// Hears a sender no more. Saying so again changes nothing.
///
/// # Errors
/// `not_found`.
pub(super) async fn revoke(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: EventSourceId,
) -> Result<event_source::Model> {
    let row = lock(tx, id).await?;
    if row.revoked_at.is_some() {
        return Ok(row);
    }
    let changed = event_source::ActiveModel {
        id: Set(id),
        revoked_at: Set(Some(ctx.env.now())),
        ..Default::default()
    };
    Ok(changed.update(tx).await?)
}

async fn lock(tx: &DatabaseTransaction, id: EventSourceId) -> Result<event_source::Model> {
    event_source::Entity::find_by_id(id)
        .lock_exclusive()
        .one_by_key(tx)
        .await?
        .ok_or_else(AppError::not_found)
}

/// All senders, newest first.
pub(super) async fn page(
    db: &impl ConnectionTrait,
    cursor: Cursor,
) -> Result<Vec<event_source::Model>> {
    let mut rows = event_source::Entity::find()
        .order_by_desc(event_source::Column::Id)
        .limit(cursor.fetch());
    if let Some(before) = cursor.before {
        rows = rows.filter(event_source::Column::Id.lt(EventSourceId(before)));
    }
    Ok(rows.all(db).await?)
}

/// Whether it may send this kind.
pub(super) fn may_send(source: &event_source::Model, kind: &str) -> bool {
    let kinds = source.kinds.as_array().map_or(&[][..], Vec::as_slice);
    kinds.iter().any(|allowed| allowed.as_str() == Some(kind))
}
