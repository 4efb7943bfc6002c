//! Photos as bookings list them.

use super::store;
use crate::{kernel::Result, platform::Ctx};
use chrono::{DateTime, Utc};
use entity::{
    ids::{BookingId, PhotoId},
    photo,
    values::{PhotoKind, PhotoStatus},
};
use sea_orm::ConnectionTrait;
use serde::Serialize;
use std::collections::HashMap;

/// A photo without its bytes.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PhotoOut {
    id: PhotoId,
    kind: PhotoKind,
    checklist_key: Option<String>,
    width: i32,
    height: i32,
    status: PhotoStatus,
    created_at: DateTime<Utc>,
    url: String,
    thumbnail_url: String,
}

pub(super) fn out(ctx: &Ctx, row: photo::Model) -> PhotoOut {
    let url = format!("{}/api/v1/photos/{}", ctx.public_url(), row.id);
    PhotoOut {
        id: row.id,
        kind: row.kind,
        checklist_key: row.checklist_key,
        width: row.width,
        height: row.height,
        status: row.status,
        created_at: row.created_at,
        thumbnail_url: format!("{url}/thumbnail"),
        url,
    }
}

/// Who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eyes {
    /// The customer of the visit: only what passed its content check (WX-13).
    Customer,
    /// The worker who took it, and operations: also what waits for its check.
    House,
}

impl Eyes {
    /// Whether these eyes see a photo of this status.
    pub(super) fn see(self, status: PhotoStatus) -> bool {
        match status {
            PhotoStatus::Stored => true,
            PhotoStatus::Pending | PhotoStatus::Review => self == Self::House,
            PhotoStatus::Hidden => false,
        }
    }
}

/// The photos of these bookings, as far as these eyes see them.
///
/// # Errors
/// A database fault.
pub async fn of_bookings(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    bookings: &[BookingId],
    eyes: Eyes,
) -> Result<HashMap<BookingId, Vec<PhotoOut>>> {
    let mut photos: HashMap<BookingId, Vec<PhotoOut>> = HashMap::new();
    for row in store::of(db, bookings)
        .await?
        .into_iter()
        .filter(|row| eyes.see(row.status))
    {
        photos
            .entry(row.booking_id)
            .or_default()
            .push(out(ctx, row));
    }
    Ok(photos)
}
