//! Our asking a customer to recommend, or a code of his own; carries the code.

use crate::ids::{AccountId, BookingId, ConsentRecordId, InvitationId};
use crate::values::{InvitationSource, InvitationStatus};
use sea_orm::entity::prelude::*;

/// Our asking a customer to recommend, or a code of his own; carries the code.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitation")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InvitationId,
    /// Customer id.
    pub customer_id: AccountId,
    /// Code.
    #[sea_orm(unique)]
    pub code: String,
    /// Source.
    pub source: InvitationSource,
    /// Rule id.
    pub rule_id: Option<String>,
    /// Ruleset version.
    pub ruleset_version: Option<i32>,
    /// Booking id.
    pub booking_id: Option<BookingId>,
    /// Hash of event, rule, version, recipient and slot: exactly once.
    #[sea_orm(unique)]
    pub effect_id: String,
    /// Status.
    pub status: InvitationStatus,
    /// The words shown to the inviter.
    #[sea_orm(column_type = "Text")]
    pub message: String,
    /// Evidence of `referral_profiling`; null for an own code.
    pub consent_record_id: Option<ConsentRecordId>,
    /// First minute of the business day its rule sends in; null without a schedule.
    pub send_from: Option<i32>,
    /// First minute after.
    pub send_to: Option<i32>,
    /// Scheduled at.
    pub scheduled_at: DateTimeUtc,
    /// Sent at.
    pub sent_at: Option<DateTimeUtc>,
    /// Opened at.
    pub opened_at: Option<DateTimeUtc>,
    /// Redeemed at.
    pub redeemed_at: Option<DateTimeUtc>,
    /// Recalled, expired or suppressed.
    pub closed_at: Option<DateTimeUtc>,
    /// Expires at.
    pub expires_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
