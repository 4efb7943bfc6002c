//! The short address of an invitation, to be typed from paper: `https://…/r/<first letters of the code>`.
//!
//! It leads to WeChat's own link, which opens the mini-program from any browser but lives 30 days at most (spec 1.6); the
//! short address lives as long as the invitation, and gets a new link when the old one is about to end.

use super::{invite::CODE_LENGTH, public::address, redeem::usable};
use crate::{
    http::Problem,
    kernel::{AppError, OrLog, Result},
    platform::{Ctx, limiter::Limit},
};
use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{self, HeaderValue},
    web,
};
use chrono::{DateTime, Duration, Utc};
use entity::invitation;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use utoipa_actix_web::service_config::ServiceConfig;

/// Letters of the code in a short address: 60 bits. It opens no more than the page a poster shows to everybody who walks
/// by; the code itself, which makes a link between two people, keeps its 130 (SEC-26).
const SHORT: usize = 12;

/// Days a link of WeChat's is asked for.
const DAYS: u8 = 30;

/// The page of the mini-program that reads the code.
const PAGE: &str = "pages/invite/index";

pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(short);
}

/// The short address of a code.
pub(super) fn short_url(ctx: &Ctx, code: &str) -> String {
    let handle: String = code.chars().take(SHORT).collect();
    format!("{}/r/{}", ctx.public_url(), handle.to_ascii_lowercase())
}

/// The same as one types it: browsers find https by themselves.
pub(super) fn short_text(ctx: &Ctx, code: &str) -> String {
    let url = short_url(ctx, code);
    url.strip_prefix("https://").unwrap_or(&url).to_owned()
}

/// Open an invitation by its short address: on to the mini-program, or to the poster's page while WeChat is busy.
#[utoipa::path(tag = "referral", responses((status = 302), (status = 404, body = Problem)))]
#[get("/r/{handle}")]
async fn short(
    ctx: web::Data<Ctx>,
    req: HttpRequest,
    handle: web::Path<String>,
) -> Result<HttpResponse> {
    // Shorter than a code, so trying is slowed as for codes that are entered (SEC-01).
    ctx.limits.check(Limit::Invitation, &address(&req))?;
    let row = of_handle(ctx.db.read(), &handle).await?;
    let row = row.filter(|row| usable(row, ctx.env.now()));
    let row = row.ok_or_else(AppError::not_found)?;
    let link = link(&ctx, &row.code)
        .await
        .or_log("a link to the mini-program");
    let target = link
        .and_then(|link| HeaderValue::from_str(&link).ok())
        .map_or_else(|| page_of(&ctx, &row), Ok)?;
    Ok(HttpResponse::Found()
        .insert_header((header::LOCATION, target))
        .finish())
}

fn page_of(ctx: &Ctx, row: &invitation::Model) -> Result<HeaderValue> {
    let page = format!("{}/api/v1/referrals/{}/poster", ctx.public_url(), row.code);
    HeaderValue::from_str(&page).map_err(AppError::internal)
}

/// The invitation whose code starts so, if it is one alone.
async fn of_handle(db: &impl ConnectionTrait, handle: &str) -> Result<Option<invitation::Model>> {
    let handle = handle.to_ascii_uppercase();
    if handle.len() != SHORT || !handle.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(None);
    }
    // Between the first and the last code that can start so: the index on codes serves it on both databases.
    let rest = CODE_LENGTH.saturating_sub(SHORT);
    let (first, last) = (
        format!("{handle}{}", "0".repeat(rest)),
        format!("{handle}{}", "Z".repeat(rest)),
    );
    let mut found = invitation::Entity::find()
        .filter(invitation::Column::Code.between(first, last))
        .order_by_asc(invitation::Column::Code)
        .limit(2)
        .all(db)
        .await?;
    let one = found.pop();
    Ok(one.filter(|_| found.is_empty()))
}

/// A link as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    url: String,
    until: DateTime<Utc>,
}

/// WeChat's link to an invitation: the kept one while it lives, else a new one.
async fn link(ctx: &Ctx, code: &str) -> Result<String> {
    let now = ctx.env.now();
    let key = format!("link/{code}.json");
    let kept = match ctx.blobs.get(&key).await {
        Ok(bytes) => serde_json::from_slice::<Kept>(&bytes).ok(),
        Err(_) => None,
    };
    // A day before its end a new one is made: somebody may open it later than he asked for it.
    if let Some(kept) = kept.filter(|kept| kept.until - Duration::days(1) > now) {
        return Ok(kept.url);
    }
    let url = ctx
        .wechat
        .url_link(PAGE, &format!("scene={code}"), DAYS)
        .await?;
    let until = now + Duration::days(DAYS.into());
    let new = serde_json::to_vec(&Kept {
        url: url.clone(),
        until,
    })?;
    let put = ctx.blobs.put(&key, new.into(), "application/json").await;
    put.or_log("a link that could have been kept");
    Ok(url)
}
