//! Taking one event in, in one transaction: the key first, then the person's consents, then the outbox.

use crate::{
    consent::{self, Granted, PartnerEvents, ReferralProfiling},
    identity,
    kernel::{AppError, Code, Result},
    outbox,
    platform::{Ctx, OneByKey},
    rule::PartnerKind,
};
use chrono::{DateTime, Duration, Utc};
use entity::{
    event_source,
    ids::{AccountId, ReceivedEventId},
    received_event,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    sea_query::OnConflict,
};
use serde_json::{Map, Value, json};

/// How old an event may be when it comes.
const OLDEST: Duration = Duration::days(30);
/// How far a sender's clock may run ahead of ours.
const AHEAD: Duration = Duration::minutes(2);

/// Whom an event is about, as the sender knows him.
pub(super) enum Whom {
    /// By his number, eleven digits.
    Phone(String),
    /// By the number we gave the sender.
    Customer(AccountId),
}

/// An event whose kind and data have been checked.
pub(super) struct Told {
    pub(super) key: String,
    pub(super) kind: PartnerKind,
    pub(super) occurred_at: DateTime<Utc>,
    pub(super) whom: Whom,
    pub(super) authorisation: String,
    pub(super) data: Map<String, Value>,
}

impl Told {
    /// One text for one event, however its JSON was written.
    fn canonical(&self) -> String {
        let whom = match &self.whom {
            Whom::Phone(phone) => json!({ "phone": phone }),
            Whom::Customer(id) => json!({ "customer_id": id }),
        };
        json!([
            self.kind.name(),
            self.occurred_at,
            whom,
            self.authorisation,
            self.data
        ])
        .to_string()
    }
}

/// Takes an event in. The answer tells nothing about the person: not whether he is known, nor what he agreed to.
///
/// # Errors
/// `validation` when it happened too long ago or has not happened yet; `conflict` when the key was used for another event.
pub(super) async fn take(ctx: &Ctx, source: &event_source::Model, told: &Told) -> Result<()> {
    let tx = ctx.db.begin_write().await?;
    let Some(id) = claim(ctx, &tx, source, told).await? else {
        return Ok(());
    };
    let now = ctx.env.now();
    let fault = |code, detail| Err(AppError::field("/occurred_at", code, detail));
    if told.occurred_at > now + AHEAD {
        return fault("future", "事件还没有发生");
    }
    if told.occurred_at < now - OLDEST {
        return fault("too_old", "事件已超过 30 天");
    }
    if let Some((customer, grant)) = agreed(ctx, &tx, &told.whom).await? {
        keep(&tx, id, told, &grant).await?;
        let payload = json!({ "customer_id": customer, "source_id": source.id, "received_event_id": id,
            "occurred_at": told.occurred_at, "data": told.data });
        outbox::append_named(&tx, &ctx.env, told.kind.stream(), customer.0, payload).await?;
    }
    metrics::counter!("linjian_partner_events_total", "kind" => told.kind.name()).increment(1);
    ctx.commit(tx).await
}

/// Writes the sender's key. `None` when the same event is here already; of copies that come together the database lets
/// one through.
async fn claim(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    source: &event_source::Model,
    told: &Told,
) -> Result<Option<ReceivedEventId>> {
    let id: ReceivedEventId = ctx.env.id();
    // Keyed: a plain hash of a phone number is found by trying all of them.
    let hash = hex::encode(ctx.vault.blind_index("received_event", &told.canonical()));
    let row = received_event::ActiveModel {
        id: Set(id),
        source_id: Set(source.id),
        key: Set(told.key.clone()),
        payload_hash: Set(hash.clone()),
        kind: Set(None),
        customer_id: Set(None),
        consent_record_id: Set(None),
        authorisation: Set(None),
        occurred_at: Set(None),
        received_at: Set(ctx.env.now()),
    };
    let columns = [
        received_event::Column::SourceId,
        received_event::Column::Key,
    ];
    let made = received_event::Entity::insert(row)
        .on_conflict(OnConflict::columns(columns).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    if made == 1 {
        return Ok(Some(id));
    }
    let known = received_event::Entity::find()
        .filter(received_event::Column::SourceId.eq(source.id))
        .filter(received_event::Column::Key.eq(&told.key))
        .one_by_key(tx)
        .await?;
    if known.is_some_and(|known| known.payload_hash == hash) {
        return Ok(None);
    }
    Err(AppError::new(
        Code::Conflict,
        "这个 key 已用于另一个事件,请为每个事件换一个新的 key",
    ))
}

/// The person, if we know him and he has agreed both to our hearing of him and to what we do with it.
async fn agreed<'tx>(
    ctx: &Ctx,
    tx: &'tx DatabaseTransaction,
    whom: &Whom,
) -> Result<Option<(AccountId, Granted<'tx, PartnerEvents>)>> {
    let candidates = match whom {
        Whom::Phone(phone) => identity::find_by_phone(ctx, tx, phone).await?,
        Whom::Customer(id) => vec![*id],
    };
    for customer in candidates {
        let heard = stands(consent::require::<PartnerEvents>(ctx, tx, customer, None).await)?;
        let used = stands(consent::require::<ReferralProfiling>(ctx, tx, customer, None).await)?;
        if let (Some(grant), Some(_)) = (heard, used) {
            return Ok(Some((customer, grant)));
        }
    }
    Ok(None)
}

fn stands<T>(proof: Result<T>) -> Result<Option<T>> {
    match proof {
        Ok(proof) => Ok(Some(proof)),
        Err(error) if error.code == Code::ConsentRequired => Ok(None),
        Err(error) => Err(error),
    }
}

/// Notes what was taken in, on the consent it rests on.
async fn keep(
    tx: &DatabaseTransaction,
    id: ReceivedEventId,
    told: &Told,
    grant: &Granted<'_, PartnerEvents>,
) -> Result<()> {
    received_event::ActiveModel {
        id: Set(id),
        kind: Set(Some(told.kind.name().to_owned())),
        customer_id: Set(Some(grant.subject())),
        consent_record_id: Set(Some(grant.record_id())),
        authorisation: Set(Some(told.authorisation.clone())),
        occurred_at: Set(Some(told.occurred_at)),
        ..Default::default()
    }
    .update(tx)
    .await?;
    Ok(())
}
