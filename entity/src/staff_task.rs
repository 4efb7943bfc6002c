//! Something a member of staff should look at.

use crate::ids::{ReferralId, StaffTaskId};
use sea_orm::entity::prelude::*;

/// Something a member of staff should look at.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "staff_task")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: StaffTaskId,
    /// Kind.
    pub kind: String,
    /// Text.
    pub text: String,
    /// Subject id.
    pub subject_id: Option<Uuid>,
    /// Effect id.
    #[sea_orm(unique)]
    pub effect_id: Option<String>,
    /// Whose it is; everybody's when null.
    pub role: Option<String>,
    /// The link it rests on, so that a reversal undoes it.
    pub referral_id: Option<ReferralId>,
    /// Done at.
    pub done_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
