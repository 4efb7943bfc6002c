//! A verified notification that did not fit its order; money staff look at it.

use crate::ids::{PaymentId, PaymentIncidentId};
use sea_orm::entity::prelude::*;

/// A verified notification that did not fit its order; money staff look at it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment_incident")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PaymentIncidentId,
    /// Payment id.
    pub payment_id: Option<PaymentId>,
    /// Kind.
    pub kind: String,
    /// Numbers only, no personal data.
    #[sea_orm(column_type = "JsonBinary")]
    pub detail: Json,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
