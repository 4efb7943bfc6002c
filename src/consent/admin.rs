//! The officer's view of consent.

use super::{
    http::{ConsentsOut, overview},
    ledger,
};
use crate::{
    http::Problem,
    identity::{Actor, Pipo, PipoOrService},
    kernel::{AppError, Result},
    platform::{Ctx, OneByKey},
};
use actix_web::{HttpResponse, get, web};
use entity::{account, ids::AccountId};
use sea_orm::EntityTrait;
use serde::Serialize;
use utoipa_actix_web::service_config::ServiceConfig;

/// Registers the calls under `/admin`.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(verify).service(of_customer);
}

#[derive(Serialize, utoipa::ToSchema)]
struct VerifyOut {
    ok: bool,
    /// Records that were checked.
    checked: i64,
    /// Position of the first record that does not fit, or null.
    first_bad: Option<i64>,
}

/// Walk the ledger's hash chain.
#[utoipa::path(tag = "staff", security(("bearer" = [])), responses((status = 200, body = VerifyOut)))]
#[get("/consents/verify")]
async fn verify(ctx: web::Data<Ctx>, _: Actor<Pipo>) -> Result<HttpResponse> {
    let (checked, first_bad) = ledger::verify(&ctx).await?;
    Ok(HttpResponse::Ok().json(VerifyOut {
        ok: first_bad.is_none(),
        checked,
        first_bad,
    }))
}

/// A customer's consents and their history.
#[utoipa::path(tag = "staff", security(("bearer" = [])),
    responses((status = 200, body = ConsentsOut), (status = 404, body = Problem)))]
#[get("/customers/{id}/consents")]
async fn of_customer(
    ctx: web::Data<Ctx>,
    _: Actor<PipoOrService>,
    id: web::Path<AccountId>,
) -> Result<HttpResponse> {
    let known = account::Entity::find_by_id(*id)
        .one_by_key(ctx.db.read())
        .await?;
    known.ok_or_else(AppError::not_found)?;
    Ok(HttpResponse::Ok().json(overview(&ctx, *id).await?))
}
