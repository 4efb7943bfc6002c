//! One event judged for one person: what was known then, so that every decision can be made again (PIPL-16, PIPL-39).

use crate::ids::{AccountId, BookingId, EvaluationId, EventId};
use sea_orm::entity::prelude::*;

/// One event judged for one person: what was known then, so that every decision can be made again (PIPL-16, PIPL-39).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "evaluation")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EvaluationId,
    /// Event id.
    pub event_id: EventId,
    /// Event kind.
    pub event_kind: String,
    /// Customer id.
    pub customer_id: AccountId,
    /// Booking id.
    pub booking_id: Option<BookingId>,
    /// The friend whose link the event is about; what rests on his consent goes with it.
    pub friend_id: Option<AccountId>,
    /// Ruleset version.
    pub ruleset_version: i32,
    /// Whether the customer's `referral_profiling` stood.
    pub profiling: bool,
    /// Whether the friend's `referral_link` stood.
    pub link: bool,
    /// Names of the facts; see `fact_shape`.
    pub shape_id: i64,
    /// Their values, a JSON array in the order of the names; null once forgotten.
    #[sea_orm(column_type = "Text", nullable)]
    pub facts: Option<String>,
    /// When the event happened; the moment the rules were asked about.
    pub occurred_at: DateTimeUtc,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
