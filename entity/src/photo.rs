//! A before or after photo; the bytes are in the blob store, stripped of EXIF (SEC-20).

use crate::ids::{BookingId, ConsentRecordId, PhotoId, WorkerId};
use crate::values::{PhotoKind, PhotoStatus};
use sea_orm::entity::prelude::*;

/// A before or after photo; the bytes are in the blob store, stripped of EXIF (SEC-20).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "photo")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PhotoId,
    /// Booking id.
    pub booking_id: BookingId,
    /// Worker id.
    pub worker_id: WorkerId,
    /// Kind.
    pub kind: PhotoKind,
    /// Checklist key.
    pub checklist_key: Option<String>,
    /// Status.
    pub status: PhotoStatus,
    /// Width.
    pub width: i32,
    /// Height.
    pub height: i32,
    /// Sha256.
    pub sha256: String,
    /// Blob key.
    pub blob_key: String,
    /// Thumbnail key.
    pub thumbnail_key: String,
    /// The `photo_capture` grant this photo rests on (人格权编 1033).
    pub consent_record_id: ConsentRecordId,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
