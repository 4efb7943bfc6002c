//! Appending an act to the chain, and walking the chain.

use super::{gate::Scope, notice::Notice, receipt_key::ReceiptKey};
use crate::{
    audit::{Link, Walked, append_link, walk},
    http::RequestMeta,
    identity::openid_of,
    kernel::Result,
    platform::{Ctx, vault},
};
use chrono::{DateTime, Utc};
use entity::{
    consent_record,
    ids::{AccountId, ConsentRecordId},
    values::ConsentState,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder,
};
use serde_json::{Map, Value, json};

/// Name of the chain.
const CHAIN: &str = "consent";
/// Layout of a record's body (CR-01).
const SCHEMA_VERSION: &str = "1";

/// What a person was told: the fields of a record that come from the notice.
pub(super) struct Terms(Map<String, Value>);

impl Terms {
    /// As the notice now says it.
    pub(super) fn of_notice(notice: &Notice) -> Result<Self> {
        let sensitive = |text: &str| {
            if notice.sensitive {
                json!(text)
            } else {
                Value::Null
            }
        };
        let terms = json!({
            "notice_id": notice.purpose,
            "notice_version": notice.version,
            "notice_sha256": notice.sha256()?,
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
            "pia_id": Some(&notice.pia_id).filter(|id| !id.is_empty()),
        });
        Ok(Self(match terms {
            Value::Object(terms) => terms,
            _ => Map::new(),
        }))
    }

    /// As an earlier record says it: what is taken back is what was granted, even when its notice is gone.
    pub(super) fn of_record(record: &consent_record::Model) -> Self {
        Self(record.body.as_object().cloned().unwrap_or_default())
    }

    fn text(&self, key: &str) -> String {
        let text = self.0.get(key).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    }
}

/// How a person said it (CR-21, CR-22).
#[derive(Clone, Copy)]
pub(super) struct Expression<'a> {
    pub(super) channel: &'a str,
    pub(super) screen: Option<&'a str>,
    pub(super) app_version: Option<&'a str>,
    pub(super) meta: &'a RequestMeta,
}

/// One act, about to be recorded.
pub(super) struct Act<'a> {
    pub(super) id: ConsentRecordId,
    pub(super) subject: AccountId,
    pub(super) terms: Terms,
    pub(super) state: ConsentState,
    pub(super) scope: Option<&'a Scope>,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) supersedes: Option<ConsentRecordId>,
    pub(super) how: &'a Expression<'a>,
}

/// Records an act; nothing ever changes or removes it.
pub(super) async fn append(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    act: Act<'_>,
) -> Result<consent_record::Model> {
    let now = ctx.env.now();
    let openid = openid_of(ctx, tx, act.subject).await?;
    let (purpose, notice_sha256) = (act.terms.text("purpose"), act.terms.text("notice_sha256"));
    let (id, subject, state, expires_at) = (act.id, act.subject, act.state, act.expires_at);
    let (scope_key, channel) = (Scope::key(act.scope), act.how.channel.to_owned());
    let body = body(ctx, now, openid.as_deref(), act);
    let link = append_link(tx, &ctx.env, CHAIN, &body).await?;
    let row = consent_record::ActiveModel {
        id: Set(id),
        seq: Set(link.seq),
        subject_id: Set(subject),
        purpose: Set(purpose),
        state: Set(state),
        scope_key: Set(scope_key),
        channel: Set(channel),
        notice_sha256: Set(notice_sha256),
        decided_at: Set(now),
        expires_at: Set(expires_at),
        body: Set(body),
        prev_hash: Set(link.prev_hash),
        hash: Set(link.hash),
        key_id: Set(ReceiptKey::of(&ctx.vault)?.id().to_owned()),
    };
    Ok(row.insert(tx).await?)
}

/// CR-01 … CR-25; the chain's own fields (CR-26) stand beside it.
fn body(ctx: &Ctx, now: DateTime<Utc>, openid: Option<&str>, act: Act<'_>) -> Value {
    let how = act.how;
    let purpose = act.terms.text("purpose");
    let own = json!({
        "schema_version": SCHEMA_VERSION,
        "record_id": act.id,
        "subject_id": act.subject,
        "acting_party": if how.channel == "system" { "controller" } else { "subject" },
        "controller": ctx.config.controller,
        "rights_link": format!("{}/api/v1/me/consents", ctx.public_url()),
        "jurisdiction": "CN",
        "state": act.state,
        "decided_at": now,
        "expires_at": act.expires_at,
        "expression_method": {
            "channel": how.channel, "element": format!("{}:{purpose}", how.channel), "screen": how.screen,
            "app_version": how.app_version,
        },
        "evidence": {
            "request_id": how.meta.request_id, "address_masked": how.meta.address_masked,
            "device": how.meta.device, "openid_sha256": openid.map(|id| vault::sha256_hex(id.as_bytes())),
        },
        "scope": Scope::json(act.scope),
        "supersedes": act.supersedes,
    });
    let mut fields = act.terms.0;
    if let Value::Object(own) = own {
        fields.extend(own);
    }
    Value::Object(fields)
}

/// Walks the chain: how many records were checked, and the first that does not fit.
pub(super) async fn verify(ctx: &Ctx) -> Result<(i64, Option<i64>)> {
    walk(ctx.db.read(), CHAIN, async |from, to| {
        let rows = consent_record::Entity::find()
            .filter(consent_record::Column::Seq.between(from, to))
            .order_by_asc(consent_record::Column::Seq)
            .all(ctx.db.read())
            .await?;
        Ok(rows.into_iter().map(walked).collect())
    })
    .await
}

fn walked(row: consent_record::Model) -> Walked {
    Walked {
        columns_agree: columns_agree(&row),
        link: Link {
            seq: row.seq,
            prev_hash: row.prev_hash,
            hash: row.hash,
        },
        body: row.body,
    }
}

/// The columns that queries use must say what the hashed body says.
fn columns_agree(row: &consent_record::Model) -> bool {
    let scope = Scope::of_key(&row.scope_key);
    let columns = json!({
        "record_id": row.id, "subject_id": row.subject_id, "purpose": row.purpose, "state": row.state,
        "scope": Scope::json(scope.as_ref()), "notice_sha256": row.notice_sha256, "decided_at": row.decided_at,
        "expires_at": row.expires_at,
    });
    let mut columns = columns.as_object().into_iter().flatten();
    columns.all(|(name, value)| row.body.get(name) == Some(value))
}
