//! The rating call.

use super::{
    model::number,
    submit::{self, Submit},
};
use crate::{
    http::{Idem, Problem, Valid},
    identity::{Actor, Customer},
    kernel::Result,
    platform::Ctx,
};
use actix_web::{HttpResponse, http::StatusCode, post, web};
use chrono::{DateTime, Utc};
use entity::{
    ids::{BookingId, RatingId},
    values::CommentStatus,
};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use serde_json::Number;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Registers the call.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(rate);
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct RatingIn {
    #[validate(range(min = 1, max = 5))]
    quality: i32,
    #[validate(range(min = 1, max = 5))]
    punctuality: i32,
    #[validate(range(min = 1, max = 5))]
    attitude: i32,
    #[validate(range(min = 1, max = 5))]
    communication: i32,
    #[validate(range(min = 1, max = 5))]
    value: i32,
    #[validate(length(max = 500))]
    comment: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct RatingOut {
    id: RatingId,
    /// Mean of the five, two decimals.
    #[schema(value_type = f64)]
    score: Number,
    /// `none`, `pending`, `pass`, `review` or `hidden`; the rating counts in any case.
    comment_status: CommentStatus,
    submitted_at: DateTime<Utc>,
}

/// Rate a completed visit, once. Nothing anybody receives depends on the number. The comment goes to Tencent's content check
/// at once (WX-12: the author is active now); say so beside the field.
#[utoipa::path(tag = "rating", request_body = RatingIn, security(("bearer" = [])),
    responses((status = 201, body = RatingOut), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
#[post("/bookings/{id}/rating")]
async fn rate(
    ctx: web::Data<Ctx>,
    actor: Actor<Customer>,
    id: web::Path<BookingId>,
    idem: Idem,
    body: Valid<RatingIn>,
) -> Result<HttpResponse> {
    let RatingIn {
        quality,
        punctuality,
        attitude,
        communication,
        value,
        comment,
    } = body.value;
    let given = Submit {
        quality,
        punctuality,
        attitude,
        communication,
        value,
        comment,
    };
    let rate = async |tx: &DatabaseTransaction| {
        let row = submit::submit(&ctx, tx, actor.id, *id, given).await?;
        Ok(RatingOut {
            id: row.id,
            score: number(row.score),
            comment_status: row.comment_status,
            submitted_at: row.submitted_at,
        })
    };
    idem.required(actor.id, &body.hash)?
        .run(&ctx, StatusCode::CREATED, rate)
        .await
}
