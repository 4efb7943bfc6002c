//! The shop defines its own services.

use super::{
    http::{ServiceOut, ServicesOut, service_out},
    model::{self, ChecklistEntry, Question},
    store,
};
use crate::{
    http::{Idem, Problem, Valid},
    identity::{Actor, Manager},
    kernel::{AppError, Result},
    platform::{Ctx, OneByKey},
};
use actix_web::{HttpResponse, get, http::StatusCode, post, put, web};
use entity::{ids::ServiceId, service, values::Fen};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, QuerySelect};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashSet;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::{Validate, ValidationError};

/// Registers the calls under `/admin`.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list).service(add).service(change);
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ServiceIn {
    #[validate(length(min = 1, max = 64))]
    slug: String,
    #[validate(length(min = 1, max = 64))]
    name: String,
    #[validate(range(min = 30, max = 720))]
    base_minutes: i32,
    #[validate(range(min = 0, max = 100_000_000))]
    base_price_fen: i64,
    #[validate(length(max = 50))]
    price_rules: Vec<String>,
    #[validate(length(min = 1, max = 64))]
    skill: String,
    #[validate(length(max = 50), custom(function = "sound_questions"))]
    questionnaire: Vec<Question>,
    #[validate(length(max = 100), custom(function = "unique_keys"))]
    checklist: Vec<ChecklistEntry>,
    #[validate(length(min = 1, max = 200))]
    areas: Vec<String>,
    #[serde(default = "on_sale")]
    active: bool,
}

fn on_sale() -> bool {
    true
}

fn unique_keys(entries: &[ChecklistEntry]) -> Result<(), ValidationError> {
    let mut seen = HashSet::new();
    let good = entries
        .iter()
        .all(|entry| plain(&entry.key) && seen.insert(entry.key.as_str()));
    if good {
        Ok(())
    } else {
        Err(ValidationError::new("keys"))
    }
}

fn plain(key: &str) -> bool {
    (1..=64).contains(&key.len())
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Amounts stay far from overflow, keys are unique, choices have options.
fn sound_questions(questions: &[Question]) -> Result<(), ValidationError> {
    let mut seen = HashSet::new();
    let small = |number: i64| (-10_000_000..=10_000_000).contains(&number);
    let good = questions.iter().all(|question| {
        let options = question
            .options
            .iter()
            .all(|option| small(option.minutes) && small(option.fen));
        let effect = question.effect.is_none_or(|effect| {
            [
                effect.minutes,
                effect.fen,
                effect.per,
                effect.above,
                effect.max,
            ]
            .into_iter()
            .all(small)
                && effect.max >= 0
        });
        let choice = question.kind != model::QuestionKind::Choice || !question.options.is_empty();
        plain(&question.key) && seen.insert(question.key.as_str()) && options && effect && choice
    });
    if good {
        Ok(())
    } else {
        Err(ValidationError::new("questions"))
    }
}

/// All services, on sale or not.
#[utoipa::path(tag = "staff", security(("bearer" = [])), responses((status = 200, body = ServicesOut)))]
#[get("/services")]
async fn list(ctx: web::Data<Ctx>, _: Actor<Manager>) -> Result<HttpResponse> {
    let rows = store::all(ctx.db.read(), false).await?;
    let items = rows
        .into_iter()
        .map(service_out)
        .collect::<Result<Vec<_>>>()?;
    Ok(HttpResponse::Ok().json(ServicesOut { items }))
}

fn row(id: ServiceId, body: &ServiceIn) -> service::ActiveModel {
    service::ActiveModel {
        id: Set(id),
        slug: Set(body.slug.clone()),
        name: Set(body.name.clone()),
        base_minutes: Set(body.base_minutes),
        base_price_fen: Set(Fen(body.base_price_fen)),
        price_rules: Set(json!(body.price_rules)),
        skill: Set(body.skill.clone()),
        questionnaire: Set(json!(body.questionnaire)),
        checklist: Set(json!(body.checklist)),
        areas: Set(json!(body.areas)),
        active: Set(body.active),
        created_at: sea_orm::ActiveValue::NotSet,
    }
}

/// Put a service on sale.
#[utoipa::path(tag = "staff", request_body = ServiceIn, security(("bearer" = [])),
    responses((status = 201, body = ServiceOut), (status = 409, body = Problem), (status = 422, body = Problem)))]
#[post("/services")]
async fn add(
    ctx: web::Data<Ctx>,
    actor: Actor<Manager>,
    idem: Idem,
    body: Valid<ServiceIn>,
) -> Result<HttpResponse> {
    let make = async |tx: &sea_orm::DatabaseTransaction| {
        let mut new = row(ctx.env.id(), &body.value);
        new.created_at = Set(ctx.env.now());
        service_out(new.insert(tx).await?)
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::CREATED, make)
        .await
}

/// Change a service. Bookings already made keep their price.
#[utoipa::path(tag = "staff", request_body = ServiceIn, security(("bearer" = [])),
    responses((status = 200, body = ServiceOut), (status = 404, body = Problem), (status = 422, body = Problem)))]
#[put("/services/{id}")]
async fn change(
    ctx: web::Data<Ctx>,
    _: Actor<Manager>,
    id: web::Path<ServiceId>,
    body: Valid<ServiceIn>,
) -> Result<HttpResponse> {
    let tx = ctx.db.begin_write().await?;
    let known = service::Entity::find_by_id(*id)
        .lock_exclusive()
        .one_by_key(&tx)
        .await?;
    known.ok_or_else(AppError::not_found)?;
    let changed = row(*id, &body.value).update(&tx).await?;
    ctx.commit(tx).await?;
    Ok(HttpResponse::Ok().json(service_out(changed)?))
}
