//! Storing a photo: bytes first, then the row with the consent it rests on.

use super::{
    ingest::{Form, clean},
    store,
};
use crate::{
    booking,
    consent::{self, PhotoCapture, Scope},
    kernel::{AppError, OrLog, Result},
    platform::{Ctx, picture::Picture},
    workorder,
};
use bytes::Bytes;
use entity::{
    ids::{BookingId, PhotoId, WorkerId},
    photo,
    values::{BookingStatus, PhotoStatus},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set};

/// Takes a worker's photo.
///
/// # Errors
/// `not_found`, `invalid_state`, `consent_required`, or what is wrong with the file.
pub(super) async fn upload(
    ctx: &Ctx,
    worker: WorkerId,
    booking: BookingId,
    form: Form,
) -> Result<photo::Model> {
    // The consent is asked before a byte is decoded or stored, and again under lock with the row.
    let visit = booking::of_worker(ctx.db.read(), worker, booking).await?;
    let scope = Some(Scope::booking(booking));
    if !consent::holds(
        ctx,
        ctx.db.read(),
        visit.customer_id,
        "photo_capture",
        scope,
    )
    .await?
    {
        return Err(AppError::consent_required("photo_capture"));
    }
    let (kind, checklist_key) = (form.kind, form.checklist_key);
    let picture = clean(ctx, form.file).await?;
    let id: PhotoId = ctx.env.id();
    let keys = (
        format!("photos/{booking}/{id}.jpg"),
        format!("photos/{booking}/{id}-thumb.jpg"),
    );
    ctx.blobs
        .put(&keys.0, Bytes::from(picture.jpeg.clone()), "image/jpeg")
        .await?;
    ctx.blobs
        .put(
            &keys.1,
            Bytes::from(picture.thumbnail.clone()),
            "image/jpeg",
        )
        .await?;
    let row = New {
        id,
        worker,
        booking,
        kind,
        checklist_key,
        keys: keys.clone(),
    };
    let stored = insert(ctx, row, &picture).await;
    if stored.is_err() {
        ctx.blobs.delete(&keys.0).await.or_log("an orphaned photo");
        ctx.blobs
            .delete(&keys.1)
            .await
            .or_log("an orphaned thumbnail");
    }
    stored
}

struct New {
    id: PhotoId,
    worker: WorkerId,
    booking: BookingId,
    kind: entity::values::PhotoKind,
    checklist_key: Option<String>,
    keys: (String, String),
}

async fn insert(ctx: &Ctx, new: New, picture: &Picture) -> Result<photo::Model> {
    let tx = ctx.db.begin_write().await?;
    let visit = booking::lock(&tx, new.booking).await?;
    if !matches!(
        visit.status,
        BookingStatus::InService | BookingStatus::AwaitingAcceptance
    ) {
        return Err(AppError::invalid_state("签到之后、验收之前才能上传照片"));
    }
    let proof = consent::require::<PhotoCapture>(
        ctx,
        &tx,
        visit.customer_id,
        Some(Scope::booking(new.booking)),
    )
    .await?;
    if store::count(&tx, new.booking).await? >= ctx.config.photo.per_booking {
        return Err(AppError::invalid_state("这次服务的照片已达上限"));
    }
    workorder::ensure(ctx, &tx, &visit, new.worker).await?;
    let row = photo::ActiveModel {
        id: Set(new.id),
        booking_id: Set(new.booking),
        worker_id: Set(new.worker),
        kind: Set(new.kind),
        checklist_key: Set(new.checklist_key),
        status: Set(PhotoStatus::Stored),
        width: Set(i32::try_from(picture.width).unwrap_or(i32::MAX)),
        height: Set(i32::try_from(picture.height).unwrap_or(i32::MAX)),
        sha256: Set(picture.sha256_hex.clone()),
        blob_key: Set(new.keys.0),
        thumbnail_key: Set(new.keys.1),
        consent_record_id: Set(proof.record_id()),
        created_at: Set(ctx.env.now()),
    };
    let row = row.insert(&tx).await?;
    ctx.commit(tx).await?;
    Ok(row)
}
