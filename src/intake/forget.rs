//! Forgetting: after ninety days, and at once when a consent goes (PIPL 19, CR-33).

use crate::{
    consent::{ConsentWithdrawn, PartnerEvents, Purpose, ReferralProfiling},
    kernel::Result,
    outbox::{self, Consumer, Delivered, Event, Registry},
    platform::Ctx,
    rule::PartnerKind,
};
use chrono::{DateTime, Duration, Utc};
use entity::{ids::AccountId, received_event};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, sea_query::Expr};
use serde_json::Value;

/// How long a delivery is remembered.
const REMEMBERED: Duration = Duration::days(90);

/// Registers the consumer.
pub fn consumers(registry: Registry) -> Registry {
    registry.with(Forgetting)
}

/// Forgets deliveries of more than ninety days ago and the events they became. Says how many.
///
/// # Errors
/// A database fault.
pub async fn forget_old(ctx: &Ctx) -> Result<u64> {
    let before = ctx
        .env
        .now()
        .checked_sub_signed(REMEMBERED)
        .unwrap_or_default();
    let tx = ctx.db.begin_write().await?;
    let gone = received_event::Entity::delete_many()
        .filter(received_event::Column::ReceivedAt.lt(before))
        .exec(&tx)
        .await?;
    for kind in PartnerKind::all() {
        outbox::forget(&tx, kind.stream(), before).await?;
    }
    tx.commit().await?;
    Ok(gone.rows_affected)
}

struct Forgetting;

#[async_trait::async_trait]
impl Consumer for Forgetting {
    fn name(&self) -> &'static str {
        "intake.forgetting"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[ConsentWithdrawn::KIND]
    }

    async fn handle(
        &self,
        _: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        let withdrawn: ConsentWithdrawn = event.read()?;
        if [PartnerEvents::KEY, ReferralProfiling::KEY].contains(&withdrawn.purpose.as_str()) {
            forget_person(tx, withdrawn.account_id).await?;
        }
        Ok(())
    }
}

/// The sender's keys and their hashes stay, so that a repetition is still one; nothing else does.
async fn forget_person(tx: &DatabaseTransaction, customer: AccountId) -> Result<()> {
    use received_event::Column;
    received_event::Entity::update_many()
        .col_expr(Column::Kind, Expr::value(Option::<String>::None))
        .col_expr(Column::CustomerId, Expr::value(Option::<uuid::Uuid>::None))
        .col_expr(
            Column::ConsentRecordId,
            Expr::value(Option::<uuid::Uuid>::None),
        )
        .col_expr(Column::Authorisation, Expr::value(Option::<String>::None))
        .col_expr(
            Column::OccurredAt,
            Expr::value(Option::<DateTime<Utc>>::None),
        )
        .filter(Column::CustomerId.eq(customer))
        .exec(tx)
        .await?;
    let kinds: Vec<_> = PartnerKind::all().map(PartnerKind::stream).collect();
    outbox::forget_about(tx, &kinds, customer.0).await
}
