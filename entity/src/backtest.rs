//! One run of recorded events through a draft and another set.

use crate::ids::{AccountId, BacktestId, RulesetId};
use crate::values::BacktestState;
use sea_orm::entity::prelude::*;

/// One run of recorded events through a draft and another set.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "backtest")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: BacktestId,
    /// The draft.
    pub ruleset_id: RulesetId,
    /// `live` or the id of another set.
    pub against: String,
    /// First moment replayed.
    pub from_at: DateTimeUtc,
    /// First moment after.
    pub to_at: DateTimeUtc,
    /// State.
    pub state: BacktestState,
    /// Recorded events in the span.
    pub total: i64,
    /// Of them replayed so far.
    pub replayed: i64,
    /// What came out.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub result: Option<Json>,
    /// Who asked for it.
    pub started_by: AccountId,
    /// When somebody asked it to stop.
    pub cancel_asked_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When it was last heard of.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
