//! The staff queue: what WeChat could not decide.

use super::{judge, store};
use crate::{
    booking,
    http::{Idem, Problem, Valid, ValidQuery},
    identity::{Actor, AuditSubject, Operations},
    kernel::{AppError, Cursor, Page, Result},
    photo,
    platform::Ctx,
    rating,
};
use actix_web::{HttpResponse, get, http::StatusCode, post, web};
use chrono::{DateTime, Utc};
use entity::{
    content_check::{ActiveModel, Column, Entity, Model},
    ids::{AccountId, BookingId, ContentCheckId, PhotoId, RatingId},
    values::{ContentCause, ContentKind, ContentRuling, ContentState, ContentSuggest},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;
use validator::Validate;

/// Registers the calls under `/admin`.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list).service(decide);
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Only this state; `open` is the queue.
    state: Option<ContentState>,
    limit: Option<u64>,
    cursor: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct ReviewOut {
    id: ContentCheckId,
    kind: ContentKind,
    /// The rating or the photo.
    subject_id: Uuid,
    booking_id: Option<BookingId>,
    state: ContentState,
    /// Why it is here.
    cause: Option<ContentCause>,
    /// What WeChat suggested.
    suggest: Option<ContentSuggest>,
    /// WeChat's label, for the reader.
    label: Option<i32>,
    /// The comment; null for photos.
    text: Option<String>,
    /// Where the photo is, with your token; null for comments.
    photo_url: Option<String>,
    asked_at: Option<DateTime<Utc>>,
    verdict: Option<ContentRuling>,
    decided_by: Option<AccountId>,
    decided_at: Option<DateTime<Utc>>,
    reason: Option<String>,
    created_at: DateTime<Utc>,
}

/// What is behind a check.
struct Subject {
    booking_id: BookingId,
    text: Option<String>,
}

/// The subjects of these checks: two queries, however many rows.
async fn subjects(db: &impl ConnectionTrait, rows: &[Model]) -> Result<HashMap<Uuid, Subject>> {
    let of = |kind: ContentKind| {
        let his = rows.iter().filter(move |row| row.kind == kind);
        his.map(|row| row.subject_id)
    };
    let photos: Vec<PhotoId> = of(ContentKind::Photo).map(PhotoId).collect();
    let ratings: Vec<RatingId> = of(ContentKind::Comment).map(RatingId).collect();
    let mut found = HashMap::new();
    for row in photo::by_ids(db, &photos).await? {
        let subject = Subject {
            booking_id: row.booking_id,
            text: None,
        };
        found.insert(row.id.0, subject);
    }
    for row in rating::by_ids(db, &ratings).await? {
        let subject = Subject {
            booking_id: row.booking_id,
            text: row.comment,
        };
        found.insert(row.id.0, subject);
    }
    Ok(found)
}

fn out(ctx: &Ctx, row: Model, subject: Option<Subject>) -> ReviewOut {
    let photo_url = (row.kind == ContentKind::Photo)
        .then(|| format!("{}/api/v1/photos/{}", ctx.public_url(), row.subject_id));
    let (booking_id, text) = match subject {
        Some(Subject { booking_id, text }) => (Some(booking_id), text),
        None => (None, None),
    };
    ReviewOut {
        id: row.id,
        kind: row.kind,
        subject_id: row.subject_id,
        booking_id,
        state: row.state,
        cause: row.cause,
        suggest: row.verdict,
        label: row.label,
        text,
        photo_url,
        asked_at: row.asked_at,
        verdict: row.ruling,
        decided_by: row.ruled_by,
        decided_at: row.ruled_at,
        reason: row.reason,
        created_at: row.created_at,
    }
}

/// Comments and photos on their way through the content check, newest first.
#[utoipa::path(tag = "staff", params(ListQuery), security(("bearer" = [])),
    responses((status = 200, body = Page<ReviewOut>)))]
#[get("/content-reviews")]
async fn list(
    ctx: web::Data<Ctx>,
    _: Actor<Operations>,
    query: ValidQuery<ListQuery>,
) -> Result<HttpResponse> {
    let cursor = Cursor::parse(query.0.limit, query.0.cursor.as_deref())?;
    let mut rows = Entity::find()
        .order_by_desc(Column::Id)
        .limit(cursor.fetch());
    if let Some(state) = query.0.state {
        rows = rows.filter(Column::State.eq(state));
    }
    if let Some(before) = cursor.before {
        rows = rows.filter(Column::Id.lt(ContentCheckId(before)));
    }
    let db = ctx.db.read();
    let rows = rows.all(db).await?;
    let mut subjects = subjects(db, &rows).await?;
    let page = cursor.page(
        rows,
        |row| row.id.0,
        |row| {
            let subject = subjects.remove(&row.subject_id);
            out(&ctx, row, subject)
        },
    );
    Ok(HttpResponse::Ok().json(page))
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct DecisionIn {
    verdict: ContentRuling,
    #[validate(length(min = 1, max = 500))]
    reason: String,
}

/// Decide about an open one: it is shown, or it is not.
#[utoipa::path(tag = "staff", request_body = DecisionIn, security(("bearer" = [])),
    responses((status = 200, body = ReviewOut), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[post("/content-reviews/{id}/decision")]
async fn decide(
    ctx: web::Data<Ctx>,
    actor: Actor<Operations>,
    id: web::Path<ContentCheckId>,
    idem: Idem,
    subject: AuditSubject,
    body: Valid<DecisionIn>,
) -> Result<HttpResponse> {
    let DecisionIn { verdict, reason } = body.value;
    let effect = async |tx: &DatabaseTransaction| {
        let row = store::lock(tx, *id).await?;
        let row = row.ok_or_else(AppError::not_found)?;
        if row.state != ContentState::Open || !judge::rule(tx, &row, verdict).await? {
            return Err(AppError::invalid_state("这一项不在待审之列,或已有结论"));
        }
        let change = ActiveModel {
            id: Set(row.id),
            state: Set(ContentState::Settled),
            ruling: Set(Some(verdict)),
            ruled_by: Set(Some(actor.id)),
            ruled_at: Set(Some(ctx.env.now())),
            reason: Set(Some(reason)),
            ..Default::default()
        };
        let row = change.update(tx).await?;
        let behind = subjects(tx, std::slice::from_ref(&row)).await?;
        let behind = behind.into_values().next();
        if let Some(behind) = &behind {
            let visit = booking::by_id_unscoped(tx, behind.booking_id).await?;
            subject.is(visit.customer_id);
        }
        Ok(out(&ctx, row, behind))
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::OK, effect)
        .await
}
