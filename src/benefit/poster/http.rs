//! The poster's calls: anybody with a usable code may see and print it.

use super::{Kind, content::Content, file};
use crate::{
    benefit::{public::find, redeem::usable},
    http::Problem,
    kernel::{AppError, Result},
    platform::Ctx,
};
use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{self, ETag, EntityTag, Header, IfNoneMatch},
    web,
};
use entity::invitation::Model;
use utoipa_actix_web::service_config::ServiceConfig;

pub(in crate::benefit) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(poster_png).service(poster_pdf).service(poster);
}

async fn usable_row(ctx: &Ctx, req: &HttpRequest, code: &str) -> Result<Model> {
    let row = find(ctx, req, code).await?;
    if usable(&row, ctx.env.now()) {
        return Ok(row);
    }
    Err(AppError::not_found())
}

/// The poster of an invitation as a picture: A5 at 300 dpi, nobody named on it.
#[utoipa::path(tag = "referral", responses((status = 200, content_type = "image/png"), (status = 304),
    (status = 404, body = Problem), (status = 503, body = Problem)))]
#[get("/referrals/{code}/poster.png")]
async fn poster_png(
    ctx: web::Data<Ctx>,
    req: HttpRequest,
    code: web::Path<String>,
) -> Result<HttpResponse> {
    answer(&ctx, &req, &code, Kind::Png).await
}

/// The poster of an invitation to print: A5, PDF, text as text.
#[utoipa::path(tag = "referral", responses((status = 200, content_type = "application/pdf"), (status = 304),
    (status = 404, body = Problem), (status = 503, body = Problem)))]
#[get("/referrals/{code}/poster.pdf")]
async fn poster_pdf(
    ctx: web::Data<Ctx>,
    req: HttpRequest,
    code: web::Path<String>,
) -> Result<HttpResponse> {
    answer(&ctx, &req, &code, Kind::Pdf).await
}

/// A browser may keep its copy but asks each time whether it still holds: a sentence can be withdrawn, a code can end.
async fn answer(ctx: &Ctx, req: &HttpRequest, code: &str, kind: Kind) -> Result<HttpResponse> {
    let row = usable_row(ctx, req, code).await?;
    let content = Content::of(ctx, &row).await?;
    let fingerprint = content.fingerprint()?;
    let tag = EntityTag::new_strong(format!("{fingerprint}-{}", kind.ending()));
    let known = match IfNoneMatch::parse(req) {
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|one| one.weak_eq(&tag)),
        Ok(IfNoneMatch::Any) | Err(_) => false,
    };
    let cache = (header::CACHE_CONTROL, "private, no-cache");
    if known {
        return Ok(HttpResponse::NotModified()
            .insert_header(cache)
            .insert_header(ETag(tag))
            .finish());
    }
    let bytes = file(ctx, &row, content, &fingerprint, kind).await?;
    let name = format!("inline; filename=\"invitation-poster.{}\"", kind.ending());
    Ok(HttpResponse::Ok()
        .content_type(kind.media_type())
        .insert_header(cache)
        .insert_header(ETag(tag))
        .insert_header((header::CONTENT_DISPOSITION, name))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(bytes))
}

/// A page with the poster and a link to print it, for those who prefer paper.
#[utoipa::path(tag = "referral", responses((status = 200, content_type = "text/html"), (status = 404, body = Problem)))]
#[get("/referrals/{code}/poster")]
async fn poster(
    ctx: web::Data<Ctx>,
    req: HttpRequest,
    code: web::Path<String>,
) -> Result<HttpResponse> {
    let row = usable_row(&ctx, &req, &code).await?;
    let page = PAGE
        .replace("{company}", &escape(&ctx.config.controller.name))
        .replace("{phone}", &escape(&ctx.config.controller.phone))
        .replace("{code}", &row.code);
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'",
        ))
        .body(page))
}

/// Plain and large; printed, the picture alone remains.
const PAGE: &str = include_str!("page.html");

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
