//! The player's controls on the main listener: pay as the person would, look at the inbox (sandbox mode only).

use super::{
    MARK, Sandbox,
    book::{Entry, Order, Payment},
    chaos,
    courier::Trouble,
    page, safety, shipping,
    trade::digits,
    transfer,
};
use crate::kernel::{AppError, Code, Result};
use crate::platform::wechat::{key::VerifyingKey, order::pay_message};
use actix_web::{HttpRequest, HttpResponse, http::header, middleware::DefaultHeaders, web};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Most copies of one notification at once.
const MOST_COPIES: usize = 50;

/// What the person does at the cashier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Pays.
    Success,
    /// Goes back.
    Cancel,
    /// Tries, and his bank refuses.
    Fail,
}

/// `POST /sandbox/pay`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayIn {
    /// Stands in `package` as `prepay_id=…`.
    pub prepay_id: String,
    /// What the person does.
    pub outcome: Outcome,
    /// Copies of the notification, delivered at once, 1 to 50.
    pub times: Option<usize>,
    /// A wrong amount to tell, fen; the order then stays unpaid here.
    pub amount_fen: Option<i64>,
    /// What is wrong with the deliveries; the person has paid all the same.
    pub trouble: Option<Trouble>,
}

/// What `POST /sandbox/pay` answers.
#[derive(Debug, Serialize)]
pub struct PayOut {
    /// One item per copy; empty when the person did not pay.
    pub delivered: Vec<Delivered>,
}

/// The receiver's answer to one copy.
#[derive(Debug, Serialize)]
pub struct Delivered {
    /// HTTP status; 0 when there was no answer.
    pub status: u16,
}

/// Mounts the controls; the app gives `web::Data<Sandbox>`.
pub fn routes(cfg: &mut web::ServiceConfig) {
    let mark = || DefaultHeaders::new().add(MARK);
    cfg.service(
        web::resource("/sandbox/pay")
            .wrap(mark())
            .route(web::post().to(pay)),
    )
    .service(
        web::resource("/sandbox/cashier")
            .wrap(mark())
            .route(web::get().to(cashier)),
    )
    .service(
        web::resource("/sandbox/inbox")
            .wrap(mark())
            .route(web::get().to(inbox)),
    )
    .service(
        web::resource("/sandbox/chaos")
            .wrap(mark())
            .route(web::get().to(chaos::show))
            .route(web::post().to(chaos::switch)),
    )
    .service(
        web::resource("/sandbox/admin")
            .wrap(mark())
            .route(web::get().to(admin)),
    )
    .service(
        web::resource("/sandbox/media-verdict")
            .wrap(mark())
            .route(web::post().to(safety::set_verdict)),
    )
    .configure(transfer::controls)
    .configure(shipping::controls);
}

async fn pay(body: web::Bytes, sandbox: web::Data<Sandbox>) -> Result<web::Json<PayOut>> {
    let input = parse(&body)?;
    Ok(web::Json(sandbox.play(input).await?))
}

/// Reads a control's body; what is wrong with it is named by its place.
pub(super) fn strict<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let input: T = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = format!("/{}", error.path().to_string().replace('.', "/"));
        AppError::field(
            if pointer == "//" {
                String::new()
            } else {
                pointer
            },
            "json",
            error.inner().to_string(),
        )
    })?;
    json.end()
        .map_err(|error| AppError::field("", "json", error.to_string()))?;
    Ok(input)
}

fn parse(body: &[u8]) -> Result<PayIn> {
    let input: PayIn = strict(body)?;
    if !(1..=MOST_COPIES).contains(&input.times.unwrap_or(1)) {
        return Err(AppError::field(
            "/times",
            "range",
            "times 应在 1 到 50 之间",
        ));
    }
    if input.amount_fen.is_some_and(|fen| fen < 1) {
        return Err(AppError::field(
            "/amount_fen",
            "range",
            "amount_fen 至少为 1",
        ));
    }
    Ok(input)
}

