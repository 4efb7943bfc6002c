//! What WeChat tells the shop about its mini-program, for the staff who answer for it.

use super::store;
use crate::{
    http::{Problem, ValidQuery},
    identity::{Actor, AuditSubject, Manager},
    kernel::{Cursor, Page, Result},
    platform::Ctx,
};
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use entity::{
    ids::{AccountId, PushMessageId},
    push_message,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_actix_web::service_config::ServiceConfig;

/// Registers the calls under `/admin`.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list).service(acknowledge);
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Only what waits for somebody's word.
    open: Option<bool>,
    limit: Option<u64>,
    cursor: Option<String>,
}

/// Something WeChat told about the mini-program.
#[derive(Serialize, utoipa::ToSchema)]
struct WechatEventOut {
    id: PushMessageId,
    /// `wxa_punish_event`, `trade_manage_remind_shipping`, `user_authorization_cancellation` …
    event: String,
    /// The event's own fields; `account_id` where a person's data must be deleted.
    #[schema(value_type = Object)]
    detail: Value,
    /// Somebody must look at it and acknowledge it.
    needs_action: bool,
    acknowledged_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

fn out(row: push_message::Model) -> WechatEventOut {
    WechatEventOut {
        id: row.id,
        event: row.event,
        detail: row.detail.unwrap_or_default(),
        needs_action: row.attention == "act",
        acknowledged_at: row.acknowledged_at,
        created_at: row.created_at,
    }
}

/// What WeChat told about the mini-program, newest first: punishments, duties, people who closed their account.
#[utoipa::path(tag = "staff", params(ListQuery), security(("bearer" = [])),
    responses((status = 200, body = Page<WechatEventOut>)))]
#[get("/wechat/events")]
async fn list(
    ctx: web::Data<Ctx>,
    _: Actor<Manager>,
    query: ValidQuery<ListQuery>,
) -> Result<HttpResponse> {
    let cursor = Cursor::parse(query.0.limit, query.0.cursor.as_deref())?;
    let rows = store::page(ctx.db.read(), cursor, query.0.open.unwrap_or(false)).await?;
    Ok(HttpResponse::Ok().json(cursor.page(rows, |row| row.id.0, out)))
}

/// Say that somebody has seen to it. Saying so again changes nothing.
#[utoipa::path(tag = "staff", security(("bearer" = [])),
    responses((status = 200, body = WechatEventOut), (status = 404, body = Problem)))]
#[post("/wechat/events/{id}/acknowledge")]
async fn acknowledge(
    ctx: web::Data<Ctx>,
    _: Actor<Manager>,
    subject: AuditSubject,
    id: web::Path<PushMessageId>,
) -> Result<HttpResponse> {
    let tx = ctx.db.begin_write().await?;
    let row = store::acknowledge(&ctx, &tx, *id).await?;
    ctx.commit(tx).await?;
    let about = row.detail.as_ref().and_then(|detail| {
        let id = detail.get("account_id")?;
        AccountId::deserialize(id).ok()
    });
    if let Some(about) = about {
        subject.is(about);
    }
    Ok(HttpResponse::Ok().json(out(row)))
}
