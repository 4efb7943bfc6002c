//! What growth does when others tell something.

use super::{
    events::InvitationSent, invite, qualify, reversal, reward, sending, suppression, till,
};
use crate::{
    booking::BookingCompleted,
    complaint::ComplaintOpened,
    consent::ConsentWithdrawn,
    kernel::Result,
    notify,
    outbox::{Consumer, Delivered, Event, Registry},
    payment::PaymentRefunded,
    platform::Ctx,
};
use entity::{
    customer_tag,
    ids::{BookingId, InvitationId, RewardId},
};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};
use serde_json::Value;

/// Registers growth's consumers.
pub fn consumers(registry: Registry) -> Registry {
    registry
        .with(Orders)
        .with(Withdrawals)
        .with(Complaints)
        .with(Timers)
        .with(Messages)
}

/// Friends' orders: completed, refunded, past their window.
struct Orders;

#[async_trait::async_trait]
impl Consumer for Orders {
    fn name(&self) -> &'static str {
        "benefit.orders"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[
            BookingCompleted::KIND,
            PaymentRefunded::KIND,
            qualify::WINDOW_DUE,
        ]
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        match event.kind.as_str() {
            BookingCompleted::KIND => {
                let done: BookingCompleted = event.read()?;
                till::used(ctx, tx, done.booking_id).await?;
                qualify::completed(
                    ctx,
                    tx,
                    done.customer_id,
                    done.booking_id,
                    event.occurred_at,
                )
                .await
            }
            PaymentRefunded::KIND => {
                let back: PaymentRefunded = event.read()?;
                if back.full {
                    reversal::refunded(ctx, tx, back.booking_id).await
                } else {
                    Ok(())
                }
            }
            _ => qualify::window_over(ctx, tx, event.subject::<BookingId>()?).await,
        }
    }
}

/// Consent taken back: what waits is cancelled, what was inferred goes (CR-33); what was earned stays (CR-34).
struct Withdrawals;

#[async_trait::async_trait]
impl Consumer for Withdrawals {
    fn name(&self) -> &'static str {
        "benefit.withdrawals"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[ConsentWithdrawn::KIND]
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        let withdrawn: ConsentWithdrawn = event.read()?;
        if withdrawn.purpose != "referral_profiling" {
            return Ok(());
        }
        suppression::stop_scheduled(ctx, tx, withdrawn.account_id).await?;
        customer_tag::Entity::delete_many()
            .filter(customer_tag::Column::CustomerId.eq(withdrawn.account_id))
            .exec(tx)
            .await?;
        Ok(())
    }
}

/// A complaint comes: nothing that waits to be sent goes out (REF-09, REF-45).
struct Complaints;

#[async_trait::async_trait]
impl Consumer for Complaints {
    fn name(&self) -> &'static str {
        "benefit.complaints"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[ComplaintOpened::KIND]
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        let opened: ComplaintOpened = event.read()?;
        suppression::stop_scheduled(ctx, tx, opened.customer_id)
            .await
            .map(drop)
    }
}

/// Moments: sending, running out.
struct Timers;

#[async_trait::async_trait]
impl Consumer for Timers {
    fn name(&self) -> &'static str {
        "benefit.timers"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[invite::SEND_DUE, invite::EXPIRY_DUE, reward::EXPIRY_DUE]
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        match event.kind.as_str() {
            invite::SEND_DUE => sending::due(ctx, tx, event.subject::<InvitationId>()?).await,
            invite::EXPIRY_DUE => sending::expired(ctx, tx, event.subject::<InvitationId>()?).await,
            _ => till::expire(ctx, tx, event.subject::<RewardId>()?).await,
        }
    }
}

/// An invitation was shown in the app: who ticked a message and consented to the channel is told in WeChat, too.
struct Messages;

#[async_trait::async_trait]
impl Consumer for Messages {
    fn name(&self) -> &'static str {
        "benefit.messages"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[InvitationSent::KIND]
    }

    async fn before(&self, ctx: &Ctx, event: &Delivered) -> Result<Value> {
        let sent: InvitationSent = event.read()?;
        Ok(serde_json::to_value(sending::tell(ctx, &sent).await?)?)
    }

    async fn handle(
        &self,
        _: &Ctx,
        tx: &DatabaseTransaction,
        _: &Delivered,
        posted: Value,
    ) -> Result<()> {
        match serde_json::from_value::<Option<notify::Posted>>(posted)? {
            Some(posted) => notify::record(tx, &posted).await,
            None => Ok(()),
        }
    }
}
