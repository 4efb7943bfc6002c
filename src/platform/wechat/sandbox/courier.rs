//! Delivering notifications, whole or with a trouble in them.

use super::{
    APPID, MCHID, Sandbox,
    book::{Order, Payment, Refunded},
    post::Parcel,
};
use crate::kernel::{AppError, Result};
use crate::platform::wechat::order::beijing;
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Client, redirect::Policy};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// WeChat waits 5 s; a busy development machine gets a little more.
const PATIENCE: Duration = Duration::from_secs(15);
/// Ten minutes: twice what a receiver may accept.
const STALE_SECONDS: i64 = -600;

/// What is wrong with a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// One bit of the signature is flipped.
    BadSignature,
    /// WeChat's own probe: a signature that starts with `WECHATPAY/SIGNTEST/`.
    Probe,
    /// Rightly signed ten minutes ago.
    Stale,
    /// One bit of the body is flipped after signing.
    Body,
    /// One bit of the ciphertext is flipped before signing.
    Ciphertext,
    /// A key id nobody knows.
    UnknownSerial,
}

/// The courier's own HTTP client: bounded, without redirects.
pub(super) fn http() -> Result<Client> {
    let builder = || {
        Client::builder()
            .user_agent("linjian-wechat-sandbox")
            .connect_timeout(Duration::from_secs(3))
            .timeout(PATIENCE)
            .redirect(Policy::none())
            .no_proxy()
    };
    // Without root certificates only plain addresses can be reached, which is what a development machine has.
    builder()
        .build()
        .or_else(|_| builder().tls_certs_only([]).build())
        .map_err(AppError::internal)
}

