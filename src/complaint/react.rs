//! The clocks of complaints.

use super::service::{RESOLUTION_DUE, RESPONSE_DUE, overdue};
use crate::{
    kernel::Result,
    outbox::{Consumer, Delivered, Registry},
    platform::Ctx,
};
use entity::ids::ComplaintId;
use sea_orm::DatabaseTransaction;
use serde_json::Value;

/// Registers the complaint room's consumers.
pub fn consumers(registry: Registry) -> Registry {
    registry.with(Clocks)
}

struct Clocks;

#[async_trait::async_trait]
impl Consumer for Clocks {
    fn name(&self) -> &'static str {
        "complaint.clocks"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[RESPONSE_DUE, RESOLUTION_DUE]
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        overdue(
            ctx,
            tx,
            event.subject::<ComplaintId>()?,
            event.kind == RESPONSE_DUE,
        )
        .await
    }
}
