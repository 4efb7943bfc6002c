//! The sandbox's tick, which travels as in life: WeChat counts it, and its event fills our ledger (sandbox mode only).

use crate::{
    http::Valid,
    identity,
    kernel::{AppError, Result},
    platform::{Ctx, wechat::sandbox::Sandbox},
};
use actix_web::{HttpResponse, web};
use entity::ids::AccountId;
use serde::Deserialize;
use serde_json::json;
use validator::Validate;

/// Registers the control beside the sandbox's others.
pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/sandbox/subscribe").route(web::post().to(subscribe)));
}

/// Who ticks (one of the two) and what.
#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct SubscribeIn {
    #[validate(length(min = 1, max = 128))]
    openid: Option<String>,
    account: Option<AccountId>,
    #[validate(length(min = 1, max = 128))]
    template: String,
}

async fn subscribe(
    ctx: web::Data<Ctx>,
    sandbox: web::Data<Sandbox>,
    body: Valid<SubscribeIn>,
) -> Result<HttpResponse> {
    let SubscribeIn {
        openid,
        account,
        template,
    } = body.value;
    let db = ctx.db.read();
    let (account, openid) = match (account, openid) {
        (Some(account), None) => (
            account,
            identity::openid_of(&ctx, db, account)
                .await?
                .ok_or_else(AppError::not_found)?,
        ),
        (None, Some(openid)) => (
            identity::account_of_openid(&ctx, db, &openid)
                .await?
                .ok_or_else(AppError::not_found)?,
            openid,
        ),
        _ => {
            return Err(AppError::field(
                "/openid",
                "required",
                "请给出 openid 或 account 其中之一",
            ));
        }
    };
    sandbox.grant(&openid, &template).await?;
    let event = json!({
        "FromUserName": openid, "Event": "subscribe_msg_popup_event",
        "List": [{ "TemplateId": template, "SubscribeStatusString": "accept", "PopupScene": "1" }],
    });
    sandbox.push_now(event).await;
    Ok(HttpResponse::Ok()
        .json(json!({ "account": account, "template": template, "granted": true })))
}
