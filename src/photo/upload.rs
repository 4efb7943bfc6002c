//! Storing a photo: bytes first, then the row with the consent it rests on.

use super::{
    events::PhotoStored,
    ingest::{Form, clean},
    store as table,
};
use crate::{
    booking,
    consent::{self, Granted, PhotoCapture, Scope},
    kernel::{AppError, OrLog, Result},
    outbox,
    platform::{Ctx, picture::Picture},
    workorder,
};
use bytes::Bytes;
use entity::{
    ids::{BookingId, PhotoId, WorkerId},
    photo,
    values::{BookingStatus, PhotoStatus},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction};

/// A cleaned picture whose bytes are stored; [`insert`] makes it a photo, [`discard`] takes it away again.
pub(super) struct Stored {
    new: New,
    picture: Picture,
}

impl Stored {
    /// Where the bytes are: the picture and its thumbnail.
    pub(super) fn keys(&self) -> (String, String) {
        self.new.keys.clone()
    }
}

/// Deletes the bytes of a picture that became no photo.
pub(super) async fn discard(ctx: &Ctx, keys: &(String, String)) {
    ctx.blobs.delete(&keys.0).await.or_log("an orphaned photo");
    ctx.blobs
        .delete(&keys.1)
        .await
        .or_log("an orphaned thumbnail");
}

/// Takes a worker's photo as far as its bytes.
///
/// # Errors
/// What is wrong with the file, or a fault of the blob store.
pub(super) async fn store(
    ctx: &Ctx,
    worker: WorkerId,
    booking: BookingId,
    form: Form,
) -> Result<Stored> {
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
    let new = New {
        id,
        worker,
        booking,
        kind,
        checklist_key,
        keys,
    };
    Ok(Stored { new, picture })
}

struct New {
    id: PhotoId,
    worker: WorkerId,
    booking: BookingId,
    kind: entity::values::PhotoKind,
    checklist_key: Option<String>,
    keys: (String, String),
}

/// Whether this photo may be taken: asked before a byte is decoded or stored, and again with the row.
///
/// # Errors
/// `not_found`, `consent_required`, `invalid_state`, `validation` on `/checklist_key`.
pub(super) async fn gate<'tx>(
    ctx: &Ctx,
    tx: &'tx DatabaseTransaction,
    worker: WorkerId,
    booking: BookingId,
    checklist_key: Option<&str>,
) -> Result<Granted<'tx, PhotoCapture>> {
    let visit = booking::lock(tx, booking).await?;
    let scope = Some(Scope::booking(booking));
    let proof = consent::require::<PhotoCapture>(ctx, tx, visit.customer_id, scope).await?;
    if !matches!(
        visit.status,
        BookingStatus::InService | BookingStatus::AwaitingAcceptance
    ) {
        return Err(AppError::invalid_state("签到之后、验收之前才能上传照片"));
    }
    if table::count(tx, booking).await? >= ctx.config.photo.per_booking {
        return Err(AppError::invalid_state("这次服务的照片已达上限"));
    }
    workorder::ensure(ctx, tx, &visit, worker).await?;
    if let Some(key) = checklist_key
        && !workorder::has_item(tx, booking, key).await?
    {
        let detail = "清单里没有这一项";
        return Err(AppError::field("/checklist_key", "unknown", detail));
    }
    Ok(proof)
}

/// Writes the photo with the consent it rests on. Others see it when its content check has passed (WX-13).
///
/// # Errors
/// As [`gate`].
pub(super) async fn insert(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    stored: Stored,
) -> Result<photo::Model> {
    let Stored { new, picture } = stored;
    let key = new.checklist_key.as_deref();
    let proof = gate(ctx, tx, new.worker, new.booking, key).await?;
    let checked = ctx.config.wechat.content_check;
    if checked {
        let visit = booking::by_id_unscoped(tx, new.booking).await?;
        let event = PhotoStored {
            photo_id: new.id,
            booking_id: new.booking,
            customer_id: visit.customer_id,
        };
        outbox::append(tx, &ctx.env, &event).await?;
    }
    let status = if checked {
        PhotoStatus::Pending
    } else {
        PhotoStatus::Stored
    };
    let row = photo::ActiveModel {
        id: Set(new.id),
        booking_id: Set(new.booking),
        worker_id: Set(new.worker),
        kind: Set(new.kind),
        checklist_key: Set(new.checklist_key),
        status: Set(status),
        width: Set(i32::try_from(picture.width).unwrap_or(i32::MAX)),
        height: Set(i32::try_from(picture.height).unwrap_or(i32::MAX)),
        sha256: Set(picture.sha256_hex.clone()),
        blob_key: Set(new.keys.0),
        thumbnail_key: Set(new.keys.1),
        consent_record_id: Set(proof.record_id()),
        created_at: Set(ctx.env.now()),
    };
    Ok(row.insert(tx).await?)
}
