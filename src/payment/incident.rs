//! Verified messages that do not fit their order, and refunds that were not paid out: money staff look at them.

use crate::{kernel::Result, platform::Ctx};
use entity::{
    ids::{PaymentId, PaymentIncidentId},
    payment_incident,
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction};
use serde_json::Value;

/// Records an incident in a transaction of its own, because the one it happened in is rolled back.
pub(super) async fn record(
    ctx: &Ctx,
    payment: Option<PaymentId>,
    kind: &str,
    detail: Value,
) -> Result<()> {
    let tx = ctx.db.begin_write().await?;
    write(ctx, &tx, payment, kind, detail).await?;
    ctx.commit(tx).await
}

/// Records an incident together with what it is about.
pub(super) async fn write(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    payment: Option<PaymentId>,
    kind: &str,
    detail: Value,
) -> Result<()> {
    payment_incident::ActiveModel {
        id: Set(ctx.env.id::<PaymentIncidentId>()),
        payment_id: Set(payment),
        kind: Set(kind.to_owned()),
        detail: Set(detail),
        created_at: Set(ctx.env.now()),
    }
    .insert(tx)
    .await?;
    tracing::error!(
        incident.kind = kind,
        "a payment message does not fit its order; a person must look"
    );
    metrics::counter!("linjian_payment_incidents_total").increment(1);
    Ok(())
}
