//! A tag the engine gave; the customer can see and delete it (PIPL-15).

use crate::ids::{AccountId, ReferralId};
use sea_orm::entity::prelude::*;

/// A tag the engine gave; the customer can see and delete it (PIPL-15).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "customer_tag")]
pub struct Model {
    /// Customer id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub customer_id: AccountId,
    /// Tag.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tag: String,
    /// Rule id.
    pub rule_id: String,
    /// The link it rests on, so that a reversal takes it off.
    pub referral_id: Option<ReferralId>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
