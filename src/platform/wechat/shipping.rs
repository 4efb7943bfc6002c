//! Telling WeChat that a paid service was given (发货信息管理, spec 1.9): until then it may keep the money.

use super::{WechatClient, fault::ApiFault, fault::busy};
use crate::kernel::{Result, shanghai};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

/// Longest description of what was given, characters.
const ITEM_CHARS: usize = 120;
/// Nothing is sent by parcel: the service was given on the spot.
const ON_THE_SPOT: u8 = 3;
/// One delivery, not several.
const UNIFIED: u8 = 1;
/// The order is named by WeChat's own number.
const BY_TRANSACTION: u8 = 2;
/// The order is not in a state that can be shipped.
const NOT_SHIPPABLE: i64 = 10_060_004;
/// It was reported before, or its one change is used up (unverified): either way WeChat knows.
const KNOWN_BEFORE: [i64; 2] = [10_060_002, 10_060_003];

/// A service that was given.
#[derive(Clone, Copy)]
pub struct Shipped<'a> {
    /// WeChat's number of the payment.
    pub transaction_id: &'a str,
    /// What was given; cut at 120 characters.
    pub item: &'a str,
    /// When it was reported first; the same at each try.
    pub at: DateTime<Utc>,
    /// Who paid.
    pub openid: &'a str,
}

/// What WeChat says to a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShippingOutcome {
    /// Taken, now or before.
    Taken,
    /// The order cannot be shipped (refunded, or not under management): a person looks, nobody tries again.
    NotShippable,
}

impl WechatClient {
    /// Whether WeChat manages the trades of this mini-program, so that fulfilment must be reported.
    ///
    /// # Errors
    /// `unavailable` when busy, `internal` when refused.
    pub async fn is_trade_managed(&self) -> Result<bool> {
        let body = json!({ "appid": self.inner.settings.appid });
        let answer = self.sec_order("is_trade_managed", &body).await??;
        answer
            .get("is_trade_managed")
            .and_then(Value::as_bool)
            .ok_or_else(|| busy(60).because("is_trade_managed without an answer"))
    }

    /// Reports one payment's service as given. The same report again is harmless.
    ///
    /// # Errors
    /// `unavailable` when busy: report again later.
    pub async fn upload_shipping_info(&self, shipped: &Shipped<'_>) -> Result<ShippingOutcome> {
        let item: String = shipped.item.chars().take(ITEM_CHARS).collect();
        let at = shipped
            .at
            .with_timezone(&shanghai())
            .to_rfc3339_opts(SecondsFormat::Millis, false);
        let body = json!({
            "order_key": { "order_number_type": BY_TRANSACTION, "transaction_id": shipped.transaction_id },
            "logistics_type": ON_THE_SPOT,
            "delivery_mode": UNIFIED,
            // Exactly one, as the unified mode wants it.
            "shipping_list": [{ "item_desc": item }],
            "upload_time": at,
            "payer": { "openid": shipped.openid },
        });
        match self.sec_order("upload_shipping_info", &body).await? {
            Ok(_) => Ok(ShippingOutcome::Taken),
            Err(fault) if fault.code == NOT_SHIPPABLE => Ok(ShippingOutcome::NotShippable),
            Err(fault) if KNOWN_BEFORE.contains(&fault.code) => Ok(ShippingOutcome::Taken),
            Err(fault) => Err(fault.into()),
        }
    }

    async fn sec_order(&self, call: &str, body: &Value) -> Result<Result<Value, ApiFault>> {
        let path = format!("/wxa/sec/order/{call}");
        let (_, bytes) = self.with_token(&path, body).await?;
        let answer: Value =
            serde_json::from_slice(&bytes).map_err(|error| busy(1).because(error))?;
        Ok(ApiFault::of(&answer).map_or(Ok(answer), Err))
    }
}
