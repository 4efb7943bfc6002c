//! What the content check needs of a photo: its bytes, and its status moved on.

use super::ingest;
use crate::{
    booking,
    consent::{self, Scope},
    kernel::{AppError, Result},
    platform::{
        Ctx, OneByKey,
        picture::{Picture, PictureLimits},
    },
};
use bytes::Bytes;
use entity::{
    ids::PhotoId,
    photo::{self, Column, Entity},
    values::PhotoStatus,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, sea_query::Expr,
};

/// WeChat looks at pictures of at most this many bytes (spec 1.7).
const MOST_BYTES: usize = 10_000_000;
/// The longer side of what is sent in place of a larger one: at this size even noise stays below the limit.
const SCALED_SIDE: u32 = 2_560;

/// A photo, whatever its status.
///
/// # Errors
/// A database fault.
pub async fn by_id(db: &impl ConnectionTrait, id: PhotoId) -> Result<Option<photo::Model>> {
    Ok(Entity::find_by_id(id).one_by_key(db).await?)
}

/// These photos, whatever their status, in no order.
///
/// # Errors
/// A database fault.
pub async fn by_ids(db: &impl ConnectionTrait, ids: &[PhotoId]) -> Result<Vec<photo::Model>> {
    let rows = Entity::find().filter(Column::Id.is_in(ids.iter().copied()));
    Ok(rows.all(db).await?)
}

/// Whether this photo waits for somebody's word.
pub fn is_undecided(row: &photo::Model) -> bool {
    matches!(row.status, PhotoStatus::Pending | PhotoStatus::Review)
}

/// Whether WeChat may still see this photo: its customer's consent stands now (CR-36).
///
/// # Errors
/// A database fault.
pub async fn may_be_checked(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    row: &photo::Model,
) -> Result<bool> {
    let visit = booking::by_id_unscoped(db, row.booking_id).await?;
    let scope = Some(Scope::booking(row.booking_id));
    consent::holds(ctx, db, visit.customer_id, "photo_capture", scope).await
}

/// Moves an undecided photo on; says whether it was undecided. What is shown or hidden stays so: a late word does not
/// bring back what a withdrawal took away (CR-33).
///
/// # Errors
/// A database fault.
pub async fn judge(tx: &DatabaseTransaction, id: PhotoId, status: PhotoStatus) -> Result<bool> {
    let moved = Entity::update_many()
        .col_expr(Column::Status, Expr::value(status))
        .filter(Column::Id.eq(id))
        .filter(Column::Status.is_in([PhotoStatus::Pending, PhotoStatus::Review]))
        .exec(tx)
        .await?;
    Ok(moved.rows_affected == 1)
}

/// The picture as WeChat can take it: the stored JPEG, or a smaller one where that is larger than WeChat looks at.
///
/// # Errors
/// `not_found` when the bytes are gone, or a fault of the blob store.
pub async fn picture_to_check(ctx: &Ctx, row: &photo::Model) -> Result<Bytes> {
    let bytes = ctx.blobs.get(&row.blob_key).await?;
    if bytes.len() <= MOST_BYTES {
        return Ok(bytes);
    }
    let settings = &ctx.config.photo;
    let limits = PictureLimits {
        max_bytes: bytes.len(),
        max_pixels: settings.max_pixels,
        max_side: settings.max_side,
        thumb_side: SCALED_SIDE,
    };
    let Picture { thumbnail, .. } = ingest::within(bytes.into(), limits).await?;
    if thumbnail.len() > MOST_BYTES {
        return Err(AppError::internal(
            "a scaled photo is still too large for WeChat",
        ));
    }
    Ok(thumbnail.into())
}
