//! Uploading and looking.

use super::{
    ingest,
    read::{Eyes, PhotoOut, out},
    upload,
};
use crate::{
    audit::{self, Entry},
    booking,
    http::{Idem, Once, Problem, TwoStep, current_request_id},
    identity::{Actor, Anyone, Operations, Role, Worker},
    kernel::{AppError, Result},
    platform::{Ctx, OneByKey, limiter::Limit},
    worker,
};
use actix_multipart::Multipart;
use actix_web::{
    HttpResponse, get,
    http::{StatusCode, header},
    post, web,
};
use entity::{
    ids::{BookingId, PhotoId},
    photo,
    values::AccountKind,
};
use sea_orm::{DatabaseTransaction, EntityTrait};
use utoipa_actix_web::service_config::ServiceConfig;

/// Registers the calls.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(add).service(thumbnail).service(full);
}

/// The form of an upload.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the multipart form in the API document")]
struct PhotoForm {
    /// `before` or `after`.
    kind: String,
    /// The checklist item it proves.
    checklist_key: Option<String>,
    /// JPEG, PNG or WebP.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Add a photo to my job. The customer sees it when its content check has passed (`stored`). Needs the customer's consent for this order; without it the checklist alone suffices.
#[utoipa::path(tag = "worker", request_body(content = PhotoForm, content_type = "multipart/form-data"),
    security(("bearer" = [])),
    responses((status = 201, body = PhotoOut), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem)))]
#[post("/worker/jobs/{booking_id}/photos")]
async fn add(
    ctx: web::Data<Ctx>,
    actor: Actor<Worker>,
    id: web::Path<BookingId>,
    idem: Idem,
    form: Multipart,
) -> Result<HttpResponse> {
    ctx.limits.check(Limit::Upload, &actor.id.to_string())?;
    let me = worker::of_account(ctx.db.read(), actor.id).await?;
    booking::of_worker(ctx.db.read(), me.id, *id).await?;
    let form = ingest::read(form, ctx.config.photo.max_bytes).await?;
    let claim = idem.of(actor.id, &form.hash());
    let key = form.checklist_key.clone();
    let may = async |tx: &DatabaseTransaction, _: Option<&str>| {
        upload::gate(&ctx, tx, me.id, *id, key.as_deref())
            .await
            .map(drop)
    };
    let once = match claim.begin(&ctx, may).await? {
        TwoStep::Replayed(answer) => return Ok(answer),
        TwoStep::Go(once, ()) => once,
    };
    match upload::store(&ctx, me.id, *id, form).await {
        Ok(stored) => keep(&ctx, once, stored).await,
        Err(error) => {
            once.abandon(&ctx).await;
            Err(error)
        }
    }
}

/// Makes stored bytes a photo together with the answer to its key, or takes them away again.
async fn keep(ctx: &Ctx, once: Once, stored: upload::Stored) -> Result<HttpResponse> {
    let keys = stored.keys();
    let write =
        async |tx: &DatabaseTransaction| Ok(out(ctx, upload::insert(ctx, tx, stored).await?));
    let answer = once.finish(ctx, StatusCode::CREATED, write).await;
    if answer.is_err() {
        upload::discard(ctx, &keys).await;
    }
    answer
}

/// A photo somebody may see: the customer of the visit what passed its check, the worker of the job and operations also
/// what waits for it. Others get 404.
async fn visible(ctx: &Ctx, actor: &Actor<Anyone>, id: PhotoId) -> Result<photo::Model> {
    let db = ctx.db.read();
    let row = photo::Entity::find_by_id(id).one_by_key(db).await?;
    let eyes = match actor.kind {
        AccountKind::Customer => Eyes::Customer,
        AccountKind::Worker | AccountKind::Staff => Eyes::House,
    };
    let row = row
        .filter(|row| eyes.see(row.status))
        .ok_or_else(AppError::not_found)?;
    let allowed = match actor.kind {
        AccountKind::Customer => booking::of_customer(db, actor.id, row.booking_id)
            .await
            .is_ok(),
        AccountKind::Worker => worker::of_account(db, actor.id).await?.id == row.worker_id,
        AccountKind::Staff => Operations::admits(actor.kind, &actor.roles),
    };
    if allowed {
        Ok(row)
    } else {
        Err(AppError::not_found())
    }
}

/// A member of staff who looks into somebody's home leaves a trace; what cannot be recorded is not shown (SEC-42).
async fn audit_staff(ctx: &Ctx, actor: &Actor<Anyone>, row: &photo::Model) -> Result<()> {
    if actor.kind != AccountKind::Staff {
        return Ok(());
    }
    let tx = ctx.db.begin_write().await?;
    let visit = booking::by_id_unscoped(&tx, row.booking_id).await?;
    let entry = Entry {
        actor: Some(actor.id),
        actor_kind: actor.kind.word(),
        action: "photo.read".into(),
        object: format!("photo:{}", row.id),
        subject: Some(visit.customer_id),
        detail: serde_json::json!({ "booking_id": row.booking_id }),
        request_id: current_request_id(),
    };
    audit::record(ctx, &tx, entry).await?;
    ctx.commit(tx).await
}

async fn jpeg(ctx: &Ctx, key: &str) -> Result<HttpResponse> {
    let bytes = ctx.blobs.get(key).await?;
    Ok(HttpResponse::Ok()
        .content_type("image/jpeg")
        .insert_header((
            header::CONTENT_DISPOSITION,
            "inline; filename=\"photo.jpg\"",
        ))
        .body(bytes))
}

/// The photo.
#[utoipa::path(tag = "photo", security(("bearer" = [])),
    responses((status = 200, content_type = "image/jpeg"), (status = 404, body = Problem)))]
#[get("/photos/{id}")]
async fn full(
    ctx: web::Data<Ctx>,
    actor: Actor<Anyone>,
    id: web::Path<PhotoId>,
) -> Result<HttpResponse> {
    let row = visible(&ctx, &actor, *id).await?;
    audit_staff(&ctx, &actor, &row).await?;
    jpeg(&ctx, &row.blob_key).await
}

/// Its thumbnail.
#[utoipa::path(tag = "photo", security(("bearer" = [])),
    responses((status = 200, content_type = "image/jpeg"), (status = 404, body = Problem)))]
#[get("/photos/{id}/thumbnail")]
async fn thumbnail(
    ctx: web::Data<Ctx>,
    actor: Actor<Anyone>,
    id: web::Path<PhotoId>,
) -> Result<HttpResponse> {
    let row = visible(&ctx, &actor, *id).await?;
    audit_staff(&ctx, &actor, &row).await?;
    jpeg(&ctx, &row.thumbnail_key).await
}
