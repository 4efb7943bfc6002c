//! Comparisons with WeChat's bill and merchant transfers, as managers and customers see them.

use super::{
    reconcile,
    transfer::{self, Wanted},
};
use crate::{
    http::{Idem, Problem, Valid, ValidQuery},
    identity::{Actor, AuditSubject, Customer, Manager},
    kernel::{AppError, Cursor, Page, Result},
    platform::Ctx,
};
use actix_web::{HttpResponse, get, http::StatusCode, post, web};
use chrono::{DateTime, NaiveDate, Utc};
use entity::{
    ids::{AccountId, BookingId, PaymentId, ReconciliationId, RefundId, TransferId},
    reconciliation, reconciliation_difference, transfer as transfers,
    values::{
        DifferenceKind, DifferenceStatus, Fen, ReconciliationStatus, TradeKind, TransferKind,
        TransferStatus,
    },
};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Least and most of one transfer, fen: from 2000 yuan on WeChat wants a real name, which this house does not hold.
const LEAST: i64 = 10;
const MOST: i64 = 199_999;

/// Registers the calls under `/admin`.
pub(super) fn admin_routes(cfg: &mut ServiceConfig) {
    cfg.service(reconcile_day)
        .service(reconciliations)
        .service(reconciled)
        .service(make_transfer)
        .service(approve_transfer)
        .service(cancel_transfer)
        .service(list_transfers);
}

/// Registers the customer's call.
pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(my_transfers);
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ReconcileIn {
    /// A day in Beijing before today.
    date: NaiveDate,
}

/// A day's comparison with WeChat's bill.
#[derive(Serialize, utoipa::ToSchema)]
struct ReconciliationOut {
    id: ReconciliationId,
    date: NaiveDate,
    status: ReconciliationStatus,
    /// Payments and refunds in the bill.
    payments: i32,
    refunds: i32,
    paid_fen: i64,
    refunded_fen: i64,
    /// Differences somebody must look at.
    open: usize,
    /// Differences that were made good at once.
    healed: usize,
    /// Why the last try failed.
    fault: Option<String>,
    finished_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct DifferenceOut {
    kind: DifferenceKind,
    status: DifferenceStatus,
    trade: TradeKind,
    /// WeChat's number of the payment, or ours of the refund.
    number: String,
    payment_id: Option<PaymentId>,
    refund_id: Option<RefundId>,
    here_fen: Option<i64>,
    there_fen: Option<i64>,
    created_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
}

/// A day's comparison with what it found.
#[derive(Serialize, utoipa::ToSchema)]
struct ReconciledOut {
    #[serde(flatten)]
    day: ReconciliationOut,
    differences: Vec<DifferenceOut>,
}

fn day_out(
    row: reconciliation::Model,
    differences: &[reconciliation_difference::Model],
) -> ReconciliationOut {
    let count = |status| {
        let of_day = |one: &&reconciliation_difference::Model| {
            one.reconciliation_id == row.id && one.status == status
        };
        differences.iter().filter(of_day).count()
    };
    ReconciliationOut {
        id: row.id,
        open: count(DifferenceStatus::Open),
        healed: count(DifferenceStatus::Healed),
        date: row.day,
        status: row.status,
        payments: row.payments,
        refunds: row.refunds,
        paid_fen: row.paid_fen.0,
        refunded_fen: row.refunded_fen.0,
        fault: row.fault,
        finished_at: row.finished_at,
    }
}

async fn differences_of(
    ctx: &Ctx,
    ids: Vec<ReconciliationId>,
) -> Result<Vec<reconciliation_difference::Model>> {
    let rows = reconciliation_difference::Entity::find()
        .filter(reconciliation_difference::Column::ReconciliationId.is_in(ids))
        .order_by_asc(reconciliation_difference::Column::Id);
    Ok(rows.all(ctx.db.read()).await?)
}

/// Compare a day with WeChat's bill, again if it was done before. It runs from the queue.
#[utoipa::path(tag = "staff", request_body = ReconcileIn, security(("bearer" = [])),
    responses((status = 202, body = ReconciliationOut), (status = 422, body = Problem)))]
#[post("/reconciliations")]
async fn reconcile_day(
    ctx: web::Data<Ctx>,
    actor: Actor<Manager>,
    idem: Idem,
    body: Valid<ReconcileIn>,
) -> Result<HttpResponse> {
    let plan = async |tx: &DatabaseTransaction| {
        let row = reconcile::request(&ctx, tx, body.value.date, actor.id).await?;
        Ok(day_out(row, &[]))
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::ACCEPTED, plan)
        .await
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    limit: Option<u64>,
    cursor: Option<String>,
}

/// Comparisons with WeChat's bill, newest first.
#[utoipa::path(tag = "staff", params(ListQuery), security(("bearer" = [])),
    responses((status = 200, body = Page<ReconciliationOut>)))]
