//! WeChat Pay's calls: prepay, query, close, refund (spec 2.3, 2.5, 2.6).

use super::{
    APPID, MCHID, Sandbox,
    book::{Book, Entry, Order, Refunded, Terms},
    courier::transaction,
    seal::Refusal,
};
use crate::platform::wechat::order::beijing;
use actix_web::{HttpRequest, HttpResponse, web};
use aws_lc_rs::rand;
use chrono::{DateTime, FixedOffset, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

type Answer = Result<Value, Refusal>;

const NO_ORDER: Refusal = Refusal::new(404, "ORDER_NOT_EXIST", "订单不存在");
const OTHER_VALUES: Refusal =
    Refusal::new(400, "INVALID_REQUEST", "请求重入时,参数与首次请求时不一致");
const PARAM: Refusal = Refusal::new(400, "PARAM_ERROR", "参数错误");

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/v3/pay/transactions/jsapi", web::post().to(prepay))
        .route(
            "/v3/pay/transactions/out-trade-no/{number}",
            web::get().to(by_number),
        )
        .route(
            "/v3/pay/transactions/id/{number}",
            web::get().to(by_transaction),
        )
        .route(
            "/v3/pay/transactions/out-trade-no/{number}/close",
            web::post().to(close),
        )
        .route("/v3/refund/domestic/refunds", web::post().to(refund))
        .route(
            "/v3/refund/domestic/refunds/{number}",
            web::get().to(refund_query),
        );
}

#[derive(Deserialize)]
struct PrepayIn {
    appid: String,
    mchid: String,
    description: String,
    out_trade_no: String,
    time_expire: Option<DateTime<FixedOffset>>,
    attach: Option<String>,
    notify_url: String,
    amount: AmountIn,
    payer: PayerIn,
}

#[derive(Deserialize)]
struct AmountIn {
    total: i64,
    currency: Option<String>,
}

#[derive(Deserialize)]
struct PayerIn {
    openid: String,
}

impl PrepayIn {
    fn terms(self, now: DateTime<Utc>) -> Result<Terms, Refusal> {
        if self.appid != APPID || self.mchid != MCHID {
            return Err(Refusal::new(
                400,
                "APPID_MCHID_NOT_MATCH",
                "appid 和 mchid 不匹配",
            ));
        }
        let number = |c: char| c.is_ascii_alphanumeric() || "_-|*".contains(c);
        let good = (6..=32).contains(&self.out_trade_no.len())
            && self.out_trade_no.chars().all(number)
            && (1..=127).contains(&self.description.chars().count())
            && self
                .attach
                .as_ref()
                .is_none_or(|attach| attach.chars().count() <= 128)
            && self.amount.total >= 1
            && self
                .amount
                .currency
                .as_deref()
                .is_none_or(|currency| currency == "CNY")
            && (1..=128).contains(&self.payer.openid.len())
            && self.notify_url.len() <= 255
            && self.notify_url.starts_with("http")
            && !self.notify_url.contains('?')
            && self.time_expire.is_none_or(|at| at > now);
        good.then_some(Terms {
            out_trade_no: self.out_trade_no,
            description: self.description,
            notify_url: self.notify_url,
            total: self.amount.total,
            openid: self.payer.openid,
            attach: self.attach,
            time_expire: self.time_expire,
        })
        .ok_or(PARAM)
    }
}

async fn prepay(req: HttpRequest, body: web::Bytes, sandbox: web::Data<Sandbox>) -> HttpResponse {
    let outcome = async {
        sandbox.check_merchant(&req, &body)?;
        let input: PrepayIn = serde_json::from_slice(&body).map_err(|_| PARAM)?;
        let terms = input.terms(sandbox.inner.env.now())?;
        let prepay_id = format!("wx{}", digits(34)?);
        sandbox
            .change(move |book| enter(book, terms, prepay_id))
            .await
    };
    sandbox.signed_for(&req, outcome.await)
}

