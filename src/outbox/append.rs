//! Writing an event in the transaction of its cause.

use crate::kernel::{Env, Result};
use entity::{ids::EventId, outbox};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, EntityTrait};
use uuid::Uuid;

/// Something that happened. Its payload holds ids and numbers, never personal data.
pub trait Event: serde::Serialize {
    /// `rating.submitted.v1`: feature, past tense, version of the payload.
    const KIND: &'static str;

    /// Whom or what it is about, for look-ups; by habit the customer.
    fn subject(&self) -> Uuid;
}

/// Appends `event`; it becomes visible to consumers when `tx` commits.
///
/// # Errors
/// A database fault.
pub async fn append<E: Event>(tx: &DatabaseTransaction, env: &Env, event: &E) -> Result<EventId> {
    raw(
        tx,
        env,
        E::KIND,
        event.subject(),
        serde_json::to_value(event)?,
    )
    .await
}

/// As [`append`], several of one kind at once; their ids in the same order.
///
/// # Errors
/// A database fault.
pub async fn append_all<E: Event>(
    tx: &DatabaseTransaction,
    env: &Env,
    events: &[E],
) -> Result<Vec<EventId>> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let mut ids = Vec::with_capacity(events.len());
    let mut rows = Vec::with_capacity(events.len());
    for event in events {
        let id: EventId = env.id();
        ids.push(id);
        let payload = serde_json::to_value(event)?;
        rows.push(row(env, id, (E::KIND, event.subject(), payload)));
    }
    outbox::Entity::insert_many(rows)
        .exec_without_returning(tx)
        .await?;
    Ok(ids)
}

/// Appends an event whose kind is one of several that are registered as data.
///
/// # Errors
/// A database fault.
pub async fn append_named(
    tx: &DatabaseTransaction,
    env: &Env,
    kind: &'static str,
    subject: Uuid,
    payload: serde_json::Value,
) -> Result<EventId> {
    raw(tx, env, kind, subject, payload).await
}

pub(super) async fn raw(
    tx: &DatabaseTransaction,
    env: &Env,
    kind: &str,
    subject: Uuid,
    payload: serde_json::Value,
) -> Result<EventId> {
    let id: EventId = env.id();
    outbox::Entity::insert(row(env, id, (kind, subject, payload)))
        .exec_without_returning(tx)
        .await?;
    Ok(id)
}

fn row(
    env: &Env,
    id: EventId,
    (kind, subject, payload): (&str, Uuid, serde_json::Value),
) -> outbox::ActiveModel {
    outbox::ActiveModel {
        id: Set(id),
        kind: Set(kind.to_owned()),
        subject_id: Set(Some(subject)),
        payload: Set(payload),
        occurred_at: Set(env.now()),
        published_at: Set(None),
        done_at: Set(None),
        attempts: Set(0),
        retry_at: Set(None),
        dead_at: Set(None),
        last_error: Set(None),
    }
}
