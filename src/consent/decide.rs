//! The three acts: grant, refuse, withdraw.

use super::{
    events::{ConsentGranted, ConsentWithdrawn},
    gate::Scope,
    ledger::{self, Act},
    notice::{self, Notice},
    receipt_key::ReceiptKey,
    store::{self, Grant},
};
use crate::{
    http::RequestMeta,
    kernel::{AppError, Code, Result, Span},
    outbox,
    platform::{Ctx, OneByKey},
};
use chrono::{DateTime, Duration, Utc};
use entity::{
    booking, consent_record, consent_state,
    ids::{AccountId, BookingId, ConsentRecordId},
    values::ConsentState,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};
use serde_json::{Map, Value, json};

/// A shift's consent ends with the day's longest shift (CR-37).
const SHIFT: Duration = Duration::hours(16);

/// A decision as it came in.
pub(super) struct Decision<'a> {
    pub(super) subject: AccountId,
    pub(super) purpose: &'a str,
    pub(super) granted: bool,
    pub(super) notice_version: &'a str,
    pub(super) notice_sha256: &'a str,
    pub(super) channel: &'a str,
    pub(super) scope: Option<&'a Map<String, Value>>,
    pub(super) meta: &'a RequestMeta,
}

/// Records a grant or a refusal.
///
/// # Errors
/// `validation` for an unknown purpose, channel or scope; `conflict` for a notice that is not the one now shown.
pub(super) async fn decide(
    ctx: &Ctx,
    key: &ReceiptKey,
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
    if notice.consent_type == "guardian" {
        return Err(AppError::field(
            "/purpose",
            "guardian",
            "这个用途需要监护人在线下办理同意",
        ));
    }
    let scope = scope(ctx, tx, &notice, decision).await?;
    let before = store::lock(
        tx,
        decision.subject,
        decision.purpose,
        &Scope::key(scope.as_ref()),
    )
    .await?;
    let (state, mut acts) = next(&notice, decision, before.as_ref());
    let record = ledger::append(
        ctx,
        key,
        tx,
        Act {
            subject: decision.subject,
            notice: &notice,
            state,
            channel: decision.channel,
            scope: scope.as_ref(),
            expires_at: (state == ConsentState::Granted)
                .then(|| expiry(&notice, ctx.env.now()))
                .flatten(),
            supersedes: before.as_ref().map(|row| row.record_id),
            meta: decision.meta,
        },
    )
    .await?;
    if decision.granted {
        acts.insert(decision.channel.to_owned(), json!(record.id));
    }
    save(ctx, tx, &record, Value::Object(acts)).await?;
    announce(ctx, tx, &record, before.as_ref()).await?;
    Ok(record)
}

/// The state an act leads to, and the acts that count towards it. A purpose with two acts is `requested` after the
/// first; a refusal clears both.
fn next(
    notice: &Notice,
    decision: &Decision<'_>,
    before: Option<&Grant>,
) -> (ConsentState, Map<String, Value>) {
    if !decision.granted {
        return (ConsentState::Refused, Map::new());
    }
    let same_text = before.filter(|row| row.notice_sha256 == decision.notice_sha256);
    let open = same_text
        .filter(|row| matches!(row.state, ConsentState::Requested | ConsentState::Granted));
    let acts = open
        .and_then(|row| row.acts.as_object().cloned())
        .unwrap_or_default();
    let done = |act: &String| acts.contains_key(act) || act == decision.channel;
    let complete = notice.acts.len() < 2 || notice.acts.iter().all(done);
    (
        if complete {
            ConsentState::Granted
        } else {
            ConsentState::Requested
        },
        acts,
    )
}

async fn announce(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    record: &consent_record::Model,
    before: Option<&Grant>,
) -> Result<()> {
    let was_open = before.is_some_and(|row| row.state == ConsentState::Granted);
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

async fn save(
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

/// Until when a grant holds (CR-37). A per-order consent ends with its order's complaint window.
fn expiry(notice: &Notice, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let length = match notice.validity.as_str() {
        "order" => Duration::days(180),
        "shift" => SHIFT,
        span => span.parse::<Span>().ok()?.get(),
    };
    now.checked_add_signed(length)
}

async fn scope(
    ctx: &Ctx,
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
                own_booking(ctx, tx, decision.subject, id).await?;
            } else if id.is_empty() || id.len() > 64 {
                return Err(AppError::field(
                    format!("/scope/{wanted}"),
                    "length",
                    "应为 1 到 64 个字符",
                ));
            }
            Ok(Some(Scope {
                name: wanted.to_owned(),
                id: id.to_owned(),
            }))
        }
    }
}

/// A per-order consent is about the caller's own order.
async fn own_booking(
    _: &Ctx,
    tx: &DatabaseTransaction,
    subject: AccountId,
    id: &str,
) -> Result<()> {
    let id = id
        .parse::<uuid::Uuid>()
        .map_err(|_| AppError::field("/scope/booking_id", "format", "不是预约编号"))?;
    let own =
        booking::Entity::find_by_id(BookingId(id)).filter(booking::Column::CustomerId.eq(subject));
    own.one_by_key(tx)
        .await?
        .map(drop)
        .ok_or_else(AppError::not_found)
}

/// Withdraws a purpose in every scope, or in one. Nobody is asked why; doing it twice answers the same record.
///
/// # Errors
/// `validation` for an unknown purpose; `invalid_state` when it was never granted or asked.
pub(super) async fn withdraw(
    ctx: &Ctx,
    key: &ReceiptKey,
    tx: &DatabaseTransaction,
    subject: AccountId,
    purpose: &str,
    booking: Option<BookingId>,
    meta: &RequestMeta,
) -> Result<consent_record::Model> {
    let notice =
        notice::of_purpose(&ctx.config.controller, purpose)?.ok_or_else(AppError::not_found)?;
    let only = booking.map(|id| Scope::key(Some(&Scope::booking(id))));
    let rows = store::lock_all(tx, subject, purpose).await?;
    let rows: Vec<Grant> = rows
        .into_iter()
        .filter(|row| only.as_ref().is_none_or(|key| *key == row.scope_key))
        .collect();
    let mut last: Option<ConsentRecordId> = None;
    for row in &rows {
        last = Some(match row.state {
            ConsentState::Granted | ConsentState::Requested => {
                one(ctx, key, tx, &notice, row, meta).await?
            }
            ConsentState::Refused
            | ConsentState::Withdrawn
            | ConsentState::Expired
            | ConsentState::Invalidated => row.record_id,
        });
    }
    let last = last.ok_or_else(|| AppError::invalid_state("您没有同意过这个用途,无需撤回"))?;
    store::record_of(tx, subject, last)
        .await?
        .ok_or_else(AppError::not_found)
}

async fn one(
    ctx: &Ctx,
    key: &ReceiptKey,
    tx: &DatabaseTransaction,
    notice: &Notice,
    row: &Grant,
    meta: &RequestMeta,
) -> Result<ConsentRecordId> {
    let scope = row.scope_key.split_once('=').map(|(name, id)| Scope {
        name: name.into(),
        id: id.into(),
    });
    let act = Act {
        subject: row.subject_id,
        notice,
        state: ConsentState::Withdrawn,
        channel: "settings",
        scope: scope.as_ref(),
        expires_at: None,
        supersedes: Some(row.record_id),
        meta,
    };
    let record = ledger::append(ctx, key, tx, act).await?;
    save(ctx, tx, &record, json!({})).await?;
    announce(ctx, tx, &record, Some(row)).await?;
    Ok(record.id)
}
