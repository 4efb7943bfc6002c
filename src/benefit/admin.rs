//! Marketing's view of invitations.

use super::{
    invitation,
    view::{self, AdminInvitationOut},
};
use crate::{
    http::{Paging, Problem, ValidQuery, paging},
    identity::{Actor, Marketing},
    kernel::{Page, Result},
    platform::Ctx,
};
use actix_web::{HttpResponse, get, post, web};
use entity::ids::InvitationId;
use utoipa_actix_web::service_config::ServiceConfig;

/// Registers the calls under `/admin`.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list).service(recall);
}

/// All invitations, newest first.
#[utoipa::path(tag = "staff", params(Paging), security(("bearer" = [])),
    responses((status = 200, body = Page<AdminInvitationOut>)))]
#[get("/invitations")]
async fn list(
    ctx: web::Data<Ctx>,
    _: Actor<Marketing>,
    query: ValidQuery<Paging>,
) -> Result<HttpResponse> {
    let cursor = paging(&query.0)?;
    let rows = invitation::all_unscoped(ctx.db.read(), cursor).await?;
    Ok(HttpResponse::Ok().json(cursor.page(rows, |row| row.id.0, view::for_marketing)))
}

/// Take an invitation back before it is sent.
#[utoipa::path(tag = "staff", security(("bearer" = [])),
    responses((status = 200, body = AdminInvitationOut), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[post("/invitations/{id}/recall")]
async fn recall(
    ctx: web::Data<Ctx>,
    _: Actor<Marketing>,
    id: web::Path<InvitationId>,
) -> Result<HttpResponse> {
    let tx = ctx.db.begin_write().await?;
    let row = invitation::recall(&ctx, &tx, *id).await?;
    ctx.commit(tx).await?;
    Ok(HttpResponse::Ok().json(view::for_marketing(row)))
}
