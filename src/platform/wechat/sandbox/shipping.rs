//! Fulfilment as WeChat keeps it (spec 1.9): whether trades are managed, and what was reported.

use super::{
    APPID, MARK, Sandbox,
    book::{Book, Entry, Shipment},
    control::strict,
    mini::{Refusal, TokenQuery, answered, read, system},
};
use crate::kernel::{AppError, Result};
use actix_web::{HttpResponse, middleware::DefaultHeaders, web};
use chrono::{DateTime, FixedOffset};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

/// Reports WeChat takes for one payment: the first and one change.
const MOST: usize = 2;

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/wxa/sec/order/is_trade_managed", web::post().to(managed))
        .route(
            "/wxa/sec/order/upload_shipping_info",
            web::post().to(upload),
        );
}

/// The switch and the list on the main listener.
pub(super) fn controls(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/sandbox/trade-managed")
            .wrap(DefaultHeaders::new().add(MARK))
            .route(web::post().to(switch)),
    )
    .service(
        web::resource("/sandbox/shipping")
            .wrap(DefaultHeaders::new().add(MARK))
            .route(web::get().to(list)),
    );
}

#[derive(Deserialize)]
struct ManagedIn {
    appid: String,
}

async fn managed(
    query: web::Query<TokenQuery>,
    body: web::Bytes,
    sandbox: web::Data<Sandbox>,
) -> HttpResponse {
    let outcome = async {
        query.check(&sandbox)?;
        let input: ManagedIn = read(&body)?;
        if input.appid != APPID {
            return Err((40_013, "invalid appid"));
        }
        sandbox.inner.trade_asked.fetch_add(1, Ordering::Relaxed);
        let managed = sandbox.change(|book| Ok::<_, AppError>((book.trade_managed, None)));
        let managed = managed.await.map_err(|error| system(&error))?;
        Ok(json!({ "errcode": 0, "errmsg": "ok", "is_trade_managed": managed }))
    };
    answered(outcome.await)
}

#[derive(Deserialize)]
struct UploadIn {
    order_key: KeyIn,
    logistics_type: u8,
    delivery_mode: u8,
    shipping_list: Vec<ItemIn>,
    upload_time: DateTime<FixedOffset>,
    payer: PayerIn,
}

#[derive(Deserialize)]
struct KeyIn {
    order_number_type: u8,
    transaction_id: String,
}

#[derive(Deserialize)]
struct ItemIn {
    item_desc: String,
}

#[derive(Deserialize)]
struct PayerIn {
    openid: String,
}

async fn upload(
    query: web::Query<TokenQuery>,
    body: web::Bytes,
    sandbox: web::Data<Sandbox>,
) -> HttpResponse {
    let outcome = async {
        query.check(&sandbox)?;
        let input: UploadIn = read(&body)?;
        let decide = move |book: &Book| -> Result<_> {
            Ok(match taken(book, input) {
                Ok(shipment) => (Ok(()), Some(Entry::Shipped { shipment })),
                Err(refusal) => (Err(refusal), None),
            })
        };
        sandbox
            .change(decide)
            .await
            .map_err(|error| system(&error))??;
        Ok(json!({ "errcode": 0, "errmsg": "ok" }))
    };
    answered(outcome.await)
}

fn taken(book: &Book, input: UploadIn) -> Result<Shipment, Refusal> {
    let item = match input.shipping_list.as_slice() {
        [one] if (1..=120).contains(&one.item_desc.chars().count()) => one.item_desc.clone(),
        _ => return Err((10_060_019, "invalid shipping_list")),
    };
    if input.order_key.order_number_type != 2
        || input.logistics_type != 3
        || input.delivery_mode != 1
    {
        return Err((10_060_019, "invalid parameters"));
    }
    let number = input.order_key.transaction_id;
    let order = book
        .orders
        .values()
        .find(|order| {
            let paid = order.payment.as_ref();
            paid.is_some_and(|paid| paid.transaction_id == number)
        })
        .ok_or((10_060_001, "pay order not exist"))?;
    if order.terms.openid != input.payer.openid {
        return Err((10_060_031, "pay order does not belong to the openid"));
    }
    if order.refunded >= order.terms.total {
        return Err((10_060_004, "pay order is not in a shippable state"));
    }
    let before = book
        .shipments
        .iter()
        .filter(|one| one.transaction_id == number)
        .count();
    if before >= MOST {
        return Err((10_060_003, "pay order has been re-shipped"));
    }
    Ok(Shipment {
        transaction_id: number,
        item,
        upload_time: input.upload_time,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SwitchIn {
    managed: bool,
}

async fn switch(body: web::Bytes, sandbox: web::Data<Sandbox>) -> Result<web::Json<Value>> {
    let SwitchIn { managed } = strict(&body)?;
    sandbox
        .change(move |_| Ok::<_, AppError>(((), Some(Entry::TradeManaged { managed }))))
        .await?;
    Ok(web::Json(json!({ "managed": managed })))
}

async fn list(sandbox: web::Data<Sandbox>) -> Result<web::Json<Value>> {
    let items = sandbox
        .change(|book| Ok::<_, AppError>((book.shipments.clone(), None)))
        .await?;
    let asked = sandbox.inner.trade_asked.load(Ordering::Relaxed);
    Ok(web::Json(json!({ "items": items, "asked": asked })))
}
