//! The consent calls of a person.

use super::{
    decide::{self, Decision},
    ledger::Expression,
    notice,
    receipt::{self, ReceiptOut},
    store::{self, Standing},
    withdraw,
};
use crate::{
    http::{Idem, Problem, RequestMeta, Valid, ValidQuery},
    identity::{Actor, Anyone},
    kernel::{AppError, Result},
    platform::Ctx,
};
use actix_web::{HttpResponse, delete, get, http::StatusCode, post, web};
use chrono::{DateTime, Utc};
use entity::{
    consent_record,
    ids::{AccountId, BookingId, ConsentRecordId},
    values::ConsentState,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::{Validate, ValidationError};

/// Acts shown in a history.
const HISTORY: u64 = 100;

/// Registers the calls.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(notices)
        .service(decide_one)
        .service(withdraw_one)
        .service(mine)
        .service(receipt_of);
}

#[derive(Serialize, utoipa::ToSchema)]
struct NoticeOut {
    purpose: String,
    version: String,
    sha256: String,
    language: String,
    title: String,
    text: String,
    separate: bool,
    sensitive: bool,
    consent_type: String,
    needed_for: String,
    refusal_effect: String,
    withdraw_how: String,
    /// Name of the scope a decision must carry, e.g. `booking_id`.
    scope_required: Option<String>,
    /// Channels through which the grant must come, all of them.
    acts: Vec<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct NoticesOut {
    items: Vec<NoticeOut>,
}

/// All notices now shown.
#[utoipa::path(tag = "consent", responses((status = 200, body = NoticesOut)))]
#[get("/consent/notices")]
async fn notices(ctx: web::Data<Ctx>) -> Result<HttpResponse> {
    let shown = notice::all(&ctx.config.controller)?;
    let items = shown.into_iter().map(|notice| {
        Ok(NoticeOut {
            sha256: notice.sha256()?,
            scope_required: Some(notice.scope_required).filter(|name| !name.is_empty()),
            purpose: notice.purpose,
            version: notice.version,
            language: notice.language,
            title: notice.title,
            text: notice.text,
            separate: notice.separate,
            sensitive: notice.sensitive,
            consent_type: notice.consent_type,
            needed_for: notice.needed_for,
            refusal_effect: notice.refusal_effect,
            withdraw_how: notice.withdraw_how,
            acts: notice.acts,
        })
    });
    let items = items.collect::<Result<Vec<_>>>()?;
    Ok(HttpResponse::Ok().json(NoticesOut { items }))
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Granted,
    Refused,
}

#[derive(Clone, Copy, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Channel {
    Popup,
    Settings,
    Agreement,
    Paper,
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct DecideIn {
    #[validate(length(min = 1, max = 64))]
    purpose: String,
    decision: Answer,
    #[validate(length(min = 1, max = 16))]
    notice_version: String,
    #[validate(length(equal = 64))]
    notice_sha256: String,
    channel: Channel,
    /// `{"booking_id": …}` where the notice asks for it.
    #[schema(value_type = Option<Object>)]
    scope: Option<Map<String, Value>>,
    /// Where in the app the person decided, for the record (CR-21).
    #[validate(length(min = 1, max = 64), custom(function = printable))]
    screen: Option<String>,
    /// Which version of the app showed the notice, for the record (CR-21).
    #[validate(length(min = 1, max = 32), custom(function = printable))]
    app_version: Option<String>,
}

/// What goes into the ledger has no control characters: PostgreSQL keeps no NUL, and nobody reads the others.
fn printable(text: &str) -> std::result::Result<(), ValidationError> {
    if text.chars().any(char::is_control) {
        return Err(ValidationError::new("printable"));
    }
    Ok(())
}

/// A record as its owner sees it.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct RecordOut {
    id: ConsentRecordId,
    purpose: String,
    state: ConsentState,
    #[schema(value_type = Option<Object>)]
    scope: Value,
    channel: String,
    notice_version: Value,
    decided_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    receipt_url: String,
    hash: String,
    prev_hash: String,
}

pub(super) fn record_out(row: consent_record::Model) -> RecordOut {
    RecordOut {
        receipt_url: format!("/api/v1/me/consents/{}/receipt", row.id),
        scope: row.body.get("scope").cloned().unwrap_or_default(),
        notice_version: row.body.get("notice_version").cloned().unwrap_or_default(),
        id: row.id,
        purpose: row.purpose,
        state: row.state,
        channel: row.channel,
        decided_at: row.decided_at,
        expires_at: row.expires_at,
        hash: row.hash,
        prev_hash: row.prev_hash,
    }
}

/// Say yes or no to one purpose. Both are recorded; neither changes price, slots or service.
#[utoipa::path(tag = "consent", request_body = DecideIn, security(("bearer" = [])),
    responses((status = 201, body = RecordOut), (status = 409, body = Problem), (status = 422, body = Problem)))]
