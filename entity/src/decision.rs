//! One evaluation of one rule for one event, with reasons (PIPL-16, PIPL-39).

use crate::ids::{AccountId, BookingId, DecisionId, EventId};
use crate::values::DecisionOutcome;
use sea_orm::entity::prelude::*;

/// One evaluation of one rule for one event, with reasons (PIPL-16, PIPL-39).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "decision")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DecisionId,
    /// Event id.
    pub event_id: EventId,
    /// Event kind.
    pub event_kind: String,
    /// Customer id.
    pub customer_id: AccountId,
    /// Booking id.
    pub booking_id: Option<BookingId>,
    /// Rule id.
    pub rule_id: String,
    /// Rule title.
    pub rule_title: String,
    /// Ruleset version.
    pub ruleset_version: i32,
    /// Outcome.
    pub outcome: DecisionOutcome,
    /// consent, cap, quiet_hours, fatigue, suppression, fraud.
    pub blocked_by: Option<String>,
    /// Every leaf with wanted and found value.
    #[sea_orm(column_type = "JsonBinary")]
    pub conditions: Json,
    /// What it caused.
    #[sea_orm(column_type = "JsonBinary")]
    pub effects: Json,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