#[get("/reconciliations")]
async fn reconciliations(
    ctx: web::Data<Ctx>,
    _: Actor<Manager>,
    query: ValidQuery<ListQuery>,
) -> Result<HttpResponse> {
    let cursor = Cursor::parse(query.0.limit, query.0.cursor.as_deref())?;
    let mut rows = reconciliation::Entity::find()
        .order_by_desc(reconciliation::Column::Id)
        .limit(cursor.fetch());
    if let Some(before) = cursor.before {
        rows = rows.filter(reconciliation::Column::Id.lt(ReconciliationId(before)));
    }
    let rows = rows.all(ctx.db.read()).await?;
    let found = differences_of(&ctx, rows.iter().map(|row| row.id).collect()).await?;
    let out = |row| day_out(row, &found);
    Ok(HttpResponse::Ok().json(cursor.page(rows, |row| row.id.0, out)))
}

/// A day's comparison and its differences.
#[utoipa::path(tag = "staff", security(("bearer" = [])),
    responses((status = 200, body = ReconciledOut), (status = 404, body = Problem)))]
#[get("/reconciliations/{date}")]
async fn reconciled(
    ctx: web::Data<Ctx>,
    _: Actor<Manager>,
    date: web::Path<String>,
) -> Result<HttpResponse> {
    // Read here and not by the extractor: who may not ask is told so before anything about the day.
    let day = date.parse().map_err(|_| AppError::not_found())?;
    let row = reconcile::of_day(ctx.db.read(), day)
        .await?
        .ok_or_else(AppError::not_found)?;
    let found = differences_of(&ctx, vec![row.id]).await?;
    let day = day_out(row, &found);
    let out = |row: reconciliation_difference::Model| DifferenceOut {
        kind: row.kind,
        status: row.status,
        trade: row.trade,
        number: row.number,
        payment_id: row.payment_id,
        refund_id: row.refund_id,
        here_fen: row.here_fen.map(|fen| fen.0),
        there_fen: row.there_fen.map(|fen| fen.0),
        created_at: row.created_at,
        closed_at: row.closed_at,
    };
    Ok(HttpResponse::Ok().json(ReconciledOut {
        day,
        differences: found.into_iter().map(out).collect(),
    }))
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct TransferIn {
    booking_id: BookingId,
    kind: TransferKind,
    #[validate(range(min = "LEAST", max = "MOST"))]
    amount_fen: i64,
    /// What the customer reads, and what WeChat is told it is for.
    #[validate(length(min = 1, max = 32))]
    remark: String,
}

/// A merchant transfer as staff see it.
#[derive(Serialize, utoipa::ToSchema)]
struct TransferOut {
    id: TransferId,
    booking_id: BookingId,
    customer_id: AccountId,
    kind: TransferKind,
    amount_fen: i64,
    remark: String,
    status: TransferStatus,
    out_bill_no: String,
    fail_reason: Option<String>,
    cancel_requested: bool,
    requested_by: AccountId,
    approved_by: Option<AccountId>,
    approved_at: Option<DateTime<Utc>>,
    settled_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

fn transfer_out(row: transfers::Model) -> TransferOut {
    TransferOut {
        id: row.id,
        booking_id: row.booking_id,
        customer_id: row.customer_id,
        kind: row.kind,
        amount_fen: row.amount_fen.0,
        remark: row.remark,
        status: row.status,
        out_bill_no: row.out_bill_no,
        fail_reason: row.fail_reason,
        cancel_requested: row.cancel_requested,
        requested_by: row.requested_by,
        approved_by: row.approved_by,
        approved_at: row.approved_at,
        settled_at: row.settled_at,
        created_at: row.created_at,
    }
}

/// Ask for a transfer to a customer, to make good a visit. Nothing moves before another manager says yes.
#[utoipa::path(tag = "staff", request_body = TransferIn, security(("bearer" = [])),
    responses((status = 201, body = TransferOut), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
#[post("/transfers")]
async fn make_transfer(
    ctx: web::Data<Ctx>,
    actor: Actor<Manager>,
    idem: Idem,
    about: AuditSubject,
    body: Valid<TransferIn>,
) -> Result<HttpResponse> {
    let input = body.value;
    // The one kind there is; another would have to be written here.
    let TransferKind::Compensation = input.kind;
    let make = async |tx: &DatabaseTransaction| {
        let wanted = Wanted {
            booking: input.booking_id,
            amount: Fen(input.amount_fen),
            remark: &input.remark,
            by: actor.id,
        };
        let row = transfer::request(&ctx, tx, &wanted).await?;
        about.is(row.customer_id);
        Ok(transfer_out(row))
    };
    idem.required(actor.id, &body.hash)?
        .run(&ctx, StatusCode::CREATED, make)
        .await
}

/// Say yes to a transfer another manager asked for.
#[utoipa::path(tag = "staff", security(("bearer" = [])),
    responses((status = 200, body = TransferOut), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
#[post("/transfers/{id}/approve")]
async fn approve_transfer(
    ctx: web::Data<Ctx>,
    actor: Actor<Manager>,
    about: AuditSubject,
    id: web::Path<TransferId>,
) -> Result<HttpResponse> {
    let tx = ctx.db.begin_write().await?;
    let row = transfer::approve(&ctx, &tx, *id, actor.id).await?;
    ctx.commit(tx).await?;
    about.is(row.customer_id);
    Ok(HttpResponse::Ok().json(transfer_out(row)))
}

/// Call a transfer off that the customer has not confirmed.
#[utoipa::path(tag = "staff", security(("bearer" = [])),
    responses((status = 200, body = TransferOut), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[post("/transfers/{id}/cancel")]
async fn cancel_transfer(
    ctx: web::Data<Ctx>,
    _: Actor<Manager>,
    about: AuditSubject,
    id: web::Path<TransferId>,
) -> Result<HttpResponse> {
    let tx = ctx.db.begin_write().await?;
    let row = transfer::call_off(&ctx, &tx, *id).await?;
    ctx.commit(tx).await?;
    about.is(row.customer_id);
    Ok(HttpResponse::Ok().json(transfer_out(row)))
}

/// Merchant transfers, newest first.
#[utoipa::path(tag = "staff", params(ListQuery), security(("bearer" = [])),
    responses((status = 200, body = Page<TransferOut>)))]
#[get("/transfers")]
async fn list_transfers(
    ctx: web::Data<Ctx>,
    _: Actor<Manager>,
    query: ValidQuery<ListQuery>,
) -> Result<HttpResponse> {
    let cursor = Cursor::parse(query.0.limit, query.0.cursor.as_deref())?;
    let rows = page_of(transfers::Entity::find(), &cursor);
    let rows = rows.all(ctx.db.read()).await?;
    Ok(HttpResponse::Ok().json(cursor.page(rows, |row| row.id.0, transfer_out)))
}

fn page_of(
    rows: sea_orm::Select<transfers::Entity>,
    cursor: &Cursor,
) -> sea_orm::Select<transfers::Entity> {
    let rows = rows
        .order_by_desc(transfers::Column::Id)
        .limit(cursor.fetch());
    match cursor.before {
        Some(before) => rows.filter(transfers::Column::Id.lt(TransferId(before))),
        None => rows,
    }
}

/// What `wx.requestMerchantTransfer` takes.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct ConfirmOut {
    mch_id: String,
    app_id: String,
    package: String,
}

/// A transfer as its receiver sees it.
#[derive(Serialize, utoipa::ToSchema)]
struct MyTransferOut {
    id: TransferId,
    booking_id: BookingId,
    kind: TransferKind,
    amount_fen: i64,
    remark: String,
    status: TransferStatus,
    /// WeChat's package while the transfer waits for its confirmation.
    package_info: Option<String>,
    /// The same, ready for `wx.requestMerchantTransfer`; its success is a hint, `status` is the truth.
    confirm: Option<ConfirmOut>,
    created_at: DateTime<Utc>,
}

/// Money the company sends me. What waits for me must be confirmed in WeChat within 24 hours.
#[utoipa::path(tag = "payment", params(ListQuery), security(("bearer" = [])),
    responses((status = 200, body = Page<MyTransferOut>)))]
#[get("/me/transfers")]
async fn my_transfers(
    ctx: web::Data<Ctx>,
    actor: Actor<Customer>,
    query: ValidQuery<ListQuery>,
) -> Result<HttpResponse> {
    let cursor = Cursor::parse(query.0.limit, query.0.cursor.as_deref())?;
    // What no second person has said yes to is no promise yet.
    let mine = transfers::Entity::find()
        .filter(transfers::Column::CustomerId.eq(actor.id))
        .filter(transfers::Column::ApprovedBy.is_not_null());
    let rows = page_of(mine, &cursor).all(ctx.db.read()).await?;
    let out = |row: transfers::Model| MyTransferOut {
        id: row.id,
        booking_id: row.booking_id,
        kind: row.kind,
        amount_fen: row.amount_fen.0,
        remark: row.remark,
        status: row.status,
        confirm: row.package_info.clone().map(|package| ConfirmOut {
            mch_id: ctx.wechat.mchid().to_owned(),
            app_id: ctx.wechat.appid().to_owned(),
            package,
        }),
        package_info: row.package_info,
        created_at: row.created_at,
    };
    Ok(HttpResponse::Ok().json(cursor.page(rows, |row| row.id.0, out)))
}
