//! Orders: prepay, the client's parameters, query, close (spec 2.3, 2.5).

use super::{WechatClient, key::nonce, number, pay::PayCall};
use crate::kernel::{AppError, Result, shanghai};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Value, json};

/// An order to be paid in the mini-program.
#[derive(Clone)]
pub struct Prepay {
    /// Our number, 6 to 32 of `0-9A-Za-z_-|*`; entering again with it needs the same values.
    pub out_trade_no: String,
    /// What the payer reads, at most 127 characters.
    pub description: String,
    /// Fen, at least 1.
    pub amount_fen: i64,
    /// The payer, taken from his login, never from a request body.
    pub openid: String,
    /// Comes back with the notification, at most 128 characters.
    pub attach: Option<String>,
    /// Until when it may be paid; 7 days when unsaid.
    pub time_expire: Option<DateTime<Utc>>,
}

/// What `wx.requestPayment` takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PayParams {
    /// Seconds since 1970, as text.
    pub time_stamp: String,
    /// Random text.
    pub nonce_str: String,
    /// `prepay_id=…`.
    pub package: String,
    /// Always `RSA`.
    pub sign_type: String,
    /// The merchant's signature, base64.
    pub pay_sign: String,
}

/// Where an order stands at WeChat Pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TradeState {
    /// Paid.
    Success,
    /// Paid, and at least partly refunded.
    Refund,
    /// Not paid yet.
    Notpay,
    /// Closed; cannot be paid.
    Closed,
    /// Revoked at a counter.
    Revoked,
    /// The payer is typing his password.
    Userpaying,
    /// The payment failed.
    Payerror,
    /// A state newer than this program.
    #[serde(other)]
    Other,
}

/// A payment as WeChat Pay tells it, by notification or query. No Debug: it names the payer.
#[derive(Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Our number.
    pub out_trade_no: String,
    /// WeChat's number; unique.
    pub transaction_id: String,
    /// A notification says `TRANSACTION.SUCCESS`, but only this says paid.
    pub trade_state: TradeState,
    /// The order's total, fen: what is compared with ours.
    pub total_fen: i64,
    /// What the payer paid after WeChat's own discounts, fen.
    pub payer_total_fen: Option<i64>,
    /// `CNY`.
    pub currency: String,
    /// The payer.
    pub openid: Option<String>,
    /// What we attached to the order.
    pub attach: Option<String>,
    /// When it was paid.
    pub success_time: Option<DateTime<Utc>>,
}

/// The answer to a query.
#[derive(Clone, PartialEq, Eq)]
pub struct OrderAnswer {
    /// Where the order stands.
    pub state: TradeState,
    /// The payment, once there is one.
    pub transaction: Option<Transaction>,
}

/// The transaction object of the wire; before payment most of it is missing.
#[derive(Deserialize)]
pub(super) struct TransactionWire {
    pub(super) mchid: String,
    pub(super) appid: String,
    out_trade_no: String,
    transaction_id: Option<String>,
    trade_state: TradeState,
    attach: Option<String>,
    success_time: Option<DateTime<Utc>>,
    payer: Option<PayerWire>,
    amount: Option<AmountWire>,
}

#[derive(Deserialize)]
struct PayerWire {
    openid: Option<String>,
}

#[derive(Deserialize)]
struct AmountWire {
    total: i64,
    payer_total: Option<i64>,
    currency: Option<String>,
}

impl TransactionWire {
    /// The payment; `None` before there is one.
    pub(super) fn payment(self) -> Option<Transaction> {
        let amount = self.amount?;
        Some(Transaction {
            out_trade_no: self.out_trade_no,
            transaction_id: self.transaction_id.filter(|id| !id.is_empty())?,
            trade_state: self.trade_state,
            total_fen: amount.total,
            payer_total_fen: amount.payer_total,
            currency: amount.currency.unwrap_or_default(),
            openid: self.payer.and_then(|payer| payer.openid),
            attach: self.attach.filter(|attach| !attach.is_empty()),
            success_time: self.success_time,
        })
    }
}

#[derive(Deserialize)]
struct PrepayWire {
    prepay_id: String,
}

