//! Moments of a booking: the hold, the silence after a visit.

use super::{
    create::HOLD_DUE,
    lifecycle::{ACCEPTANCE_DUE, expire, silence},
};
use crate::{
    kernel::Result,
    outbox::{Consumer, Delivered, Registry},
    platform::Ctx,
};
use entity::ids::BookingId;
use sea_orm::DatabaseTransaction;
use serde_json::Value;

/// Registers the booking room's consumers.
pub fn consumers(registry: Registry) -> Registry {
    registry.with(Timers)
}

struct Timers;

#[async_trait::async_trait]
impl Consumer for Timers {
    fn name(&self) -> &'static str {
        "booking.timers"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[HOLD_DUE, ACCEPTANCE_DUE]
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        let id = event.subject::<BookingId>()?;
        if event.kind == HOLD_DUE {
            return expire(ctx, tx, id).await;
        }
        silence(ctx, tx, id).await
    }
}
