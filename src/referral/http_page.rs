//! The public rule page: as JSON for the mini-program, as HTML for everybody else.

use super::page::{self, PageOut, Told};
use crate::{
    http::Problem,
    kernel::{Result, shanghai},
    platform::Ctx,
    rule::PlainRule,
};
use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{self, ETag, EntityTag, Header, IfNoneMatch},
    web,
};
use chrono::{DateTime, Utc};
use std::fmt::Write;
use utoipa_actix_web::service_config::ServiceConfig;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");

/// Registers the calls of the mini-program.
pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(live_json).service(version_json);
}

/// Registers the addresses outside `/api/v1`.
pub fn root_routes(cfg: &mut ServiceConfig) {
    cfg.service(live_html).service(version_html);
}

/// The rules in force, in plain words.
#[utoipa::path(tag = "referral", responses((status = 200, body = PageOut), (status = 304), (status = 404, body = Problem)))]
#[get("/rules")]
async fn live_json(ctx: web::Data<Ctx>, req: HttpRequest) -> Result<HttpResponse> {
    Ok(json(&req, &*page::of(&ctx, None).await?))
}

/// The rules of a version that is or was in force; a draft is not found.
#[utoipa::path(tag = "referral", responses((status = 200, body = PageOut), (status = 304), (status = 404, body = Problem)))]
#[get("/rules/{version}")]
async fn version_json(
    ctx: web::Data<Ctx>,
    req: HttpRequest,
    version: web::Path<i32>,
) -> Result<HttpResponse> {
    Ok(json(&req, &*page::of(&ctx, Some(*version)).await?))
}

/// The rules in force, as a page.
#[utoipa::path(tag = "referral", responses((status = 200, content_type = "text/html"), (status = 304), (status = 404, body = Problem)))]
#[get("/rules")]
async fn live_html(ctx: web::Data<Ctx>, req: HttpRequest) -> Result<HttpResponse> {
    Ok(html(&req, &*page::of(&ctx, None).await?))
}

/// The rules of a version that is or was in force, as a page.
#[utoipa::path(tag = "referral", responses((status = 200, content_type = "text/html"), (status = 304), (status = 404, body = Problem)))]
#[get("/rules/{version}")]
async fn version_html(
    ctx: web::Data<Ctx>,
    req: HttpRequest,
    version: web::Path<i32>,
) -> Result<HttpResponse> {
    Ok(html(&req, &*page::of(&ctx, Some(*version)).await?))
}

/// Anybody may keep it a minute and asks then whether it still holds.
const CACHE: (header::HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=60");

fn held(req: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(req) {
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|one| one.weak_eq(tag)),
        Ok(IfNoneMatch::Any) | Err(_) => false,
    }
}

fn unchanged(tag: EntityTag) -> HttpResponse {
    HttpResponse::NotModified()
        .insert_header(CACHE)
        .insert_header(ETag(tag))
        .finish()
}

fn json(req: &HttpRequest, told: &Told) -> HttpResponse {
    let tag = EntityTag::new_weak(format!("{}-json", told.tag));
    if held(req, &tag) {
        return unchanged(tag);
    }
    HttpResponse::Ok()
        .insert_header(CACHE)
        .insert_header(ETag(tag))
        .json(&told.page)
}

fn html(req: &HttpRequest, told: &Told) -> HttpResponse {
    let tag = EntityTag::new_weak(format!("{}-html", told.tag));
    if held(req, &tag) {
        return unchanged(tag);
    }
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(CACHE)
        .insert_header(ETag(tag))
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ))
        .body(rendered(&told.page))
}

/// The template filled in one pass, so that a text that looks like a placeholder stays a text.
fn rendered(page: &PageOut) -> String {
    crate::rule::fill(PAGE, |name| {
        Some(match name {
            "style" => STYLE.to_owned(),
            "name" => escape(&page.name),
            "organiser" => escape(&page.organiser),
            "version" => page.version.to_string(),
            "state" => if page.live {
                "现行规则"
            } else {
                "已停用的旧版规则"
            }
            .to_owned(),
            "period" => period(page),
            "published" => day(page.published_at),
            "steps" => list("ol", &page.steps),
            "benefits" => list("ul", &page.benefits),
            "rules" => page.rules.iter().map(rule).collect(),
            "limits" => list("ul", &page.limits),
            "giving" => list("ul", &page.giving),
            "rights" => list("ul", &page.rights),
            "history" => history(page),
            _ => return None,
        })
    })
}

fn period(page: &PageOut) -> String {
    let day = |day: Option<chrono::NaiveDate>| day.map(|day| day.to_string());
    match (day(page.from), day(page.to)) {
        (Some(from), Some(to)) => format!("{from} 至 {to}"),
        (Some(from), None) => format!("{from} 起"),
        (None, Some(to)) => format!("至 {to}"),
        (None, None) => "长期".to_owned(),
    }
}

fn day(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(
        || "—".to_owned(),
        |at| {
            at.with_timezone(&shanghai())
                .format("%Y-%m-%d %H:%M")
                .to_string()
        },
    )
}

fn list(tag: &str, items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let lines = items.iter().fold(String::new(), |mut all, item| {
        // Writing to a String cannot fail.
        let _never_fails = write!(all, "<li>{}</li>", escape(item));
        all
    });
    format!("<{tag}>{lines}</{tag}>")
}

fn rule(rule: &PlainRule) -> String {
    let conditions = if rule.conditions.is_empty() {
        "<p>没有别的条件。</p>".to_owned()
    } else {
        format!("<p>须同时满足:</p>{}", list("ul", &rule.conditions))
    };
    format!(
        "<section><h3>{}</h3><p>在这些时候判断:{}</p>{conditions}<p>结果:</p>{}{}</section>",
        escape(&rule.title),
        escape(&rule.on.join("、")),
        list("ul", &rule.effects),
        list("ul", &rule.limits),
    )
}

fn history(page: &PageOut) -> String {
    let rows = page.history.iter().fold(String::new(), |mut all, one| {
        let better = if one.favours.is_empty() {
            "—".to_owned()
        } else {
            escape(&one.favours.join(";"))
        };
        let _never_fails = write!(
            all,
            "<tr><td><a href=\"/rules/{0}\">第 {0} 版</a></td><td>{1}</td><td>{2}</td><td>{better}</td></tr>",
            one.version,
            day(one.published_at),
            day(one.retired_at),
        );
        all
    });
    format!(
        "<table><tr><th>版本</th><th>生效</th><th>停用</th><th>对用户更有利的修改</th></tr>{rows}</table>"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