impl WechatClient {
    /// Opens the order and gives a prepay id (good for 2 h). The same values again give a new one.
    ///
    /// # Errors
    /// `conflict` when the number was used with other values or is paid, `invalid_state` when the order is closed,
    /// `unavailable` when the outcome is unknown: enter again with the same number.
    pub async fn prepay_jsapi(&self, order: &Prepay) -> Result<String> {
        number::fits(number::is_out_trade_no(&order.out_trade_no))?;
        let settings = &self.inner.settings;
        let mut body = json!({
            "appid": settings.appid,
            "mchid": settings.mchid,
            "description": order.description,
            "out_trade_no": order.out_trade_no,
            "notify_url": self.notify_url(),
            "amount": { "total": order.amount_fen, "currency": "CNY" },
            "payer": { "openid": order.openid },
        });
        if let Some(fields) = body.as_object_mut() {
            fields.extend(
                order
                    .attach
                    .clone()
                    .map(|attach| ("attach".to_owned(), Value::from(attach))),
            );
            fields.extend(
                order
                    .time_expire
                    .map(|at| ("time_expire".to_owned(), Value::from(beijing(at)))),
            );
        }
        let call = PayCall::post(&["v3", "pay", "transactions", "jsapi"], &body);
        let answer: PrepayWire = self.pay_again(&call).await?;
        Ok(answer.prepay_id)
    }

    /// Signs what the mini-program hands to `wx.requestPayment`.
    ///
    /// # Errors
    /// `internal` when the machine has no randomness.
    pub fn pay_params(&self, prepay_id: &str) -> Result<PayParams> {
        let nonce = nonce().map_err(AppError::internal)?;
        self.pay_params_at(
            prepay_id,
            &self.inner.env.now().timestamp().to_string(),
            &nonce,
        )
    }

    /// [`Self::pay_params`] for a given time and nonce.
    pub(super) fn pay_params_at(
        &self,
        prepay_id: &str,
        timestamp: &str,
        nonce: &str,
    ) -> Result<PayParams> {
        let package = format!("prepay_id={prepay_id}");
        let message = pay_message(&self.inner.settings.appid, timestamp, nonce, &package);
        Ok(PayParams {
            time_stamp: timestamp.to_owned(),
            nonce_str: nonce.to_owned(),
            package,
            sign_type: "RSA".into(),
            pay_sign: self
                .inner
                .merchant_key
                .sign(message.as_bytes())
                .map_err(AppError::internal)?,
        })
    }

    /// Asks where an order stands: the truth when no notification came.
    ///
    /// # Errors
    /// `not_found` when WeChat never saw the number, `unavailable` when there is no answer to trust.
    pub async fn query_order(&self, out_trade_no: &str) -> Result<OrderAnswer> {
        number::fits(number::is_out_trade_no(out_trade_no))?;
        let query = vec![("mchid", self.inner.settings.mchid.clone())];
        let call = PayCall::get(
            &["v3", "pay", "transactions", "out-trade-no", out_trade_no],
            query,
        );
        let answer: TransactionWire = self.pay_again(&call).await?;
        if answer.out_trade_no != out_trade_no {
            return Err(AppError::internal(
                "WeChat Pay answered about another order",
            ));
        }
        Ok(OrderAnswer {
            state: answer.trade_state,
            transaction: answer.payment(),
        })
    }

    /// Asks about one payment by WeChat's number: an order that was paid twice has two.
    ///
    /// # Errors
    /// As [`Self::query_order`].
    pub async fn query_transaction(&self, transaction_id: &str) -> Result<OrderAnswer> {
        let query = vec![("mchid", self.inner.settings.mchid.clone())];
        let call = PayCall::get(&["v3", "pay", "transactions", "id", transaction_id], query);
        let answer: TransactionWire = self.pay_again(&call).await?;
        let (state, transaction) = (answer.trade_state, answer.payment());
        if transaction
            .as_ref()
            .is_some_and(|paid| paid.transaction_id != transaction_id)
        {
            return Err(AppError::internal(
                "WeChat Pay answered about another payment",
            ));
        }
        Ok(OrderAnswer { state, transaction })
    }

    /// Closes an unpaid order, so that it cannot be paid any more. Closing twice is fine.
    ///
    /// # Errors
    /// `conflict` when it is paid (query it), `not_found`, `unavailable` when the outcome is unknown.
    pub async fn close_order(&self, out_trade_no: &str) -> Result<()> {
        number::fits(number::is_out_trade_no(out_trade_no))?;
        let body = json!({ "mchid": self.inner.settings.mchid });
        let call = PayCall::post(
            &[
                "v3",
                "pay",
                "transactions",
                "out-trade-no",
                out_trade_no,
                "close",
            ],
            &body,
        );
        self.pay_again::<IgnoredAny>(&call).await?;
        Ok(())
    }
}

/// What the merchant signs for the mini-program.
pub(super) fn pay_message(appid: &str, timestamp: &str, nonce: &str, package: &str) -> String {
    format!("{appid}\n{timestamp}\n{nonce}\n{package}\n")
}

/// RFC 3339 with +08:00, as WeChat Pay writes times.
pub(super) fn beijing(at: DateTime<Utc>) -> String {
    at.with_timezone(&shanghai())
        .to_rfc3339_opts(SecondsFormat::Secs, false)
}
