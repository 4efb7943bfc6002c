//! Something that must happen at a moment; when due it becomes an event.

use crate::ids::TimerId;
use sea_orm::entity::prelude::*;

/// Something that must happen at a moment; when due it becomes an event.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "timer")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TimerId,
    /// Kind.
    pub kind: String,
    /// Subject id.
    pub subject_id: Uuid,
    /// Due at.
    pub due_at: DateTimeUtc,
    /// Fired at.
    pub fired_at: Option<DateTimeUtc>,
    /// Cancelled at.
    pub cancelled_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
