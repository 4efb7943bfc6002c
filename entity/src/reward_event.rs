//! History of a reward; append-only.

use crate::ids::{RewardEventId, RewardId};
use sea_orm::entity::prelude::*;

/// History of a reward; append-only.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reward_event")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RewardEventId,
    /// Reward id.
    pub reward_id: RewardId,
    /// From status.
    pub from_status: Option<String>,
    /// To status.
    pub to_status: String,
    /// Reason.
    pub reason: String,
    /// At.
    pub at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
