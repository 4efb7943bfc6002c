//! What anybody with a code may see: who invites (masked), what he receives, a QR code.

use super::{
    invitation, programme,
    redeem::{by_code, generation_of, next_generation, usable},
    view::{self, CodeOut},
    words,
};
use crate::{
    http::{Problem, address_of},
    kernel::{AppError, Result},
    platform::{Ctx, limiter::Limit},
};
use actix_web::{HttpRequest, HttpResponse, get, web};
use bytes::Bytes;
use entity::invitation::Model;
use utoipa_actix_web::service_config::ServiceConfig;

pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(qr).service(look);
}

/// Trying codes is slowed by address (SEC-01).
pub(super) async fn find(ctx: &Ctx, req: &HttpRequest, code: &str) -> Result<Model> {
    ctx.limits.check(Limit::Address, &address(req))?;
    by_code(ctx.db.read(), code)
        .await?
        .ok_or_else(AppError::not_found)
}

/// Where a request comes from, as the limits count it.
pub(super) fn address(req: &HttpRequest) -> String {
    address_of(req).map_or_else(|| "unknown".into(), |address| address.to_string())
}

/// Look at a code before using it.
#[utoipa::path(tag = "referral", responses((status = 200, body = CodeOut), (status = 404, body = Problem)))]
#[get("/referrals/{code}")]
async fn look(
    ctx: web::Data<Ctx>,
    req: HttpRequest,
    code: web::Path<String>,
) -> Result<HttpResponse> {
    let row = find(&ctx, &req, &code).await?;
    let valid = usable(&row, ctx.env.now());
    let what_inviter_sees = words::WHAT_INVITER_SEES.to_owned();
    if !valid {
        return Ok(HttpResponse::Ok().json(CodeOut {
            valid,
            inviter_masked: None,
            benefit: None,
            what_inviter_sees,
        }));
    }
    invitation::opened(&ctx, &row).await?;
    let db = ctx.db.read();
    let generation = next_generation(generation_of(db, row.customer_id).await?);
    let benefit = programme::promise(&ctx, db, &row, generation).await?;
    let benefit = benefit.as_ref().map(view::benefit).transpose()?;
    let inviter_masked = Some(view::masked(&ctx, db, row.customer_id).await?);
    Ok(HttpResponse::Ok().json(CodeOut {
        valid,
        inviter_masked,
        benefit,
        what_inviter_sees,
    }))
}

/// The mini-program code of an invitation, PNG. Made by WeChat once, then kept.
#[utoipa::path(tag = "referral", responses((status = 200, content_type = "image/png"), (status = 404, body = Problem)))]
#[get("/referrals/{code}/qr.png")]
async fn qr(
    ctx: web::Data<Ctx>,
    req: HttpRequest,
    code: web::Path<String>,
) -> Result<HttpResponse> {
    let row = find(&ctx, &req, &code).await?;
    if !usable(&row, ctx.env.now()) {
        return Err(AppError::not_found());
    }
    let png = mini_program_code(&ctx, &row.code).await?;
    Ok(HttpResponse::Ok().content_type("image/png").body(png))
}

/// The picture that opens the mini-program with this code: WeChat makes it once, then it is kept.
pub(super) async fn mini_program_code(ctx: &Ctx, code: &str) -> Result<Bytes> {
    let key = format!("qr/{code}.png");
    if let Ok(kept) = ctx.blobs.get(&key).await {
        return Ok(kept);
    }
    let made = ctx
        .wechat
        .wxacode_unlimited(code, Some("pages/invite/index"))
        .await?;
    ctx.blobs.put(&key, made.clone(), "image/png").await?;
    Ok(made)
}
