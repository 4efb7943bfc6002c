//! WeChat Pay's notifications: verified on the raw bytes, then counted in one transaction, or refused with 4xx.

use super::{incident, refund, settle, store, transfer};
use crate::{
    kernel::Result,
    platform::{
        Ctx, OneByKey,
        wechat::{
            Notification, NotifyError, RefundNotice, Transaction, TransferNotice, WebhookFailure,
        },
    },
};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use entity::{refund as refund_table, values::PaymentStatus};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;

/// Handles one notification. Whatever is wrong with it is the sender's: 4xx, nothing changed.
///
/// # Errors
/// Our own faults; WeChat Pay then sends it again.
pub(super) async fn receive(ctx: &Ctx, req: &HttpRequest, body: &[u8]) -> Result<HttpResponse> {
    match ctx.wechat.notified(req.headers(), body).await {
        Ok(Notification::Paid(told)) => paid(ctx, &told).await,
        Ok(Notification::Refund(told)) => refunded(ctx, &told).await,
        Ok(Notification::Transfer(told)) => transferred(ctx, &told).await,
        Ok(Notification::Other(kind)) => {
            tracing::info!(event.kind = %kind, "a notification nobody waits for");
            Ok(HttpResponse::NoContent().finish())
        }
        Err(error) => {
            if matches!(error, NotifyError::Foreign) {
                incident::record(ctx, None, "foreign", json!({})).await?;
            }
            metrics::counter!("linjian_notifications_refused_total").increment(1);
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
            Ok(HttpResponse::build(status).json(error.failure()))
        }
    }
}

async fn paid(ctx: &Ctx, told: &Transaction) -> Result<HttpResponse> {
    if settle::paid_or_incident(ctx, told).await? {
        return Ok(HttpResponse::NoContent().finish());
    }
    Ok(HttpResponse::Conflict().json(WebhookFailure::new("付款与订单不符")))
}

async fn refunded(ctx: &Ctx, told: &RefundNotice) -> Result<HttpResponse> {
    let tx = ctx.db.begin_write().await?;
    let known = refund_table::Entity::find()
        .filter(refund_table::Column::OutRefundNo.eq(&told.out_refund_no));
    let Some(row) = known.one_by_key(&tx).await? else {
        tx.rollback().await?;
        incident::record(
            ctx,
            None,
            "unknown_refund",
            json!({ "told_fen": told.refund_fen }),
        )
        .await?;
        return Ok(HttpResponse::Conflict().json(WebhookFailure::new("没有这笔退款")));
    };
    if told.refund_fen != row.amount_fen.0 {
        tx.rollback().await?;
        let detail = json!({ "told_fen": told.refund_fen, "wanted_fen": row.amount_fen });
        incident::record(ctx, Some(row.payment_id), "refund_amount", detail).await?;
        return Ok(HttpResponse::Conflict().json(WebhookFailure::new("退款金额不符")));
    }
    // The order of arrival is not guaranteed: before its payment is known a refund waits, and WeChat tells it again.
    let of = store::payment(&tx, row.payment_id).await?;
    if of.status != PaymentStatus::Paid {
        tx.rollback().await?;
        return Ok(HttpResponse::ServiceUnavailable()
            .json(WebhookFailure::new("付款尚未入账,请稍后再通知")));
    }
    let said = refund::Asked::told(told.status, told.refund_id.clone(), told.success_time);
    refund::told(ctx, &tx, row.id, &said).await?;
    ctx.commit(tx).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A transfer's end is only a hint here: the query that follows is believed (spec 2.7).
async fn transferred(ctx: &Ctx, told: &TransferNotice) -> Result<HttpResponse> {
    match transfer::hint(ctx, told).await? {
        transfer::Hint::Taken => Ok(HttpResponse::NoContent().finish()),
        transfer::Hint::Unknown => {
            Ok(HttpResponse::Conflict().json(WebhookFailure::new("没有这笔转账")))
        }
        transfer::Hint::Mismatch => {
            Ok(HttpResponse::Conflict().json(WebhookFailure::new("转账金额不符")))
        }
    }
}
