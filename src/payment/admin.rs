//! Money as staff see and move it.

use super::{
    ledger,
    refund::{self, Why},
    settlement,
};
use crate::{
    http::{Idem, Problem, Valid, ValidQuery},
    identity::{Actor, Manager, Operations},
    kernel::{AppError, Cursor, Page, Result},
    platform::Ctx,
};
use actix_web::{HttpResponse, get, http::StatusCode, post, web};
use chrono::{DateTime, Utc};
use entity::{
    ids::{BookingId, PaymentId, RefundId},
    payment, refund as refund_table,
    values::{Fen, PaymentStatus, RefundStatus},
};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Registers the calls under `/admin`.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(give_back)
        .service(refunds)
        .service(payments)
        .service(balance)
        .configure(settlement::admin_routes);
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct RefundIn {
    booking_id: BookingId,
    /// Everything that can go back, when unsaid.
    #[validate(range(min = 1, max = 1_000_000_000))]
    amount_fen: Option<i64>,
    #[validate(length(min = 1, max = 80))]
    reason: String,
}

#[derive(Serialize, utoipa::ToSchema)]
struct RefundOut {
    id: RefundId,
    booking_id: BookingId,
    payment_id: PaymentId,
    amount_fen: i64,
    status: RefundStatus,
    reason: String,
    settled_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

/// The refund asked for: one part per payment it is taken from.
#[derive(Serialize, utoipa::ToSchema)]
struct GivenOut {
    id: RefundId,
    booking_id: BookingId,
    amount_fen: i64,
    status: RefundStatus,
    parts: Vec<RefundOut>,
}

fn out(row: refund_table::Model) -> RefundOut {
    RefundOut {
        id: row.id,
        booking_id: row.booking_id,
        payment_id: row.payment_id,
        amount_fen: row.amount_fen.0,
        status: row.status,
        reason: row.reason,
        settled_at: row.settled_at,
        created_at: row.created_at,
    }
}

/// Give money back. A full refund after completion takes the rewards of that order back.
#[utoipa::path(tag = "staff", request_body = RefundIn, security(("bearer" = [])),
    responses((status = 201, body = GivenOut), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
#[post("/refunds")]
async fn give_back(
    ctx: web::Data<Ctx>,
    actor: Actor<Operations>,
    idem: Idem,
    body: Valid<RefundIn>,
) -> Result<HttpResponse> {
    let input = body.value;
    let give = async |tx: &DatabaseTransaction| {
        let why = Why {
            by: Some(actor.id),
            reason: &input.reason,
            counted: true,
            transaction: None,
        };
        let made =
            refund::of_booking(&ctx, tx, input.booking_id, input.amount_fen.map(Fen), &why).await?;
        let parts: Vec<RefundOut> = made.into_iter().map(out).collect();
        let first = parts
            .first()
            .ok_or_else(|| AppError::internal("a refund without parts"))?;
        Ok(GivenOut {
            id: first.id,
            booking_id: input.booking_id,
            status: first.status,
            amount_fen: parts.iter().map(|part| part.amount_fen).sum(),
            parts,
        })
    };
    idem.required(actor.id, &body.hash)?
        .run(&ctx, StatusCode::CREATED, give)
        .await
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct MoneyQuery {
    booking_id: Option<BookingId>,
    limit: Option<u64>,
    cursor: Option<String>,
}

/// Refunds, newest first.
#[utoipa::path(tag = "staff", params(MoneyQuery), security(("bearer" = [])),
    responses((status = 200, body = Page<RefundOut>)))]
#[get("/refunds")]
async fn refunds(
    ctx: web::Data<Ctx>,
    _: Actor<Operations>,
    query: ValidQuery<MoneyQuery>,
) -> Result<HttpResponse> {
    let cursor = Cursor::parse(query.0.limit, query.0.cursor.as_deref())?;
    let mut rows = refund_table::Entity::find()
        .order_by_desc(refund_table::Column::Id)
        .limit(cursor.fetch());
    if let Some(booking) = query.0.booking_id {
        rows = rows.filter(refund_table::Column::BookingId.eq(booking));
    }
    if let Some(before) = cursor.before {
        rows = rows.filter(refund_table::Column::Id.lt(RefundId(before)));
    }
    Ok(HttpResponse::Ok().json(cursor.page(rows.all(ctx.db.read()).await?, |row| row.id.0, out)))
}

#[derive(Serialize, utoipa::ToSchema)]
struct PaymentOut {
    id: PaymentId,
    booking_id: BookingId,
    amount_fen: i64,
    status: PaymentStatus,
    out_trade_no: String,
    transaction_id: Option<String>,
    paid_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

/// Payments, newest first.
#[utoipa::path(tag = "staff", params(MoneyQuery), security(("bearer" = [])),
    responses((status = 200, body = Page<PaymentOut>)))]
#[get("/payments")]
async fn payments(
    ctx: web::Data<Ctx>,
    _: Actor<Operations>,
    query: ValidQuery<MoneyQuery>,
) -> Result<HttpResponse> {
    let cursor = Cursor::parse(query.0.limit, query.0.cursor.as_deref())?;
    let mut rows = payment::Entity::find()
        .order_by_desc(payment::Column::Id)
        .limit(cursor.fetch());
    if let Some(booking) = query.0.booking_id {
        rows = rows.filter(payment::Column::BookingId.eq(booking));
    }
    if let Some(before) = cursor.before {
        rows = rows.filter(payment::Column::Id.lt(PaymentId(before)));
    }
    let out = |row: payment::Model| PaymentOut {
        id: row.id,
        booking_id: row.booking_id,
        amount_fen: row.amount_fen.0,
        status: row.status,
        out_trade_no: row.out_trade_no,
        transaction_id: row.transaction_id,
        paid_at: row.paid_at,
        created_at: row.created_at,
    };
    Ok(HttpResponse::Ok().json(cursor.page(rows.all(ctx.db.read()).await?, |row| row.id.0, out)))
}

#[derive(Serialize, utoipa::ToSchema)]
struct BalanceOut {
    /// Balance by kind of account, fen; debit is positive.
    sums: BTreeMap<String, i64>,
    /// All accounts together: zero, or the ledger is broken.
    total: i64,
}

/// The ledger's balances.
#[utoipa::path(tag = "staff", security(("bearer" = [])), responses((status = 200, body = BalanceOut)))]
#[get("/ledger/balance")]
async fn balance(ctx: web::Data<Ctx>, _: Actor<Manager>) -> Result<HttpResponse> {
    let (sums, total) = ledger::balances(ctx.db.read()).await?;
    Ok(HttpResponse::Ok().json(BalanceOut { sums, total }))
}
