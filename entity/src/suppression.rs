//! A time during which a customer is not asked; earned rights stay.

use crate::ids::{AccountId, SuppressionId};
use sea_orm::entity::prelude::*;

/// A time during which a customer is not asked; earned rights stay.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "suppression")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SuppressionId,
    /// Customer id.
    pub customer_id: AccountId,
    /// Reason.
    pub reason: String,
    /// Rule id.
    pub rule_id: Option<String>,
    /// Effect id.
    #[sea_orm(unique)]
    pub effect_id: String,
    /// Whether the customer may ask for a review.
    pub appeal: bool,
    /// Until.
    pub until: DateTimeUtc,
    /// Lifted at.
    pub lifted_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
