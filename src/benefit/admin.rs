//! What staff see and do: invitations, tasks, held rewards, suppressions.

use super::{
    invitation, suppression, task,
    view::{self, AdminInvitationOut, RewardOut, SuppressionOut, TaskOut},
};
use crate::{
    http::{Idem, Paging, Problem, Valid, ValidQuery, paging},
    identity::{Actor, Manager, Marketing, Operations, Staff},
    kernel::{AppError, Code, Cursor, Page, Result},
    platform::Ctx,
};
use actix_web::{HttpResponse, get, http::StatusCode, post, web};
use entity::{
    ids::{AccountId, InvitationId, RewardId, StaffTaskId, SuppressionId},
    values::StaffRole,
};
use sea_orm::DatabaseTransaction;
use serde::Deserialize;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Registers the calls under `/admin`.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list)
        .service(recall)
        .service(tasks)
        .service(task_done)
        .service(release)
        .service(suppressions)
        .service(lift);
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NothingIn {}

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

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct TaskQuery {
    /// Only what is done, or only what is not.
    done: Option<bool>,
    limit: Option<u64>,
    cursor: Option<String>,
}

/// The officer sees only what a rule addressed to him; others what is everybody's, too.
fn may_see_tasks(actor: &Actor<Staff>) -> Result<()> {
    let known = [
        StaffRole::Marketing,
        StaffRole::Service,
        StaffRole::Manager,
        StaffRole::Pipo,
    ];
    if actor.roles.iter().any(|role| known.contains(role)) {
        return Ok(());
    }
    Err(AppError::new(Code::Forbidden, "您的身份不能进行这个操作"))
}

/// What rules and held rewards ask staff to do, newest first. For marketing, customer service and managers.
#[utoipa::path(tag = "staff", params(TaskQuery), security(("bearer" = [])),
    responses((status = 200, body = Page<TaskOut>), (status = 403, body = Problem)))]
#[get("/tasks")]
async fn tasks(
    ctx: web::Data<Ctx>,
    actor: Actor<Staff>,
    query: ValidQuery<TaskQuery>,
) -> Result<HttpResponse> {
    may_see_tasks(&actor)?;
    let cursor = Cursor::parse(query.0.limit, query.0.cursor.as_deref())?;
    let rows = task::page(ctx.db.read(), &actor.roles, cursor, query.0.done).await?;
    Ok(HttpResponse::Ok().json(cursor.page(rows, |row| row.id.0, view::task)))
}

/// Tick a task off.
#[utoipa::path(tag = "staff", request_body = NothingIn, security(("bearer" = [])),
    responses((status = 200, body = TaskOut), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
#[post("/tasks/{id}/done")]
async fn task_done(
    ctx: web::Data<Ctx>,
    actor: Actor<Staff>,
    id: web::Path<StaffTaskId>,
    idem: Idem,
    body: Valid<NothingIn>,
) -> Result<HttpResponse> {
    may_see_tasks(&actor)?;
    let tick = async |tx: &DatabaseTransaction| {
        Ok(view::task(task::done(&ctx, tx, &actor.roles, *id).await?))
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::OK, tick)
        .await
}

/// Give a held reward after all; its time begins now.
#[utoipa::path(tag = "staff", request_body = NothingIn, security(("bearer" = [])),
    responses((status = 200, body = RewardOut), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
#[post("/rewards/{id}/release")]
async fn release(
    ctx: web::Data<Ctx>,
    actor: Actor<Manager>,
    id: web::Path<RewardId>,
    idem: Idem,
    body: Valid<NothingIn>,
) -> Result<HttpResponse> {
    let give =
        async |tx: &DatabaseTransaction| Ok(view::reward(task::release(&ctx, tx, *id).await?));
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::OK, give)
        .await
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct SuppressionQuery {
    customer_id: Option<AccountId>,
    limit: Option<u64>,
    cursor: Option<String>,
}

/// Times during which customers are not asked, newest first.
#[utoipa::path(tag = "staff", params(SuppressionQuery), security(("bearer" = [])),
    responses((status = 200, body = Page<SuppressionOut>), (status = 403, body = Problem)))]
#[get("/suppressions")]
async fn suppressions(
    ctx: web::Data<Ctx>,
    _: Actor<Operations>,
    query: ValidQuery<SuppressionQuery>,
) -> Result<HttpResponse> {
    let cursor = Cursor::parse(query.0.limit, query.0.cursor.as_deref())?;
    let rows = suppression::page_unscoped(ctx.db.read(), cursor, query.0.customer_id).await?;
    Ok(HttpResponse::Ok().json(cursor.page(rows, |row| row.id.0, view::suppression)))
}

/// End a suppression early, when the customer appeals and is right (PIPL-16).
#[utoipa::path(tag = "staff", request_body = NothingIn, security(("bearer" = [])),
    responses((status = 200, body = SuppressionOut), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
#[post("/suppressions/{id}/lift")]
async fn lift(
    ctx: web::Data<Ctx>,
    actor: Actor<Operations>,
    id: web::Path<SuppressionId>,
    idem: Idem,
    body: Valid<NothingIn>,
) -> Result<HttpResponse> {
    let end = async |tx: &DatabaseTransaction| {
        Ok(view::suppression(suppression::lift(&ctx, tx, *id).await?))
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::OK, end)
        .await
}
