//! What a day's bill and our rows do not agree on. No personal data.

use crate::ids::{PaymentId, ReconciliationDifferenceId, ReconciliationId, RefundId};
use crate::values::{DifferenceKind, DifferenceStatus, Fen, TradeKind};
use sea_orm::entity::prelude::*;

/// What a day's bill and our rows do not agree on. No personal data.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reconciliation_difference")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReconciliationDifferenceId,
    /// Which day's.
    pub reconciliation_id: ReconciliationId,
    /// How they differ.
    pub kind: DifferenceKind,
    /// Status.
    pub status: DifferenceStatus,
    /// Payment or refund.
    pub trade: TradeKind,
    /// WeChat's number of the payment, or ours of the refund.
    pub number: String,
    /// Our payment, if it is ours.
    pub payment_id: Option<PaymentId>,
    /// Our refund, if it is ours.
    pub refund_id: Option<RefundId>,
    /// The amount here.
    pub here_fen: Option<Fen>,
    /// The amount in the bill.
    pub there_fen: Option<Fen>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When it was healed or resolved.
    pub closed_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
