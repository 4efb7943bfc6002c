//! WeChat's callback of the message push.

use super::receive;
use crate::{
    http::Problem,
    kernel::{AppError, Code, Result},
    platform::{Ctx, wechat::PUSH_PATH},
};
use actix_web::{HttpRequest, HttpResponse, get, http::header::ContentType, post, web};
use futures_util::StreamExt;
use utoipa_actix_web::service_config::ServiceConfig;

/// Largest push, bytes (spec 1.8).
const PUSH_LIMIT: usize = 64 * 1024;
/// What WeChat takes for "done"; anything else and it comes again.
const SUCCESS: &str = "success";

/// Registers the calls.
pub fn routes(cfg: &mut ServiceConfig) {
    debug_assert!(
        PUSH_PATH.ends_with("/webhooks/wechat-push"),
        "the console is told this address"
    );
    cfg.service(address).service(webhook);
}

fn plain(text: impl Into<String>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::plaintext())
        .body(text.into())
}

/// WeChat checks the address of the message push. Not a call for clients: the signature is the login.
#[utoipa::path(tag = "webhook", params(
    ("signature" = Option<String>, Query), ("timestamp" = Option<String>, Query), ("nonce" = Option<String>, Query),
    ("echostr" = Option<String>, Query, description = "Comes back as it is.")),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 403, body = Problem)))]
#[get("/webhooks/wechat-push")]
async fn address(ctx: web::Data<Ctx>, req: HttpRequest) -> Result<HttpResponse> {
    let answer = match ctx.wechat.push_address(req.query_string()) {
        Ok(echo) => Ok(plain(echo)),
        Err(error) => {
            refused();
            Err(AppError::new(Code::Forbidden, "不是微信发来的地址验证").because(error))
        }
    };
    std::future::ready(answer).await
}

/// Message pushes of WeChat, in secure mode alone. Not a call for clients: the signature is the login.
#[utoipa::path(tag = "webhook", request_body(content = String, content_type = "application/json"), params(
    ("timestamp" = Option<String>, Query), ("nonce" = Option<String>, Query), ("encrypt_type" = Option<String>, Query),
    ("msg_signature" = Option<String>, Query)),
    responses((status = 200, body = String, content_type = "text/plain", description = "`success`, whatever the event"),
        (status = 401, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem)))]
#[post("/webhooks/wechat-push")]
async fn webhook(
    ctx: web::Data<Ctx>,
    req: HttpRequest,
    mut payload: web::Payload,
) -> Result<HttpResponse> {
    let mut raw = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk
            .map_err(|error| AppError::new(Code::Validation, "推送没有完整到达").because(error))?;
        if raw.len().saturating_add(chunk.len()) > PUSH_LIMIT {
            return Err(AppError::new(Code::PayloadTooLarge, "推送过大"));
        }
        raw.extend_from_slice(&chunk);
    }
    let message = ctx.wechat.pushed(req.query_string(), &raw);
    let message = message.inspect_err(|_| refused())?;
    receive::take(&ctx, &message).await?;
    Ok(plain(SUCCESS))
}

fn refused() {
    metrics::counter!("linjian_pushes_refused_total").increment(1);
}
