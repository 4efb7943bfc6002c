//! Fulfilment told to WeChat (发货信息管理, spec 1.9), so that it does not keep the money of a visit that was given.

use super::{events::PaymentSucceeded, store};
use crate::{
    booking::{self, BookingCompleted},
    config::Shipping,
    identity,
    kernel::Result,
    outbox::{Consumer, Delivered, Event, timer},
    platform::{
        Ctx, OneByKey,
        wechat::{Shipped, ShippingOutcome},
    },
};
use chrono::Duration;
use entity::{
    ids::{BookingId, PaymentId, ShippingReportId},
    shipping_report, trade_management,
    values::{BookingStatus, Fen, PaymentStatus, ShippingStatus},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, EntityTrait, QuerySelect,
    sea_query::OnConflict,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Timer: tell WeChat that one payment's service was given.
const REPORT_DUE: &str = "payment.shipping_due.v1";
/// How long WeChat's word about managing our trades is good.
const MANAGED_FOR: Duration = Duration::days(1);
/// What was given. The service's own name says what somebody has done at home, and WeChat need not know.
const ITEM: &str = "家政服务已完成";

/// Visits that are done, and payments of visits that were done before.
pub(super) struct Completions;

#[async_trait::async_trait]
impl Consumer for Completions {
    fn name(&self) -> &'static str {
        "payment.completions"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[BookingCompleted::KIND, PaymentSucceeded::KIND]
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        if ctx.config.wechat.shipping == Shipping::Off {
            return Ok(());
        }
        let booking: BookingId = if event.kind == BookingCompleted::KIND {
            event.read::<BookingCompleted>()?.booking_id
        } else {
            event.read::<PaymentSucceeded>()?.booking_id
        };
        let visit = booking::by_id_unscoped(tx, booking).await?;
        if visit.status != BookingStatus::Completed {
            return Ok(());
        }
        for paid in store::of_booking(tx, booking, PaymentStatus::Paid).await? {
            owe(ctx, tx, paid.id).await?;
        }
        Ok(())
    }
}

/// One report per payment, however often its cause is told.
async fn owe(ctx: &Ctx, tx: &DatabaseTransaction, payment: PaymentId) -> Result<()> {
    let id: ShippingReportId = ctx.env.id();
    let row = shipping_report::ActiveModel {
        id: Set(id),
        payment_id: Set(payment),
        status: Set(ShippingStatus::Pending),
        reported_at: Set(None),
        created_at: Set(ctx.env.now()),
    };
    let once = OnConflict::column(shipping_report::Column::PaymentId)
        .do_nothing()
        .to_owned();
    let fresh = shipping_report::Entity::insert(row)
        .on_conflict(once)
        .exec_without_returning(tx)
        .await?;
    if fresh > 0 {
        timer::schedule(tx, &ctx.env, REPORT_DUE, id, ctx.env.now()).await?;
    }
    Ok(())
}

/// What came of a report.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Told {
    Before,
    NotNeeded,
    Taken,
    NotShippable,
}

/// Reports to be made; what WeChat cannot take now comes again.
pub(super) struct Reports;

#[async_trait::async_trait]
impl Consumer for Reports {
    fn name(&self) -> &'static str {
        "payment.shipping"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[REPORT_DUE]
    }

    async fn before(&self, ctx: &Ctx, event: &Delivered) -> Result<Value> {
        Ok(json!(
            tell(ctx, event.subject::<ShippingReportId>()?).await?
        ))
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        told: Value,
    ) -> Result<()> {
        let to = match serde_json::from_value(told)? {
            Told::Before => return Ok(()),
            Told::NotNeeded => ShippingStatus::NotNeeded,
            Told::Taken => ShippingStatus::Reported,
            Told::NotShippable => ShippingStatus::NotShippable,
        };
        let id = event.subject::<ShippingReportId>()?;
        let row = shipping_report::Entity::find_by_id(id)
            .lock_exclusive()
            .one_by_key(tx)
            .await?;
        if row.is_none_or(|row| row.status != ShippingStatus::Pending) {
            return Ok(());
        }
        if to == ShippingStatus::NotShippable {
            tracing::error!(shipping.id = %id, "WeChat says a paid order cannot be shipped; a person must look");
            metrics::counter!("linjian_shipping_refused_total").increment(1);
        }
        let change = shipping_report::ActiveModel {
            id: Set(id),
            status: Set(to),
            reported_at: Set((to == ShippingStatus::Reported).then(|| ctx.env.now())),
            ..Default::default()
        };
        change.update(tx).await?;
        Ok(())
    }
}

async fn tell(ctx: &Ctx, id: ShippingReportId) -> Result<Told> {
    let db = ctx.db.read();
    let row = shipping_report::Entity::find_by_id(id)
        .one_by_key(db)
        .await?;
    let Some(row) = row.filter(|row| row.status == ShippingStatus::Pending) else {
        return Ok(Told::Before);
    };
    let paid = store::payment(db, row.payment_id).await?;
    let left = paid.amount_fen.minus(store::given_back(db, paid.id).await?);
    let payer = identity::openid_of(ctx, db, paid.customer_id).await?;
    let (Some(transaction_id), Some(openid)) = (&paid.transaction_id, &payer) else {
        return Ok(Told::NotNeeded);
    };
    if left <= Fen::ZERO || !applies(ctx).await? {
        return Ok(Told::NotNeeded);
    }
    let shipped = Shipped {
        transaction_id,
        item: ITEM,
        at: row.created_at,
        openid,
    };
    Ok(match ctx.wechat.upload_shipping_info(&shipped).await? {
        ShippingOutcome::Taken => Told::Taken,
        ShippingOutcome::NotShippable => Told::NotShippable,
    })
}

/// Whether fulfilment is to be reported: by the setting, or as WeChat said within the last day.
async fn applies(ctx: &Ctx) -> Result<bool> {
    match ctx.config.wechat.shipping {
        Shipping::On => return Ok(true),
        Shipping::Off => return Ok(false),
        Shipping::Auto => {}
    }
    let (appid, now) = (ctx.wechat.appid().to_owned(), ctx.env.now());
    let known = trade_management::Entity::find_by_id(appid.clone())
        .one_by_key(ctx.db.read())
        .await?;
    if let Some(known) = known.filter(|known| now - known.asked_at < MANAGED_FOR) {
        return Ok(known.managed);
    }
    let managed = ctx.wechat.is_trade_managed().await?;
    let row = trade_management::ActiveModel {
        appid: Set(appid),
        managed: Set(managed),
        asked_at: Set(now),
    };
    let latest = OnConflict::column(trade_management::Column::Appid)
        .update_columns([
            trade_management::Column::Managed,
            trade_management::Column::AskedAt,
        ])
        .to_owned();
    let tx = ctx.db.begin_write().await?;
    trade_management::Entity::insert(row)
        .on_conflict(latest)
        .exec_without_returning(&tx)
        .await?;
    ctx.commit(tx).await?;
    Ok(managed)
}
