//! Refunds (spec 2.6).

use super::{WechatClient, number, pay::PayCall};
use crate::kernel::{AppError, Result};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

/// A refund of an order, whole or in part.
#[derive(Clone)]
pub struct Refund {
    /// Which payment.
    pub of: RefundOf,
    /// The refund's number, at most 64; entering again with it needs the same values and pays once.
    pub out_refund_no: String,
    /// What goes back, fen.
    pub refund_fen: i64,
    /// The order's total, fen.
    pub total_fen: i64,
    /// What the payer reads, at most 80 characters.
    pub reason: Option<String>,
}

/// How a refund names its payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundOf {
    /// By our order: its one payment.
    Order(String),
    /// By WeChat's number: the only way to name a payment that came in beside the order's own.
    Transaction(String),
}

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundStatus {
    /// Accepted, on its way.
    Processing,
    /// The payer has it.
    Success,
    /// Not paid out (no funds for 7 days): a new number is needed.
    Closed,
    /// The payer's account does not take it: a person must act.
    Abnormal,
    /// A state newer than this program.
    #[serde(other)]
    Other,
}

/// WeChat Pay's answer about a refund.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RefundAnswer {
    /// Where it stands; `Processing` is no promise yet.
    pub status: RefundStatus,
    /// WeChat's number.
    pub refund_id: String,
    /// Our number again.
    pub out_refund_no: String,
    /// When the payer got it.
    #[serde(default)]
    pub success_time: Option<DateTime<Utc>>,
}

impl WechatClient {
    /// Asks for a refund once. On an unknown outcome query first, then enter again with the same number and values.
    ///
    /// # Errors
    /// `conflict` for other values under the number or more than was paid, `not_found` for an unknown order,
    /// `unavailable` when funds lack or the outcome is unknown.
    pub async fn refund(&self, refund: &Refund) -> Result<RefundAnswer> {
        number::fits(number::is_out_refund_no(&refund.out_refund_no))?;
        let mut body = json!({
            "out_refund_no": refund.out_refund_no,
            "notify_url": self.notify_url(),
            "amount": { "refund": refund.refund_fen, "total": refund.total_fen, "currency": "CNY" },
        });
        if let Some(body) = body.as_object_mut() {
            match &refund.of {
                RefundOf::Order(number) => {
                    body.insert("out_trade_no".into(), number.clone().into())
                }
                RefundOf::Transaction(id) => {
                    body.insert("transaction_id".into(), id.clone().into())
                }
            };
        }
        if let (Some(reason), Some(body)) = (&refund.reason, body.as_object_mut()) {
            body.insert(
                "reason".into(),
                Value::from(reason.chars().take(80).collect::<String>()),
            );
        }
        let call = PayCall::post(&["v3", "refund", "domestic", "refunds"], &body);
        about(&refund.out_refund_no, self.pay_once(&call).await?)
    }

    /// Asks where a refund stands.
    ///
    /// # Errors
    /// `not_found` when WeChat never saw the number, `unavailable` when there is no answer to trust.
    pub async fn query_refund(&self, out_refund_no: &str) -> Result<RefundAnswer> {
        let call = PayCall::get(
            &["v3", "refund", "domestic", "refunds", out_refund_no],
            Vec::new(),
        );
        about(out_refund_no, self.pay_again(&call).await?)
    }
}

fn about(out_refund_no: &str, answer: RefundAnswer) -> Result<RefundAnswer> {
    if answer.out_refund_no == out_refund_no {
        Ok(answer)
    } else {
        Err(AppError::internal(
            "WeChat Pay answered about another refund",
        ))
    }
}
