//! A benefit granted to one person for one cause; never cash (REF-02).

use crate::ids::{AccountId, BookingId, ReferralId, RewardId};
use crate::values::{Fen, RewardCause, RewardStatus};
use sea_orm::entity::prelude::*;

/// A benefit granted to one person for one cause; never cash (REF-02).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reward")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RewardId,
    /// Account id.
    pub account_id: AccountId,
    /// coupon, price_off, goods, privilege.
    pub kind: String,
    /// Cause.
    pub cause: RewardCause,
    /// Key in the rule set's benefits.
    pub benefit: String,
    /// Value.
    #[sea_orm(column_type = "JsonBinary")]
    pub value: Json,
    /// Status.
    pub status: RewardStatus,
    /// Reason.
    pub reason: String,
    /// Referral id.
    pub referral_id: Option<ReferralId>,
    /// Rule id.
    pub rule_id: Option<String>,
    /// Effect id.
    #[sea_orm(unique)]
    pub effect_id: String,
    /// What it costs at most, for budgets.
    pub cost_fen: Fen,
    /// Used booking id.
    pub used_booking_id: Option<BookingId>,
    /// Qualified at.
    pub qualified_at: Option<DateTimeUtc>,
    /// Granted at.
    pub granted_at: Option<DateTimeUtc>,
    /// Used at.
    pub used_at: Option<DateTimeUtc>,
    /// Revoked at.
    pub revoked_at: Option<DateTimeUtc>,
    /// Expires at.
    pub expires_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
