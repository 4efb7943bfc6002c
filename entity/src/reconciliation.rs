//! A day of WeChat's bill, compared with our rows.

use crate::ids::{AccountId, ReconciliationId};
use crate::values::{Fen, ReconciliationStatus};
use sea_orm::entity::prelude::*;

/// A day of WeChat's bill, compared with our rows.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reconciliation")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReconciliationId,
    /// The day, in Beijing.
    #[sea_orm(unique)]
    pub day: Date,
    /// Status.
    pub status: ReconciliationStatus,
    /// How often it was tried.
    pub attempts: i32,
    /// Payments in the bill.
    pub payments: i32,
    /// Refunds in the bill.
    pub refunds: i32,
    /// What the bill's payments add up to.
    pub paid_fen: Fen,
    /// What the bill's refunds add up to.
    pub refunded_fen: Fen,
    /// Why the last try failed; no personal data.
    pub fault: Option<String>,
    /// Who asked for it; null for the daily one.
    pub requested_by: Option<AccountId>,
    /// When it was compared last.
    pub finished_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