/// The re-entry rules: the same values give another prepay id, other values or a settled order are refused.
fn enter(book: &Book, terms: Terms, prepay_id: String) -> Result<(Value, Option<Entry>), Refusal> {
    if let Some(order) = book.orders.get(&terms.out_trade_no) {
        if order.terms != terms {
            return Err(OTHER_VALUES);
        }
        if order.payment.is_some() {
            return Err(Refusal::new(400, "ORDERPAID", "该订单已支付"));
        }
        if order.closed {
            return Err(Refusal::new(400, "ORDER_CLOSED", "该订单已关闭"));
        }
    }
    Ok((
        json!({ "prepay_id": prepay_id }),
        Some(Entry::Prepaid {
            prepay_id,
            order: terms,
        }),
    ))
}

async fn by_number(
    req: HttpRequest,
    number: web::Path<String>,
    sandbox: web::Data<Sandbox>,
) -> HttpResponse {
    let number = number.into_inner();
    let found = find(&req, &sandbox, move |order| {
        order.terms.out_trade_no == number
    });
    sandbox.signed_for(&req, found.await)
}

async fn by_transaction(
    req: HttpRequest,
    number: web::Path<String>,
    sandbox: web::Data<Sandbox>,
) -> HttpResponse {
    let number = number.into_inner();
    let found = find(&req, &sandbox, move |order| {
        order
            .payment
            .as_ref()
            .is_some_and(|p| p.transaction_id == number)
    });
    sandbox.signed_for(&req, found.await)
}

async fn find(
    req: &HttpRequest,
    sandbox: &Sandbox,
    wanted: impl Fn(&Order) -> bool + Send + 'static,
) -> Answer {
    sandbox.check_merchant(req, b"")?;
    if req.query_string() != format!("mchid={MCHID}") {
        return Err(PARAM);
    }
    let read = move |book: &Book| {
        let order = book
            .orders
            .values()
            .find(|order| wanted(order))
            .ok_or(NO_ORDER)?;
        Ok((
            transaction(
                order,
                order.payment.as_ref(),
                order.state(),
                order.terms.total,
            ),
            None,
        ))
    };
    sandbox.change(read).await
}

#[derive(Deserialize)]
struct CloseIn {
    mchid: String,
}

async fn close(
    req: HttpRequest,
    number: web::Path<String>,
    body: web::Bytes,
    sandbox: web::Data<Sandbox>,
) -> HttpResponse {
    let outcome = async {
        sandbox.check_merchant(&req, &body)?;
        let input: CloseIn = serde_json::from_slice(&body).map_err(|_| PARAM)?;
        if input.mchid != MCHID {
            return Err(PARAM);
        }
        let out_trade_no = number.into_inner();
        let decide = move |book: &Book| {
            let order = book.orders.get(&out_trade_no).ok_or(NO_ORDER)?;
            if order.payment.is_some() {
                return Err(Refusal::new(400, "ORDERPAID", "该订单已支付"));
            }
            Ok((
                Value::Null,
                (!order.closed).then_some(Entry::Closed { out_trade_no }),
            ))
        };
        sandbox.change(decide).await
    };
    sandbox.signed_for(&req, outcome.await)
}

#[derive(Deserialize)]
struct RefundIn {
    out_trade_no: Option<String>,
    transaction_id: Option<String>,
    out_refund_no: String,
    reason: Option<String>,
    notify_url: Option<String>,
    amount: RefundAmountIn,
}

#[derive(Deserialize)]
struct RefundAmountIn {
    refund: i64,
    total: i64,
    currency: String,
}

async fn refund(req: HttpRequest, body: web::Bytes, sandbox: web::Data<Sandbox>) -> HttpResponse {
    let outcome = async {
        sandbox.check_merchant(&req, &body)?;
        let input: RefundIn = serde_json::from_slice(&body).map_err(|_| PARAM)?;
        let (refund_id, now) = (format!("503{}", digits(26)?), sandbox.inner.env.now());
        let (answer, fresh) = sandbox
            .change(move |book| give_back(book, input, refund_id, now))
            .await?;
        if let Some(fresh) = fresh {
            sandbox.announce(&fresh);
        }
        Ok(answer)
    };
    sandbox.signed_for(&req, outcome.await)
}

type Given = ((Value, Option<Refunded>), Option<Entry>);

