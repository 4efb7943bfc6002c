//! Events, written in the transaction of their cause. SQL is the truth; the queue carries only ids.

use crate::ids::EventId;
use sea_orm::entity::prelude::*;

/// Events, written in the transaction of their cause. SQL is the truth; the queue carries only ids.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EventId,
    /// Kind.
    pub kind: String,
    /// The customer or object it is about.
    pub subject_id: Option<Uuid>,
    /// Payload.
    #[sea_orm(column_type = "JsonBinary")]
    pub payload: Json,
    /// Occurred at.
    pub occurred_at: DateTimeUtc,
    /// Last handed to the queue.
    pub published_at: Option<DateTimeUtc>,
    /// When every consumer had handled it.
    pub done_at: Option<DateTimeUtc>,
    /// Attempts.
    pub attempts: i32,
    /// Not before this moment.
    pub retry_at: Option<DateTimeUtc>,
    /// Buried after the last attempt; an operator replays it.
    pub dead_at: Option<DateTimeUtc>,
    /// Last error.
    #[sea_orm(column_type = "Text")]
    pub last_error: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
