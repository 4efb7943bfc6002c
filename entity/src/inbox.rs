//! That a consumer has handled an event: makes its effects exactly once.

use crate::ids::EventId;
use sea_orm::entity::prelude::*;

/// That a consumer has handled an event: makes its effects exactly once.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "inbox")]
pub struct Model {
    /// Consumer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub consumer: String,
    /// Event id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: EventId,
    /// Handled at.
    pub handled_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
