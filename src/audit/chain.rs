//! The tip of a hash chain, locked while a record is appended.

use crate::kernel::{Env, Result};
use aws_lc_rs::digest;
use entity::chain_head;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, EntityTrait, QuerySelect,
    sea_query::OnConflict,
};
use serde_json::Value;

/// A record's place in its chain.
#[derive(Clone, Debug)]
pub struct Link {
    /// Position, from 1.
    pub seq: i64,
    /// Hash of the record before; 64 zeros for the first.
    pub prev_hash: String,
    /// SHA-256 over the previous hash and the body's canonical JSON.
    pub hash: String,
}

impl Link {
    /// The hash a record with this body must have after `prev_hash`.
    pub fn hash_of(seq: i64, prev_hash: &str, body: &Value) -> String {
        // serde_json keeps object keys sorted, so the text is canonical on every node and in every database.
        hex::encode(digest::digest(
            &digest::SHA256,
            format!("{seq}\n{prev_hash}\n{body}").as_bytes(),
        ))
    }

    /// What stands before the first record.
    pub fn genesis() -> String {
        "0".repeat(64)
    }
}

/// Takes the next place of chain `name` for `body`. The tip stays locked until `tx` ends, so appends are in order.
///
/// # Errors
/// A database fault.
pub async fn append_link(
    tx: &DatabaseTransaction,
    _: &Env,
    name: &'static str,
    body: &Value,
) -> Result<Link> {
    let first = chain_head::ActiveModel {
        name: Set(name.into()),
        seq: Set(0),
        hash: Set(Link::genesis()),
    };
    chain_head::Entity::insert(first)
        .on_conflict(
            OnConflict::column(chain_head::Column::Name)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    let head = chain_head::Entity::find_by_id(name)
        .lock_exclusive()
        .all(tx)
        .await?
        .pop();
    let (seq, prev_hash) = head.map_or((0, Link::genesis()), |head| (head.seq, head.hash));
    let seq = seq.saturating_add(1);
    let hash = Link::hash_of(seq, &prev_hash, body);
    chain_head::ActiveModel {
        name: Set(name.into()),
        seq: Set(seq),
        hash: Set(hash.clone()),
    }
    .update(tx)
    .await?;
    Ok(Link {
        seq,
        prev_hash,
        hash,
    })
}
