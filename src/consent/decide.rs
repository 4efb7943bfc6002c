//! Saying yes or no.

use super::{
    events::{ConsentGranted, ConsentWithdrawn},
    gate::Scope,
    ledger::{self, Act, Expression, Terms},
    notice::{self, Notice},
    store::{self, Grant, Standing},
};
use crate::{
    kernel::{AppError, Code, Result},
    outbox,
    platform::{Ctx, OneByKey},
};
use chrono::{DateTime, Utc};
use entity::{
    booking, consent_record, consent_state,
    ids::{AccountId, BookingId, ConsentRecordId},
    values::ConsentState,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A decision as it came in.
pub(super) struct Decision<'a> {
    pub(super) subject: AccountId,
    pub(super) purpose: &'a str,
    pub(super) granted: bool,
    pub(super) notice_version: &'a str,
    pub(super) notice_sha256: &'a str,
    pub(super) scope: Option<&'a Map<String, Value>>,
    pub(super) how: Expression<'a>,
}

/// An act that counts towards a grant.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Done {
    record: ConsentRecordId,
    at: DateTime<Utc>,
}

/// The acts that make a grant, by what they are (`popup`, `agreement`).
type Acts = BTreeMap<String, Done>;

/// Records a grant or a refusal.
///
/// # Errors
/// `validation` for an unknown purpose, channel or scope; `conflict` for a notice that is not the one now shown.
pub(super) async fn decide(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    decision: &Decision<'_>,
) -> Result<consent_record::Model> {
    let notice = notice::of_purpose(&ctx.config.controller, decision.purpose)?
        .ok_or_else(|| AppError::field("/purpose", "unknown", "没有这个用途"))?;
    if notice.version != decision.notice_version || notice.sha256()? != decision.notice_sha256 {
        return Err(AppError::new(
            Code::Conflict,
            "告知书已更新,请重新阅读后再决定",
        ));
    }
    if decision.granted {
        may_grant(&notice, decision)?;
    }
    let scope = scope(tx, &notice, decision).await?;
    // First the person, then the row: a first decision has no row that could be locked.
    store::hold(tx, decision.subject).await?;
    let key = Scope::key(scope.as_ref());
    let before = store::lock(tx, decision.subject, decision.purpose, &key).await?;
    let id: ConsentRecordId = ctx.env.id();
    let acts = acts(ctx, tx, &notice, decision, before.as_ref(), id).await?;
    let (state, expires_at) = outcome(&notice, &acts)?;
    let act = Act {
        id,
        subject: decision.subject,
        terms: Terms::of_notice(&notice)?,
        state,
        scope: scope.as_ref(),
        expires_at,
        supersedes: before.as_ref().map(|row| row.record_id),
        how: &decision.how,
    };
    let record = ledger::append(ctx, tx, act).await?;
    save(ctx, tx, &record, serde_json::to_value(acts)?).await?;
    announce(ctx, tx, &record, before.as_ref()).await?;
    Ok(record)
}

/// A refusal is recorded through any channel (CR-31); a grant has to come the way its purpose asks for.
fn may_grant(notice: &Notice, decision: &Decision<'_>) -> Result<()> {
    if notice.consent_type == "guardian" {
        return Err(AppError::field(
            "/purpose",
            "guardian",
            "这个用途需要监护人在线下办理同意",
        ));
    }
    if !notice.acts.iter().any(|act| act == kind(decision)) {
        return Err(AppError::field(
            "/channel",
            "separate",
            "单独同意不能只凭接受协议,请在弹窗或设置里决定",
        ));
    }
    Ok(())
}

