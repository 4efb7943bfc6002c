//! A day's trade bill, made from the journal (spec 2.8): applied for signed, fetched unsigned, proved by its hash.

use super::{
    APPID, MCHID, Sandbox,
    book::{Book, Order, Refunded},
    seal::Refusal,
};
use crate::kernel::{AppError, business_date, shanghai};
use actix_web::{HttpRequest, HttpResponse, web};
use aws_lc_rs::digest;
use chrono::{DateTime, NaiveDate, Utc};
use flate2::{Compression, write::GzEncoder};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{fmt::Write as _, io::Write as _};

const COLUMNS: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,\
付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,\
手续费,费率,订单金额,申请退款金额,费率备注";
const SUMMARY: &str =
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";
const PARAM: Refusal = Refusal::new(400, "PARAM_ERROR", "参数错误");
const NONE: Refusal = Refusal::new(400, "NO_STATEMENT_EXIST", "账单文件不存在");

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/v3/bill/tradebill", web::get().to(apply))
        .route("/v3/billdownload/file", web::get().to(download));
}

#[derive(Deserialize)]
struct ApplyIn {
    bill_date: NaiveDate,
    bill_type: Option<String>,
    tar_type: Option<String>,
}

async fn apply(req: HttpRequest, sandbox: web::Data<Sandbox>) -> HttpResponse {
    let outcome = async {
        sandbox.check_merchant(&req, b"")?;
        let input = web::Query::<ApplyIn>::from_query(req.query_string()).map_err(|_| PARAM)?;
        if input.bill_type.as_deref().is_some_and(|kind| kind != "ALL")
            || input.tar_type.as_deref() != Some("GZIP")
            || input.bill_date >= business_date(sandbox.inner.env.now())
        {
            return Err(PARAM);
        }
        let csv = sandbox.csv(input.bill_date).await?.ok_or(NONE)?;
        let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, csv.as_bytes());
        Ok(json!({
            "hash_type": "SHA1",
            "hash_value": hex::encode(hash),
            "download_url": format!(
                "http://{}/v3/billdownload/file?token={}&tartype=gzip",
                sandbox.inner.address, sandbox.bill_token(input.bill_date)
            ),
        }))
    };
    sandbox.signed_for(&req, outcome.await)
}

#[derive(Deserialize)]
struct DownloadIn {
    token: String,
}

/// The file: signed for, not signed.
async fn download(req: HttpRequest, sandbox: web::Data<Sandbox>) -> HttpResponse {
    let outcome = async {
        sandbox.check_merchant(&req, b"")?;
        let input = web::Query::<DownloadIn>::from_query(req.query_string()).map_err(|_| PARAM)?;
        let day = input
            .token
            .split('.')
            .next()
            .and_then(|day| day.parse::<NaiveDate>().ok())
            .filter(|day| sandbox.bill_token(*day) == input.token)
            .ok_or(PARAM)?;
        let csv = sandbox.csv(day).await?.ok_or(NONE)?;
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed
            .write_all(csv.as_bytes())
            .and_then(|()| packed.finish())
            .map_err(|error| Refusal::from(AppError::internal(error)))
    };
    match outcome.await {
        Ok(packed) => HttpResponse::Ok()
            .content_type("application/x-gzip")
            .body(packed),
        Err(refusal) => sandbox.signed(Err::<Value, _>(refusal)),
    }
}

impl Sandbox {
    fn bill_token(&self, day: NaiveDate) -> String {
        let secret = &self.inner.secrets.app_secret;
        let hash = digest::digest(&digest::SHA256, format!("bill {day} {secret}").as_bytes());
        format!("{day}.{}", hex::encode(hash))
    }

    async fn csv(&self, day: NaiveDate) -> Result<Option<String>, Refusal> {
        self.change(move |book| Ok((csv(book, day), None))).await
    }
}

/// One trade of the day, ready to be written.
struct Line<'a> {
    at: DateTime<Utc>,
    order: &'a Order,
    transaction_id: &'a str,
    refund: Option<&'a Refunded>,
}

fn csv(book: &Book, day: NaiveDate) -> Option<String> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for order in book.orders.values() {
        if let Some(paid) = order
            .payment
            .as_ref()
            .filter(|paid| business_date(paid.at) == day)
        {
            lines.push(Line {
                at: paid.at,
                order,
                transaction_id: &paid.transaction_id,
                refund: None,
            });
        }
    }
    for refund in book
        .refunds
        .values()
        .filter(|refund| business_date(refund.at) == day)
    {
        if let Some(order) = book.orders.get(&refund.out_trade_no) {
            lines.push(Line {
                at: refund.at,
                order,
                transaction_id: &refund.transaction_id,
                refund: Some(refund),
            });
        }
    }
    if lines.is_empty() {
        return None;
    }
    lines.sort_by(|a, b| (a.at, a.transaction_id).cmp(&(b.at, b.transaction_id)));
    let mut text = format!("\u{feff}{COLUMNS}\r\n");
    let (mut paid, mut back, mut fees) = (0_i64, 0_i64, 0_i64);
    for line in &lines {
        let (total, refund) = line
            .refund
            .map_or((line.order.terms.total, 0), |refund| (0, refund.refund));
        let fee = fee_of(total).saturating_sub(fee_of(refund));
        (paid, back, fees) = (
            paid.saturating_add(total),
            back.saturating_add(refund),
            fees.saturating_add(fee),
        );
        text.push_str(&row(line, total, refund, fee));
    }
    let count = lines.len();
    let (paid, back) = (yuan(paid), yuan(back));
    // Writing to a String cannot fail.
    let _never_fails = write!(
        text,
        "{SUMMARY}\r\n`{count},`{paid},`{back},`0.00,`{}000,`{paid},`{back}\r\n",
        yuan(fees)
    );
    Some(text)
}

fn row(line: &Line<'_>, total: i64, refund: i64, fee: i64) -> String {
    let terms = &line.order.terms;
    let at = line
        .at
        .with_timezone(&shanghai())
        .format("%Y-%m-%d %H:%M:%S")
        .to_string();
    let (state, refund_id, out_refund_no, kind, done) = match line.refund {
        Some(one) => (
            "REFUND",
            one.refund_id.as_str(),
            one.out_refund_no.as_str(),
            "ORIGINAL",
            "SUCCESS",
        ),
        None => ("SUCCESS", "0", "0", "", ""),
    };
    let (total, refund, fee) = (yuan(total), yuan(refund), format!("{}000", yuan(fee)));
    let values = [
        &at,
        APPID,
        MCHID,
        "0",
        "",
        line.transaction_id,
        &terms.out_trade_no,
        &terms.openid,
        "JSAPI",
        state,
        "OTHERS",
        "CNY",
        &total,
        "0.00",
        refund_id,
        out_refund_no,
        &refund,
        "0.00",
        kind,
        done,
        &terms.description,
        terms.attach.as_deref().unwrap_or_default(),
        &fee,
        "0.60%",
        &total,
        &refund,
        "",
    ];
    format!("`{}\r\n", values.join(",`"))
}

/// WeChat's 0.6 %, to the fen.
fn fee_of(fen: i64) -> i64 {
    fen.saturating_mul(6).saturating_add(500) / 1_000
}

fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    let fen = fen.unsigned_abs();
    format!("{sign}{}.{:02}", fen / 100, fen % 100)
}
