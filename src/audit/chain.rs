//! The tip of a hash chain, locked while a record is appended.

use crate::{
    kernel::{Env, Result},
    platform::OneByKey,
};
use aws_lc_rs::digest;
use entity::chain_head;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ConnectionTrait, DatabaseTransaction, EntityTrait,
    QuerySelect, sea_query::OnConflict,
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

/// Records of one walk through a chain are read in portions of this many.
const PORTION: i64 = 500;

/// A record as a walk needs it.
pub struct Walked {
    /// Its place.
    pub link: Link,
    /// What its hash covers.
    pub body: Value,
    /// Whether the columns outside the hash say what the body says.
    pub columns_agree: bool,
}

/// Walks chain `name` up to its tip as it was at the beginning, so that records appended meanwhile are no fault and
/// records cut off the end are one. `read` answers the records of the positions from and to, in order. The answer: how
/// many records were checked, and the position of the first that does not fit.
///
/// # Errors
/// A database fault.
pub async fn walk(
    db: &impl ConnectionTrait,
    name: &'static str,
    read: impl AsyncFn(i64, i64) -> Result<Vec<Walked>>,
) -> Result<(i64, Option<i64>)> {
    let head = head(db, name).await?;
    let mut last = Link {
        seq: 0,
        prev_hash: String::new(),
        hash: Link::genesis(),
    };
    while last.seq < head.seq {
        let next = last.seq.saturating_add(1);
        let rows = read(next, head.seq.min(last.seq.saturating_add(PORTION))).await?;
        if rows.is_empty() {
            return Ok((next, Some(next)));
        }
        for row in rows {
            let next = last.seq.saturating_add(1);
            let sound = row.columns_agree
                && row.link.seq == next
                && row.link.prev_hash == last.hash
                && row.link.hash == Link::hash_of(next, &last.hash, &row.body);
            if !sound {
                return Ok((next, Some(next)));
            }
            last = row.link;
        }
    }
    if last.hash != head.hash {
        return Ok((last.seq, Some(last.seq.max(1))));
    }
    // A tip that was set back to an earlier place, or taken away, leaves records behind it; so does a fresh append, but
    // then the tip has moved on by now.
    let next = last.seq.saturating_add(1);
    let behind = read(next, next).await?;
    if !behind.is_empty() && self::head(db, name).await?.seq < next {
        return Ok((last.seq, Some(next)));
    }
    Ok((last.seq, None))
}

/// The tip; before the first record there is none.
async fn head(db: &impl ConnectionTrait, name: &'static str) -> Result<Link> {
    let row = chain_head::Entity::find_by_id(name).one_by_key(db).await?;
    Ok(row.map_or_else(
        || Link {
            seq: 0,
            prev_hash: String::new(),
            hash: Link::genesis(),
        },
        |row| Link {
            seq: row.seq,
            prev_hash: String::new(),
            hash: row.hash,
        },
    ))
}
