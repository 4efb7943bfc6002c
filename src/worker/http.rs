//! Binding a phone: the same call for customers and workers.

use super::store;
use crate::{
    http::{Idem, Problem, TwoStep, Valid},
    identity::{self, Actor, Anyone},
    kernel::{AppError, Result, mask_phone, normalise_phone},
    platform::Ctx,
};
use actix_web::{HttpResponse, http::StatusCode, post, web};
use entity::{ids::AccountId, values::AccountKind};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Registers the calls.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(bind_phone);
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct PhoneIn {
    /// From `getPhoneNumber`; in the sandbox `phone-<11 digits>`.
    #[validate(length(min = 1, max = 256))]
    code: String,
}

#[derive(Serialize, utoipa::ToSchema)]
struct PhoneOut {
    phone_masked: String,
    /// `worker` when staff has recorded a worker with this phone.
    account_kind: AccountKind,
}

/// Bind my phone. If staff has recorded a worker with this number, the account becomes his.
#[utoipa::path(tag = "identity", request_body = PhoneIn, security(("bearer" = [])),
    responses((status = 200, body = PhoneOut), (status = 401, body = Problem)))]
#[post("/auth/phone")]
async fn bind_phone(
    ctx: web::Data<Ctx>,
    actor: Actor<Anyone>,
    idem: Idem,
    body: Valid<PhoneIn>,
) -> Result<HttpResponse> {
    // The code can be spent once: an answer given before is looked for first.
    let nothing = async |_: &DatabaseTransaction, _: Option<&str>| Ok(());
    let once = match idem.of(actor.id, &body.hash).begin(&ctx, nothing).await? {
        TwoStep::Replayed(answer) => return Ok(answer),
        TwoStep::Go(once, ()) => once,
    };
    let phone = match spend(&ctx, &body.value.code).await {
        Ok(phone) => phone,
        Err(error) => {
            once.abandon(&ctx).await;
            return Err(error);
        }
    };
    let bind = async |tx: &DatabaseTransaction| {
        identity::bind_phone(&ctx, tx, actor.id, &phone).await?;
        let account_kind = become_worker(&ctx, tx, actor.id, actor.kind, &phone).await?;
        Ok(PhoneOut {
            phone_masked: mask_phone(&phone),
            account_kind,
        })
    };
    once.finish(&ctx, StatusCode::OK, bind).await
}

async fn spend(ctx: &Ctx, code: &str) -> Result<String> {
    let number = ctx.wechat.phone_number(code).await?;
    normalise_phone(&number)
        .ok_or_else(|| AppError::field("/code", "phone", "只支持中国大陆手机号码"))
}

async fn become_worker(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    account: AccountId,
    kind: AccountKind,
    phone: &str,
) -> Result<AccountKind> {
    let recorded = store::by_phone(ctx, tx, phone).await?;
    let Some(worker) = recorded.filter(|_| kind == AccountKind::Customer) else {
        return Ok(kind);
    };
    let open = store::unbound_customers(tx, &[account]).await?;
    if worker.account_id.is_some() || open.is_empty() {
        return Ok(kind);
    }
    store::bind(tx, worker.id, account).await?;
    identity::become_worker(ctx, tx, account, &store::name_of(ctx, &worker)?).await?;
    Ok(AccountKind::Worker)
}
