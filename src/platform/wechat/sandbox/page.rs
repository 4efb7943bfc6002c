//! The sandbox's pages: self-contained, no outside resources, scripts and styles only by nonce.

use super::book::{Order, SandboxMessage, Sent};
use crate::kernel::{AppError, Result, shanghai};
use crate::platform::wechat::key::nonce;
use actix_web::{HttpResponse, http::header};
use std::fmt::Write;

const CASHIER: &str = include_str!("cashier.html");
const INBOX: &str = include_str!("inbox.html");
const ADMIN: &str = include_str!("admin.html");
const TRANSFER: &str = include_str!("transfer.html");

/// The cashier of one order.
pub(super) fn cashier(order: &Order, prepay_id: &str) -> Result<HttpResponse> {
    let total = order.terms.total;
    let paid = state(order);
    answer(
        CASHIER,
        &[
            ("{{description}}", &escape(&order.terms.description)),
            ("{{amount}}", &format!("{}.{:02}", total / 100, total % 100)),
            ("{{state}}", paid),
            ("{{prepay_id}}", &escape(prepay_id)),
        ],
    )
}

fn state(order: &Order) -> &'static str {
    match order.state() {
        "NOTPAY" => "待支付",
        "CLOSED" => "已关闭",
        "REFUND" => "已退款",
        _ => "已支付",
    }
}

/// All orders, newest first, and the switches.
pub(super) fn admin(orders: &[Order]) -> Result<HttpResponse> {
    let yuan = |fen: i64| format!("{}.{:02}", fen / 100, fen % 100);
    let mut rows = String::new();
    for order in orders {
        let (number, about) = (
            escape(&order.terms.out_trade_no),
            escape(&order.terms.description),
        );
        let (total, back) = (yuan(order.terms.total), yuan(order.refunded));
        let _never_fails = write!(
            rows,
            "<tr><td>{number}</td><td>{about}</td><td>¥{total}</td><td>{}</td><td>¥{back}</td></tr>",
            state(order)
        );
    }
    if rows.is_empty() {
        rows.push_str("<tr><td colspan=\"5\">还没有订单</td></tr>");
    }
    answer(ADMIN, &[("{{rows}}", &rows)])
}

/// The page on which a person confirms a transfer.
pub(super) fn transfer(sent: &Sent, state: &str) -> Result<HttpResponse> {
    let word = match state {
        "WAIT_USER_CONFIRM" => "待确认收款",
        "SUCCESS" => "已收款",
        "CANCELLED" => "已撤销",
        _ => "已失效",
    };
    answer(
        TRANSFER,
        &[
            ("{{remark}}", &escape(&sent.remark)),
            (
                "{{amount}}",
                &format!("{}.{:02}", sent.amount / 100, sent.amount % 100),
            ),
            ("{{state}}", word),
            ("{{package}}", &escape(&sent.package)),
        ],
    )
}

/// All messages, newest first.
pub(super) fn inbox(messages: &[SandboxMessage]) -> Result<HttpResponse> {
    let mut rows = String::new();
    for message in messages.iter().rev() {
        let values = message
            .data
            .iter()
            .fold(String::new(), |mut all, (key, value)| {
                // Writing to a String cannot fail.
                let _never_fails =
                    write!(all, "<div><b>{}</b> {}</div>", escape(key), escape(value));
                all
            });
        let at = message
            .at
            .with_timezone(&shanghai())
            .format("%Y-%m-%d %H:%M:%S");
        let page = escape(message.page.as_deref().unwrap_or("—"));
        let (openid, template) = (escape(&message.openid), escape(&message.template_id));
        let _never_fails = write!(
            rows,
            "<tr><td>{at}</td><td>{openid}</td><td>{template}</td><td>{values}</td><td>{page}</td></tr>"
        );
    }
    if rows.is_empty() {
        rows.push_str("<tr><td colspan=\"5\">还没有消息</td></tr>");
    }
    answer(INBOX, &[("{{rows}}", &rows)])
}

fn answer(template: &str, values: &[(&str, &str)]) -> Result<HttpResponse> {
    let nonce = nonce().map_err(AppError::internal)?;
    let page = template.replace("{{nonce}}", &nonce);
    let page = values
        .iter()
        .fold(page, |page, (name, value)| page.replace(name, value));
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let mut answer = HttpResponse::Ok();
    answer.content_type("text/html; charset=utf-8");
    answer.insert_header((header::CONTENT_SECURITY_POLICY, policy));
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    Ok(answer.body(page))
}

fn escape(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut out, c| {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                // A value that looks like a placeholder must stay a value.
                '{' => out.push_str("&#123;"),
                other => out.push(other),
            }
            out
        })
}
