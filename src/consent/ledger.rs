//! Appending an act to the chain, and walking the chain.

use super::{gate::Scope, notice::Notice, receipt_key::ReceiptKey};
use crate::{
    audit::{Link, append_link},
    http::RequestMeta,
    kernel::Result,
    platform::Ctx,
};
use chrono::{DateTime, Utc};
use entity::{
    consent_record,
    ids::{AccountId, ConsentRecordId},
    values::ConsentState,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde_json::{Value, json};

/// Layout of [`body`] (CR-01).
const SCHEMA_VERSION: &str = "1";

/// One act, about to be recorded.
pub(super) struct Act<'a> {
    pub(super) subject: AccountId,
    pub(super) notice: &'a Notice,
    pub(super) state: ConsentState,
    pub(super) channel: &'a str,
    pub(super) scope: Option<&'a Scope>,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) supersedes: Option<ConsentRecordId>,
    pub(super) meta: &'a RequestMeta,
}

/// Records an act; nothing ever changes or removes it.
pub(super) async fn append(
    ctx: &Ctx,
    key: &ReceiptKey,
    tx: &DatabaseTransaction,
    act: Act<'_>,
) -> Result<consent_record::Model> {
    let id: ConsentRecordId = ctx.env.id();
    let now = ctx.env.now();
    let sha256 = act.notice.sha256()?;
    let body = body(ctx, id, now, &sha256, &act);
    let link = append_link(tx, &ctx.env, "consent", &body).await?;
    let row = consent_record::ActiveModel {
        id: Set(id),
        seq: Set(link.seq),
        subject_id: Set(act.subject),
        purpose: Set(act.notice.purpose.clone()),
        state: Set(act.state),
        scope_key: Set(Scope::key(act.scope)),
        channel: Set(act.channel.to_owned()),
        notice_sha256: Set(sha256),
        decided_at: Set(now),
        expires_at: Set(act.expires_at),
        body: Set(body),
        prev_hash: Set(link.prev_hash),
        hash: Set(link.hash),
        key_id: Set(key.id().to_owned()),
    };
    Ok(row.insert(tx).await?)
}

/// CR-01 … CR-25; the chain's own fields (CR-26) stand beside it.
fn body(ctx: &Ctx, id: ConsentRecordId, now: DateTime<Utc>, sha256: &str, act: &Act<'_>) -> Value {
    let notice = act.notice;
    let sensitive = |text: &str| {
        if notice.sensitive {
            json!(text)
        } else {
            Value::Null
        }
    };
    json!({
        "schema_version": SCHEMA_VERSION,
        "record_id": id,
        "subject_id": act.subject,
        "acting_party": "subject",
        "controller": ctx.config.controller,
        "notice_id": notice.purpose,
        "notice_version": notice.version,
        "notice_sha256": sha256,
        "language": notice.language,
        "purpose": notice.purpose,
        "purpose_text": notice.needed_for,
        "consent_type": notice.consent_type,
        "legal_basis": notice.legal_basis,
        "article": notice.article,
        "data_categories": notice.data_categories,
        "sensitive": notice.sensitive,
        "necessity": sensitive(&notice.necessity),
        "effect_on_rights": sensitive(&notice.effect_on_rights),
        "processing_method": notice.processing_method,
        "automated": notice.automated,
        "retention_rule": notice.retention_rule,
        "storage_location": notice.storage_location,
        "recipients": notice.recipients,
        "withdrawal_method": notice.withdraw_how,
        "rights_link": format!("{}/api/v1/me/consents", ctx.public_url()),
        "jurisdiction": "CN",
        "state": act.state,
        "decided_at": now,
        "expires_at": act.expires_at,
        "expression_method": format!("{}:{}", act.channel, notice.purpose),
        "evidence": {
            "address_masked": act.meta.address_masked, "device": act.meta.device, "request_id": act.meta.request_id,
        },
        "pia_id": Some(&notice.pia_id).filter(|id| !id.is_empty()),
        "scope": Scope::json(act.scope),
        "supersedes": act.supersedes,
    })
}

/// Walks the chain: how many records were checked, and the first that does not fit.
pub(super) async fn verify(ctx: &Ctx) -> Result<(i64, Option<i64>)> {
    let mut expected = (1, Link::genesis());
    loop {
        let rows = consent_record::Entity::find()
            .filter(consent_record::Column::Seq.gte(expected.0))
            .order_by_asc(consent_record::Column::Seq)
            .limit(500)
            .all(ctx.db.read())
            .await?;
        if rows.is_empty() {
            return Ok((expected.0 - 1, missing_tail(ctx, expected.0).await?));
        }
        for row in rows {
            let sound = row.seq == expected.0
                && row.prev_hash == expected.1
                && row.hash == Link::hash_of(row.seq, &row.prev_hash, &row.body)
                && columns_agree(&row);
            if !sound {
                return Ok((expected.0, Some(expected.0)));
            }
            expected = (row.seq.saturating_add(1), row.hash);
        }
    }
}

/// The columns that queries use must say what the hashed body says.
fn columns_agree(row: &consent_record::Model) -> bool {
    row.body["record_id"] == json!(row.id)
        && row.body["subject_id"] == json!(row.subject_id)
        && row.body["purpose"] == json!(row.purpose)
        && row.body["state"] == json!(row.state)
        && row.body["notice_sha256"] == json!(row.notice_sha256)
}

/// Records cut off the end are found by the chain's head.
async fn missing_tail(ctx: &Ctx, next: i64) -> Result<Option<i64>> {
    use entity::chain_head;
    let head = chain_head::Entity::find_by_id("consent")
        .all(ctx.db.read())
        .await?
        .pop();
    Ok(head.filter(|head| head.seq >= next).map(|_| next))
}
