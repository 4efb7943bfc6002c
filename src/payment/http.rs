//! Paying, and WeChat Pay's webhook.

use super::{
    notify,
    prepay::{self, PrepaymentOut},
    settlement,
};
use crate::{
    http::{Idem, Problem, TwoStep, Valid},
    identity::{Actor, Customer},
    kernel::{AppError, Code, Result},
    platform::{
        Ctx,
        wechat::{NOTIFY_PATH, WebhookFailure},
    },
};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, post, web};
use entity::{ids::BookingId, values::Fen};
use sea_orm::DatabaseTransaction;
use serde::Deserialize;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Largest notification, bytes (WeChat spec 2.4).
const NOTIFICATION_LIMIT: usize = 64 * 1024;

/// Registers the calls.
pub fn routes(cfg: &mut ServiceConfig) {
    debug_assert!(
        NOTIFY_PATH.ends_with("/webhooks/wechat-pay"),
        "the client tells WeChat this address"
    );
    cfg.service(prepay_booking)
        .service(webhook)
        .configure(settlement::routes);
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct PrepayIn {
    /// Fen; at most the open balance.
    #[validate(range(min = 1, max = 1_000_000_000))]
    amount_fen: i64,
}

/// Pay ahead. Half of the price or more confirms the booking.
#[utoipa::path(tag = "payment", request_body = PrepayIn, security(("bearer" = [])),
    responses((status = 201, body = PrepaymentOut), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
#[post("/bookings/{id}/prepayments")]
async fn prepay_booking(
    ctx: web::Data<Ctx>,
    actor: Actor<Customer>,
    id: web::Path<BookingId>,
    idem: Idem,
    body: Valid<PrepayIn>,
) -> Result<HttpResponse> {
    let amount = Fen(body.value.amount_fen);
    let first = async |tx: &DatabaseTransaction, key: Option<&str>| {
        prepay::begin(&ctx, tx, actor.id, *id, amount, key).await
    };
    let (once, order) = match idem
        .required(actor.id, &body.hash)?
        .begin(&ctx, first)
        .await?
    {
        TwoStep::Replayed(answer) => return Ok(answer),
        TwoStep::Go(once, order) => (once, order),
    };
    match prepay::call(&ctx, &order).await {
        Ok((prepay_id, params)) => {
            let second = async |tx: &DatabaseTransaction| {
                prepay::finish(tx, &order, prepay_id, params).await
            };
            once.finish(&ctx, StatusCode::CREATED, second).await
        }
        Err(error) => {
            once.abandon(&ctx).await;
            Err(error)
        }
    }
}

/// WeChat Pay's notifications. Not a call for clients: the signature is the login.
#[utoipa::path(tag = "webhook", request_body(content = String, content_type = "application/json"),
    responses((status = 204), (status = 401, body = WebhookFailure), (status = 409, body = WebhookFailure)))]
#[post("/webhooks/wechat-pay")]
async fn webhook(
    ctx: web::Data<Ctx>,
    req: HttpRequest,
    mut payload: web::Payload,
) -> Result<HttpResponse> {
    use futures_util::StreamExt;
    let mut raw = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk
            .map_err(|error| AppError::new(Code::Validation, "通知没有完整到达").because(error))?;
        if raw.len().saturating_add(chunk.len()) > NOTIFICATION_LIMIT {
            return Err(AppError::new(Code::PayloadTooLarge, "通知过大"));
        }
        raw.extend_from_slice(&chunk);
    }
    notify::receive(&ctx, &req, &raw).await
}
