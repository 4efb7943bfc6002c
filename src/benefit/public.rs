//! What anybody with a code may see: who invites (masked), what he receives, a QR code, a page to print.

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
use entity::invitation::Model;
use utoipa_actix_web::service_config::ServiceConfig;

pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(qr).service(poster).service(look);
}

/// Trying codes is slowed by address (SEC-01).
async fn find(ctx: &Ctx, req: &HttpRequest, code: &str) -> Result<Model> {
    let address = address_of(req).map_or_else(|| "unknown".into(), |address| address.to_string());
    ctx.limits.check(Limit::Address, &address)?;
    by_code(ctx.db.read(), code)
        .await?
        .ok_or_else(AppError::not_found)
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
    let key = format!("qr/{}.png", row.code);
    let png = if let Ok(kept) = ctx.blobs.get(&key).await {
        kept
    } else {
        let made = ctx
            .wechat
            .wxacode_unlimited(&row.code, Some("pages/invite/index"))
            .await?;
        ctx.blobs.put(&key, made.clone(), "image/png").await?;
        made
    };
    Ok(HttpResponse::Ok().content_type("image/png").body(png))
}

/// A page to print (A5): plain large type, a code, no names, for those who prefer paper.
#[utoipa::path(tag = "referral", responses((status = 200, content_type = "text/html"), (status = 404, body = Problem)))]
#[get("/referrals/{code}/poster")]
async fn poster(
    ctx: web::Data<Ctx>,
    req: HttpRequest,
    code: web::Path<String>,
) -> Result<HttpResponse> {
    let row = find(&ctx, &req, &code).await?;
    if !usable(&row, ctx.env.now()) {
        return Err(AppError::not_found());
    }
    let company = escape(&ctx.config.controller.name);
    let phone = escape(&ctx.config.controller.phone);
    let page = format!(
        "<!doctype html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><title>{company}</title><style>\
         @page{{size:A5;margin:12mm}}body{{font:22pt/1.6 sans-serif;text-align:center;margin:10mm}}\
         h1{{font-size:30pt;margin:0 0 6mm}}img{{width:70mm;height:70mm}}p{{margin:4mm 0}}small{{font-size:14pt}}\
         </style></head><body><h1>{company}</h1><p>朋友推荐您试试我们的家政服务</p>\
         <p><img src=\"qr.png\" alt=\"小程序码\"></p><p>微信扫一扫,先看服务和价格</p>\
         <p><small>邀请码 {code}<br>电话 {phone}<br>广告 · 是否使用由您决定</small></p></body></html>",
        code = row.code,
    );
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((
            "Content-Security-Policy",
            "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'",
        ))
        .body(page))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
