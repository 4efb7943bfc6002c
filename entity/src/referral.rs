//! One person brought another. No ancestor list, no closure table (REF-07).

use crate::ids::{AccountId, BookingId, ConsentRecordId, InvitationId, ReferralId};
use crate::values::ReferralStatus;
use sea_orm::entity::prelude::*;

/// One person brought another. No ancestor list, no closure table (REF-07).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "referral")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReferralId,
    /// Invitee id.
    #[sea_orm(unique)]
    pub invitee_id: AccountId,
    /// Inviter id.
    pub inviter_id: AccountId,
    /// Invitation id.
    pub invitation_id: InvitationId,
    /// min(inviter's + 1, 3).
    pub generation: i32,
    /// Status.
    pub status: ReferralStatus,
    /// The invitee's `referral_link` consent.
    pub consent_record_id: ConsentRecordId,
    /// The order that qualified.
    pub booking_id: Option<BookingId>,
    /// Qualified at.
    pub qualified_at: Option<DateTimeUtc>,
    /// Reversed at.
    pub reversed_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
