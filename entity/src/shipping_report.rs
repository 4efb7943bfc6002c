//! Fulfilment of one payment, told to WeChat (发货信息管理).

use crate::ids::{PaymentId, ShippingReportId};
use crate::values::ShippingStatus;
use sea_orm::entity::prelude::*;

/// Fulfilment of one payment, told to WeChat (发货信息管理).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "shipping_report")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ShippingReportId,
    /// Which payment.
    #[sea_orm(unique)]
    pub payment_id: PaymentId,
    /// Status.
    pub status: ShippingStatus,
    /// When WeChat took it.
    pub reported_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
