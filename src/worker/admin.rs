//! Staff record workers.

use super::store::{self, New};
use crate::{
    http::{Idem, Paging, Problem, Valid, ValidQuery, paging},
    identity::{self, Actor, Manager, Operations},
    kernel::{AppError, Code, Page, Result, mask_phone, normalise_phone},
    platform::{Ctx, OneByKey},
};
use actix_web::{HttpResponse, get, http::StatusCode, patch, post, web};
use entity::{ids::WorkerId, worker};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Registers the calls under `/admin`.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(add).service(list).service(change);
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct WorkerIn {
    #[validate(length(min = 1, max = 32))]
    name: String,
    #[validate(length(min = 11, max = 20))]
    phone: String,
    #[validate(length(min = 1, max = 50))]
    skills: Vec<String>,
    #[validate(length(min = 1, max = 100))]
    areas: Vec<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct WorkerOut {
    id: WorkerId,
    name: String,
    phone_masked: String,
    skills: Vec<String>,
    areas: Vec<String>,
    active: bool,
    /// Whether an account is bound.
    bound: bool,
}

fn out(ctx: &Ctx, row: worker::Model) -> Result<WorkerOut> {
    Ok(WorkerOut {
        name: store::name_of(ctx, &row)?,
        phone_masked: mask_phone(&store::phone_of(ctx, &row)?),
        skills: serde_json::from_value(row.skills)?,
        areas: serde_json::from_value(row.areas)?,
        id: row.id,
        active: row.active,
        bound: row.account_id.is_some(),
    })
}

/// Record a worker. His account is bound now if he has logged in with this phone, else at his first login with it.
#[utoipa::path(tag = "staff", request_body = WorkerIn, security(("bearer" = [])),
    responses((status = 201, body = WorkerOut), (status = 409, body = Problem), (status = 422, body = Problem)))]
#[post("/workers")]
async fn add(
    ctx: web::Data<Ctx>,
    actor: Actor<Manager>,
    idem: Idem,
    body: Valid<WorkerIn>,
) -> Result<HttpResponse> {
    let phone = normalise_phone(&body.value.phone);
    let phone =
        phone.ok_or_else(|| AppError::field("/phone", "phone", "应为 11 位大陆手机号码"))?;
    let record =
        async |tx: &DatabaseTransaction| out(&ctx, insert(&ctx, tx, &body.value, &phone).await?);
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::CREATED, record)
        .await
}

async fn insert(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    body: &WorkerIn,
    phone: &str,
) -> Result<worker::Model> {
    if store::by_phone(ctx, tx, phone).await?.is_some() {
        return Err(AppError::new(Code::Conflict, "这个手机号码已登记过家政员"));
    }
    let known = identity::find_by_phone(ctx, tx, phone).await?;
    let account_id = store::unbound_customers(tx, &known)
        .await?
        .into_iter()
        .next();
    let new = New {
        name: &body.name,
        phone,
        skills: &body.skills,
        areas: &body.areas,
        account_id,
    };
    let row = store::insert(ctx, tx, new).await?;
    if let Some(account) = account_id {
        identity::become_worker(ctx, tx, account, &body.name).await?;
    }
    Ok(row)
}

/// All workers.
#[utoipa::path(tag = "staff", params(Paging), security(("bearer" = [])),
    responses((status = 200, body = Page<WorkerOut>)))]
#[get("/workers")]
async fn list(
    ctx: web::Data<Ctx>,
    _: Actor<Operations>,
    query: ValidQuery<Paging>,
) -> Result<HttpResponse> {
    let cursor = paging(&query.0)?;
    let mut rows = worker::Entity::find()
        .order_by_desc(worker::Column::Id)
        .limit(cursor.fetch());
    if let Some(before) = cursor.before {
        rows = rows.filter(worker::Column::Id.lt(WorkerId(before)));
    }
    let page = cursor.page(
        rows.all(ctx.db.read()).await?,
        |row| row.id.0,
        |row| out(&ctx, row),
    );
    let items = page.items.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(HttpResponse::Ok().json(Page {
        items,
        next_cursor: page.next_cursor,
    }))
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeIn {
    active: Option<bool>,
    #[validate(length(min = 1, max = 50))]
    skills: Option<Vec<String>>,
    #[validate(length(min = 1, max = 100))]
    areas: Option<Vec<String>>,
}

/// Change what a worker does and where, or take him off the roster. Visits already planned stay his.
#[utoipa::path(tag = "staff", request_body = ChangeIn, security(("bearer" = [])),
    responses((status = 200, body = WorkerOut), (status = 404, body = Problem)))]
#[patch("/workers/{id}")]
async fn change(
    ctx: web::Data<Ctx>,
    _: Actor<Manager>,
    id: web::Path<WorkerId>,
    body: Valid<ChangeIn>,
) -> Result<HttpResponse> {
    let tx = ctx.db.begin_write().await?;
    let row = worker::Entity::find_by_id(*id)
        .lock_exclusive()
        .one_by_key(&tx)
        .await?;
    let row = row.ok_or_else(AppError::not_found)?;
    let changed = worker::ActiveModel {
        id: Set(row.id),
        active: Set(body.value.active.unwrap_or(row.active)),
        skills: Set(body
            .value
            .skills
            .as_ref()
            .map_or(row.skills, |names| json!(names))),
        areas: Set(body
            .value
            .areas
            .as_ref()
            .map_or(row.areas, |names| json!(names))),
        ..Default::default()
    };
    let changed = changed.update(&tx).await?;
    ctx.commit(tx).await?;
    Ok(HttpResponse::Ok().json(out(&ctx, changed)?))
}