/// The same number pays once; the sum of all refunds stays within what was paid.
fn give_back(
    book: &Book,
    input: RefundIn,
    refund_id: String,
    now: DateTime<Utc>,
) -> Result<Given, Refusal> {
    let named = |order: &&Order| {
        input
            .out_trade_no
            .as_ref()
            .is_some_and(|number| *number == order.terms.out_trade_no)
            || input
                .transaction_id
                .as_ref()
                .zip(order.payment.as_ref())
                .is_some_and(|(id, p)| *id == p.transaction_id)
    };
    let order = book.orders.values().find(named).ok_or(Refusal::new(
        404,
        "RESOURCE_NOT_EXISTS",
        "订单不存在",
    ))?;
    let payment =
        order
            .payment
            .as_ref()
            .ok_or(Refusal::new(400, "INVALID_REQUEST", "订单未支付"))?;
    let number = (1..=64).contains(&input.out_refund_no.len());
    if !number
        || input.amount.refund < 1
        || input.amount.currency != "CNY"
        || input.amount.total != order.terms.total
    {
        return Err(PARAM);
    }
    if let Some(known) = book.refunds.get(&input.out_refund_no) {
        let same =
            known.out_trade_no == order.terms.out_trade_no && known.refund == input.amount.refund;
        return if same {
            Ok(((refund_object(known, "SUCCESS"), None), None))
        } else {
            Err(OTHER_VALUES)
        };
    }
    if order
        .refunded
        .checked_add(input.amount.refund)
        .is_none_or(|sum| sum > order.terms.total)
    {
        return Err(Refusal::new(
            400,
            "INVALID_REQUEST",
            "申请退款金额大于订单可退金额",
        ));
    }
    let refund = Refunded {
        out_refund_no: input.out_refund_no,
        out_trade_no: order.terms.out_trade_no.clone(),
        transaction_id: payment.transaction_id.clone(),
        refund_id,
        refund: input.amount.refund,
        total: order.terms.total,
        reason: input.reason,
        notify_url: input.notify_url,
        at: now,
    };
    // WeChat's first answer is never the end; the notification or a query is.
    let answer = refund_object(&refund, "PROCESSING");
    Ok((
        (answer, Some(refund.clone())),
        Some(Entry::Refunded { refund }),
    ))
}

async fn refund_query(
    req: HttpRequest,
    number: web::Path<String>,
    sandbox: web::Data<Sandbox>,
) -> HttpResponse {
    let outcome = async {
        sandbox.check_merchant(&req, b"")?;
        let number = number.into_inner();
        let read = move |book: &Book| {
            let refund = book.refunds.get(&number).ok_or(Refusal::new(
                404,
                "RESOURCE_NOT_EXISTS",
                "退款单不存在",
            ))?;
            Ok((refund_object(refund, "SUCCESS"), None))
        };
        sandbox.change(read).await
    };
    sandbox.signed_for(&req, outcome.await)
}

fn refund_object(refund: &Refunded, status: &str) -> Value {
    let mut object = json!({
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "transaction_id": refund.transaction_id,
        "out_trade_no": refund.out_trade_no,
        "channel": "ORIGINAL",
        "user_received_account": "支付用户零钱",
        "create_time": beijing(refund.at),
        "status": status,
        "amount": {
            "total": refund.total, "refund": refund.refund,
            "payer_total": refund.total, "payer_refund": refund.refund,
            "settlement_refund": refund.refund, "settlement_total": refund.total,
            "discount_refund": 0, "currency": "CNY",
        },
    });
    if let Some(fields) = object.as_object_mut().filter(|_| status == "SUCCESS") {
        fields.insert("success_time".into(), beijing(refund.at).into());
    }
    object
}

/// `count` random decimal digits.
pub(super) fn digits(count: usize) -> Result<String, Refusal> {
    let mut bytes = vec![0_u8; count];
    rand::fill(&mut bytes).map_err(|_| Refusal::new(500, "SYSTEM_ERROR", "系统异常"))?;
    Ok(bytes
        .iter()
        .map(|byte| char::from(b'0' + byte % 10))
        .collect())
}