impl Sandbox {
    /// Plays the person at the cashier and delivers the notification to the order's address. Paying a paid order
    /// delivers the same payment once more, as WeChat's own retries do.
    ///
    /// # Errors
    /// `not_found` for an unknown prepay id, `invalid_state` for a closed order.
    pub async fn play(&self, input: PayIn) -> Result<PayOut> {
        let payment = Payment {
            transaction_id: format!(
                "4200{}",
                digits(24).map_err(|_| AppError::internal("no randomness"))?
            ),
            at: self.inner.env.now(),
        };
        let PayIn {
            prepay_id,
            outcome,
            times,
            amount_fen,
            trouble,
        } = input;
        let settle = move |book: &super::book::Book| {
            let order = book
                .order_of(&prepay_id)
                .ok_or_else(AppError::not_found)?
                .clone();
            if order.closed {
                return Err(AppError::invalid_state("订单已关闭,不能再支付"));
            }
            if outcome != Outcome::Success || amount_fen.is_some_and(|fen| fen != order.terms.total)
            {
                return Ok(((order, payment), None));
            }
            let paid = order.payment.clone().unwrap_or(payment);
            let entry = order.payment.is_none().then(|| Entry::Paid {
                out_trade_no: order.terms.out_trade_no.clone(),
                transaction_id: paid.transaction_id.clone(),
                at: paid.at,
            });
            Ok(((order, paid), entry))
        };
        let (order, payment) = self.change(settle).await?;
        if outcome != Outcome::Success {
            return Ok(PayOut {
                delivered: Vec::new(),
            });
        }
        let total = amount_fen.unwrap_or(order.terms.total);
        let body = self.payment_notice(&order, &payment, total, trouble)?;
        let copies = (0..times.unwrap_or(1))
            .map(|_| self.deliver(&order.terms.notify_url, body.clone(), trouble));
        let statuses = try_join_all(copies).await?;
        let taken = statuses.iter().any(|status| (200..300).contains(status));
        // A spoilt delivery is a scene of its own; an honest one that nobody took comes again, as WeChat's do.
        if !taken && trouble.is_none() && total == order.terms.total {
            self.announce_payment(&order, &payment);
        }
        let delivered = statuses
            .into_iter()
            .map(|status| Delivered { status })
            .collect();
        Ok(PayOut { delivered })
    }

    /// The order behind a prepay id.
    async fn order_behind(&self, prepay_id: String) -> Result<Order> {
        self.change(move |book| {
            Ok((
                book.order_of(&prepay_id)
                    .ok_or_else(AppError::not_found)?
                    .clone(),
                None,
            ))
        })
        .await
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CashierIn {
    #[serde(rename = "prepay_id")]
    prepay_id: String,
    time_stamp: Option<String>,
    nonce_str: Option<String>,
    pay_sign: Option<String>,
}

/// The cashier by hand. With `timeStamp`, `nonceStr` and `paySign` it checks the merchant's signature as WeChat does.
async fn cashier(
    query: web::Query<CashierIn>,
    sandbox: web::Data<Sandbox>,
) -> Result<HttpResponse> {
    let query = query.into_inner();
    if let Some(signature) = &query.pay_sign {
        let (timestamp, nonce) = (query.time_stamp.as_deref(), query.nonce_str.as_deref());
        let package = format!("prepay_id={}", query.prepay_id);
        let message = pay_message(
            super::APPID,
            timestamp.unwrap_or_default(),
            nonce.unwrap_or_default(),
            &package,
        );
        if !VerifyingKey::verifies(
            &sandbox.inner.secrets.merchant_public,
            message.as_bytes(),
            signature,
        ) {
            return Err(AppError::new(Code::SignatureInvalid, "paySign 验证失败"));
        }
    }
    let order = sandbox.order_behind(query.prepay_id.clone()).await?;
    page::cashier(&order, &query.prepay_id)
}

async fn inbox(req: HttpRequest, sandbox: web::Data<Sandbox>) -> Result<HttpResponse> {
    let messages = sandbox.messages().await?;
    let accept = req
        .headers()
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if accept.contains("text/html") {
        page::inbox(&messages)
    } else {
        Ok(HttpResponse::Ok().json(json!({ "items": messages })))
    }
}

/// All orders and the switches, by hand.
async fn admin(sandbox: web::Data<Sandbox>) -> Result<HttpResponse> {
    let mut orders: Vec<Order> = sandbox
        .change::<_, AppError, _>(|book| Ok((book.orders.values().cloned().collect(), None)))
        .await?;
    orders.sort_by(|a, b| b.terms.out_trade_no.cmp(&a.terms.out_trade_no));
    page::admin(&orders)
}