/// One delivery, ready to be sent.
struct Letter {
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Sandbox {
    /// The body of a `TRANSACTION.SUCCESS` notification; `total` may lie about the amount.
    pub(super) fn payment_notice(
        &self,
        order: &Order,
        payment: &Payment,
        total: i64,
        trouble: Option<Trouble>,
    ) -> Result<Vec<u8>> {
        let plain = transaction(order, Some(payment), "SUCCESS", total);
        let resource =
            self.resource("transaction", &plain, trouble == Some(Trouble::Ciphertext))?;
        Ok(self.envelope("TRANSACTION.SUCCESS", "支付成功", &resource))
    }

    fn envelope(&self, event: &str, summary: &str, resource: &Value) -> Vec<u8> {
        let envelope = json!({
            "id": self.inner.env.id::<Uuid>(),
            "create_time": beijing(self.inner.env.now()),
            "resource_type": "encrypt-resource",
            "event_type": event,
            "summary": summary,
            "resource": resource,
        });
        envelope.to_string().into_bytes()
    }

    fn letter(&self, mut body: Vec<u8>, trouble: Option<Trouble>) -> Result<Letter> {
        let skew = if trouble == Some(Trouble::Stale) {
            STALE_SECONDS
        } else {
            0
        };
        let mut headers = self.signature(&body, skew)?;
        for (name, value) in &mut headers {
            match (trouble, *name) {
                (Some(Trouble::BadSignature), "Wechatpay-Signature") => *value = flipped(value),
                (Some(Trouble::Probe), "Wechatpay-Signature") => {
                    *value = format!("WECHATPAY/SIGNTEST/{value}");
                }
                (Some(Trouble::UnknownSerial), "Wechatpay-Serial") => {
                    *value = "PUB_KEY_ID_SANDBOX_NOBODY".into();
                }
                _ => {}
            }
        }
        if trouble == Some(Trouble::Body) {
            let middle = body.len() / 2;
            if let Some(byte) = body.get_mut(middle) {
                *byte ^= 1;
            }
        }
        Ok(Letter { headers, body })
    }

    /// Signs and sends one copy; the receiver's status, or 0 when there was no answer.
    pub(super) async fn deliver(
        &self,
        notify_url: &str,
        body: Vec<u8>,
        trouble: Option<Trouble>,
    ) -> Result<u16> {
        let letter = self.letter(body, trouble)?;
        let mut request = self
            .inner
            .courier
            .post(notify_url)
            .header("Content-Type", "application/json");
        for (name, value) in letter.headers {
            request = request.header(name, value);
        }
        match request.body(letter.body).send().await {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(error) => {
                tracing::info!(error = %error.without_url(), "a sandbox notification got no answer");
                Ok(0)
            }
        }
    }

    /// Tells the end of a refund, again after each failure until the ladder ends.
    pub(super) fn announce(&self, refund: &Refunded) {
        let Some(url) = refund.notify_url.clone() else {
            return;
        };
        let plain = json!({
            "mchid": MCHID,
            "out_trade_no": refund.out_trade_no,
            "transaction_id": refund.transaction_id,
            "out_refund_no": refund.out_refund_no,
            "refund_id": refund.refund_id,
            "refund_status": "SUCCESS",
            "success_time": beijing(refund.at),
            "user_received_account": "支付用户零钱",
            "amount": {
                "total": refund.total, "refund": refund.refund,
                "payer_total": refund.total, "payer_refund": refund.refund,
            },
        });
        let notice = Parcel::Notice {
            url,
            event: "REFUND.SUCCESS",
            summary: "退款成功",
            kind: "refund",
            plain,
        };
        self.post(notice, chrono::Duration::zero());
    }

    /// Tells a payment nobody took, from the first step of the ladder on.
    pub(super) fn announce_payment(&self, order: &Order, payment: &Payment) {
        let notice = Parcel::Notice {
            url: order.terms.notify_url.clone(),
            event: "TRANSACTION.SUCCESS",
            summary: "支付成功",
            kind: "transaction",
            plain: transaction(order, Some(payment), "SUCCESS", order.terms.total),
        };
        self.post(notice, chrono::Duration::seconds(15));
    }

    /// The callback of the going-live self-test (spec 2.9).
    pub(super) fn announce_echo(&self, url: String, message: &str) {
        let notice = Parcel::Notice {
            url,
            event: "SECURITY_ECHO.SUCCESS",
            summary: "回显测试",
            kind: "security_echo",
            plain: json!({ "mchid": MCHID, "echo_message": message }),
        };
        self.post(notice, chrono::Duration::zero());
    }

    /// One try of a notification, sealed and signed anew; whether it was taken.
    pub(super) async fn deliver_notice(&self, parcel: &Parcel, trouble: Option<Trouble>) -> bool {
        let Parcel::Notice {
            url,
            event,
            summary,
            kind,
            plain,
        } = parcel
        else {
            return true;
        };
        let body = self
            .resource(kind, plain, false)
            .map(|resource| self.envelope(event, summary, &resource));
        let taken = match body {
            Ok(body) => self.deliver(url, body, trouble).await,
            Err(error) => Err(error),
        };
        matches!(taken, Ok(200..=299))
    }
}

/// The transaction object of queries and notifications (spec 2.4, 2.5).
pub(super) fn transaction(
    order: &Order,
    payment: Option<&Payment>,
    state: &str,
    total: i64,
) -> Value {
    let mut object = json!({
        "appid": APPID,
        "mchid": MCHID,
        "out_trade_no": order.terms.out_trade_no,
        "trade_state": state,
        "trade_state_desc": match state {
            "SUCCESS" => "支付成功",
            "REFUND" => "转入退款",
            "CLOSED" => "已关闭",
            _ => "订单未支付",
        },
        "attach": order.terms.attach.clone().unwrap_or_default(),
        "amount": { "total": total, "currency": "CNY" },
    });
    if let (Some(payment), Some(fields)) = (payment, object.as_object_mut()) {
        fields.insert(
            "transaction_id".into(),
            payment.transaction_id.clone().into(),
        );
        fields.insert("trade_type".into(), "JSAPI".into());
        fields.insert("bank_type".into(), "OTHERS".into());
        fields.insert("success_time".into(), beijing(payment.at).into());
        fields.insert("payer".into(), json!({ "openid": order.terms.openid }));
        let amount = json!({ "total": total, "payer_total": total, "currency": "CNY", "payer_currency": "CNY" });
        fields.insert("amount".into(), amount);
    }
    object
}

/// The same signature with its first bit flipped, still base64 of the same length.
fn flipped(signature: &str) -> String {
    let mut bytes = STANDARD.decode(signature).unwrap_or_default();
    if let Some(byte) = bytes.first_mut() {
        *byte ^= 0x80;
    }
    STANDARD.encode(bytes)
}