#[post("/me/consents")]
async fn decide_one(
    ctx: web::Data<Ctx>,
    actor: Actor<Anyone>,
    meta: RequestMeta,
    idem: Idem,
    body: Valid<DecideIn>,
) -> Result<HttpResponse> {
    let channel = json!(body.value.channel)
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let decision = Decision {
        subject: actor.id,
        purpose: &body.value.purpose,
        granted: body.value.decision == Answer::Granted,
        notice_version: &body.value.notice_version,
        notice_sha256: &body.value.notice_sha256,
        scope: body.value.scope.as_ref(),
        how: Expression {
            channel: &channel,
            screen: body.value.screen.as_deref(),
            app_version: body.value.app_version.as_deref(),
            meta: &meta,
        },
    };
    let record = async |tx: &sea_orm::DatabaseTransaction| {
        Ok(record_out(decide::decide(&ctx, tx, &decision).await?))
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::CREATED, record)
        .await
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct WithdrawQuery {
    /// Only this order's consent; all scopes when unsaid.
    booking_id: Option<BookingId>,
}

/// Take a consent back. No reason is asked; it acts at once and not backwards (PIPL 15).
#[utoipa::path(tag = "consent", params(WithdrawQuery), security(("bearer" = [])),
    responses((status = 200, body = RecordOut), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[delete("/me/consents/{purpose}")]
async fn withdraw_one(
    ctx: web::Data<Ctx>,
    actor: Actor<Anyone>,
    meta: RequestMeta,
    purpose: web::Path<String>,
    query: ValidQuery<WithdrawQuery>,
) -> Result<HttpResponse> {
    let tx = ctx.db.begin_write().await?;
    let how = Expression {
        channel: "settings",
        screen: None,
        app_version: None,
        meta: &meta,
    };
    let record =
        withdraw::withdraw(&ctx, &tx, actor.id, &purpose, query.0.booking_id, &how).await?;
    ctx.commit(tx).await?;
    Ok(HttpResponse::Ok().json(record_out(record)))
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct StandOut {
    purpose: String,
    state: ConsentState,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    /// The version that was agreed to or refused, not the one now shown.
    notice_version: Option<String>,
    decided_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ConsentsOut {
    items: Vec<StandOut>,
    history: Vec<RecordOut>,
}

/// Where every purpose of a person stands, and his acts.
pub(super) async fn overview(ctx: &Ctx, subject: AccountId) -> Result<ConsentsOut> {
    let db = ctx.db.read();
    let history = store::history(db, subject, HISTORY).await?;
    let now = ctx.env.now();
    let shown = notice::all(&ctx.config.controller)?;
    let rows = store::of_subject(db, subject).await?;
    let agreed = store::versions(db, rows.iter().map(|row| row.notice_sha256.clone())).await?;
    let items = rows.into_iter().map(|row| {
        let version = agreed.get(&row.notice_sha256).cloned();
        let notice = shown.iter().find(|notice| notice.purpose == row.purpose);
        // A purpose the binary no longer carries has no text to compare with.
        let stands = notice.is_none_or(|notice| notice.admits(version.as_deref().unwrap_or("")));
        StandOut {
            state: match row.state {
                _ if !row.is_open() => row.state,
                _ if !stands => ConsentState::Invalidated,
                _ if row.has_ended(now) => ConsentState::Expired,
                open => open,
            },
            notice_version: version,
            purpose: row.purpose,
            scope: row.scope_key,
            decided_at: row.updated_at,
            expires_at: row.expires_at,
        }
    });
    Ok(ConsentsOut {
        items: items.collect(),
        history: history.into_iter().map(record_out).collect(),
    })
}

/// My consents and their history.
#[utoipa::path(tag = "consent", security(("bearer" = [])), responses((status = 200, body = ConsentsOut)))]
#[get("/me/consents")]
async fn mine(ctx: web::Data<Ctx>, actor: Actor<Anyone>) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(overview(&ctx, actor.id).await?))
}

/// The signed receipt of one act.
#[utoipa::path(tag = "consent", security(("bearer" = [])),
    responses((status = 200, body = ReceiptOut), (status = 404, body = Problem)))]
#[get("/me/consents/{id}/receipt")]
async fn receipt_of(
    ctx: web::Data<Ctx>,
    actor: Actor<Anyone>,
    id: web::Path<ConsentRecordId>,
) -> Result<HttpResponse> {
    let row = store::record_of(ctx.db.read(), actor.id, *id)
        .await?
        .ok_or_else(AppError::not_found)?;
    Ok(HttpResponse::Ok().json(receipt::of(&ctx, &row)?))
}