/// Which act a channel stands for. Accepting an agreement is never the separate act; paper and settings are.
fn kind(decision: &Decision<'_>) -> &'static str {
    if decision.how.channel == "agreement" {
        "agreement"
    } else {
        "popup"
    }
}

/// The acts that count after this one. A refusal clears them; so do a closed or materially older grant and the end of
/// an act's own time, so that no half of an old grant ever opens a new one.
async fn acts(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    notice: &Notice,
    decision: &Decision<'_>,
    before: Option<&Grant>,
    record: ConsentRecordId,
) -> Result<Acts> {
    if !decision.granted {
        return Ok(Acts::new());
    }
    let now = ctx.env.now();
    let mut acts = Acts::new();
    if let Some(row) = before.filter(|row| row.is_open() && !row.has_ended(now))
        && notice::still_admits(ctx, tx, &row.purpose, &row.notice_sha256).await?
    {
        let earlier: Acts = serde_json::from_value(row.acts.clone()).unwrap_or_default();
        for (kind, done) in earlier {
            if notice.ends(done.at)? > now {
                acts.insert(kind, done);
            }
        }
    }
    acts.insert(kind(decision).to_owned(), Done { record, at: now });
    Ok(acts)
}

/// The state these acts make, and its end: that of the act that ends first, so that renewing one half renews nothing.
fn outcome(notice: &Notice, acts: &Acts) -> Result<(ConsentState, Option<DateTime<Utc>>)> {
    let Some(oldest) = acts.values().map(|done| done.at).min() else {
        return Ok((ConsentState::Refused, None));
    };
    let complete = notice.acts.iter().all(|act| acts.contains_key(act));
    let state = if complete {
        ConsentState::Granted
    } else {
        ConsentState::Requested
    };
    Ok((state, Some(notice.ends(oldest)?)))
}

pub(super) async fn announce(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    record: &consent_record::Model,
    before: Option<&Grant>,
) -> Result<()> {
    // What a changed text closed is told of again when the person himself says no.
    let was_open = before
        .is_some_and(|row| matches!(row.state, ConsentState::Granted | ConsentState::Invalidated));
    let (account_id, purpose, record_id) = (record.subject_id, record.purpose.clone(), record.id);
    if record.state == ConsentState::Granted {
        outbox::append(
            tx,
            &ctx.env,
            &ConsentGranted {
                account_id,
                purpose,
                record_id,
            },
        )
        .await?;
    } else if was_open {
        outbox::append(
            tx,
            &ctx.env,
            &ConsentWithdrawn {
                account_id,
                purpose,
                record_id,
            },
        )
        .await?;
    }
    Ok(())
}

pub(super) async fn save(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    record: &consent_record::Model,
    acts: Value,
) -> Result<()> {
    let row = consent_state::ActiveModel {
        subject_id: Set(record.subject_id),
        purpose: Set(record.purpose.clone()),
        scope_key: Set(record.scope_key.clone()),
        state: Set(record.state),
        record_id: Set(record.id),
        acts: Set(acts),
        notice_sha256: Set(record.notice_sha256.clone()),
        expires_at: Set(record.expires_at),
        updated_at: Set(ctx.env.now()),
    };
    store::save(tx, row).await
}

async fn scope(
    tx: &DatabaseTransaction,
    notice: &Notice,
    decision: &Decision<'_>,
) -> Result<Option<Scope>> {
    let wanted = notice.scope_required.as_str();
    match (wanted, decision.scope.filter(|scope| !scope.is_empty())) {
        ("", None) => Ok(None),
        ("", Some(_)) => Err(AppError::field("/scope", "unknown", "这个用途不限定范围")),
        (wanted, None) => Err(AppError::field(
            "/scope",
            "required",
            format!("请给出 scope.{wanted}"),
        )),
        (wanted, Some(scope)) => {
            let id = scope
                .get(wanted)
                .and_then(Value::as_str)
                .filter(|_| scope.len() == 1);
            let id = id.ok_or_else(|| {
                AppError::field(format!("/scope/{wanted}"), "required", "应为一个编号")
            })?;
            if wanted == "booking_id" {
                return Ok(Some(own_booking(tx, decision.subject, id).await?));
            }
            if id.is_empty() || id.len() > 64 || id.chars().any(char::is_control) {
                return Err(AppError::field(
                    format!("/scope/{wanted}"),
                    "length",
                    "应为 1 到 64 个可见字符",
                ));
            }
            Ok(Some(Scope {
                name: wanted.to_owned(),
                id: id.to_owned(),
            }))
        }
    }
}

/// A per-order consent is about the caller's own order; the scope is the id as we write it, however it was sent.
async fn own_booking(tx: &DatabaseTransaction, subject: AccountId, id: &str) -> Result<Scope> {
    let id = id
        .parse::<uuid::Uuid>()
        .map_err(|_| AppError::field("/scope/booking_id", "format", "不是预约编号"))?;
    let id = BookingId(id);
    let own = booking::Entity::find_by_id(id).filter(booking::Column::CustomerId.eq(subject));
    own.one_by_key(tx).await?.ok_or_else(AppError::not_found)?;
    Ok(Scope::booking(id))
}
