//! Notifications: proved, then opened, then read (spec 2.2, 2.4).

use super::{
    WechatClient,
    envelope::{self, EnvelopeFault},
    order::{Transaction, TransactionWire},
    refund::RefundStatus,
    transfer::{TransferNotice, TransferWire},
    verify::{Proof, SignatureFault},
};
use crate::kernel::{AppError, Code};
use actix_web::http::header::HeaderMap;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::IgnoredAny};

/// What WeChat Pay tells. No Debug: it names the payer.
#[derive(Clone, PartialEq, Eq)]
pub enum Notification {
    /// A payment; compare its total and look at its state before anything is marked paid.
    Paid(Transaction),
    /// A refund has come to an end, good or bad.
    Refund(RefundNotice),
    /// A transfer has come to an end; only a query makes it ours to believe (spec 2.7).
    Transfer(TransferNotice),
    /// A verified event we do not handle: answer it as taken.
    Other(String),
}

/// The end of a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundNotice {
    /// The order's number.
    pub out_trade_no: String,
    /// WeChat's number of the payment.
    pub transaction_id: String,
    /// The refund's number.
    pub out_refund_no: String,
    /// WeChat's number of the refund.
    pub refund_id: String,
    /// How it ended.
    pub status: RefundStatus,
    /// When the payer got it.
    pub success_time: Option<DateTime<Utc>>,
    /// What went back, fen.
    pub refund_fen: i64,
    /// The order's total, fen.
    pub total_fen: i64,
}

/// Why a notification does not count. Each is answered 4xx with [`WebhookFailure`]; WeChat then sends it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotifyError {
    /// Not proved to be WeChat's; nothing of it was read.
    #[error("signature: {0}")]
    Signature(#[from] SignatureFault),
    /// Proved, but not of the documented form.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// Proved, but its resource does not open with our key.
    #[error("the resource does not open")]
    Decrypt,
    /// Proved and opened, but about another merchant or mini-program: an incident.
    #[error("about another merchant or mini-program")]
    Foreign,
}

/// The body WeChat Pay expects with a 4xx.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct WebhookFailure {
    /// Always `FAIL`.
    pub code: &'static str,
    /// Why, without details.
    pub message: &'static str,
}

impl WebhookFailure {
    /// A failure with this message.
    pub fn new(message: &'static str) -> Self {
        Self {
            code: "FAIL",
            message,
        }
    }
}

impl NotifyError {
    /// Our code: `signature_invalid` (401), `validation` (422) or `payment_mismatch` (409).
    pub fn code(&self) -> Code {
        match self {
            Self::Signature(_) => Code::SignatureInvalid,
            Self::Malformed(_) | Self::Decrypt => Code::Validation,
            Self::Foreign => Code::PaymentMismatch,
        }
    }

    /// The HTTP status to answer, always 4xx.
    pub fn status(&self) -> u16 {
        self.code().status()
    }

    /// The body to answer.
    pub fn failure(&self) -> WebhookFailure {
        WebhookFailure::new(self.code().title())
    }
}

impl From<NotifyError> for AppError {
    fn from(error: NotifyError) -> Self {
        Self::new(error.code(), error.code().title()).because(error)
    }
}

impl From<EnvelopeFault> for NotifyError {
    fn from(fault: EnvelopeFault) -> Self {
        match fault {
            EnvelopeFault::Malformed(what) => Self::Malformed(what),
            EnvelopeFault::Decrypt => Self::Decrypt,
        }
    }
}

#[derive(Deserialize)]
struct RefundWire {
    mchid: String,
    out_trade_no: String,
    transaction_id: String,
    out_refund_no: String,
    refund_id: String,
    refund_status: RefundStatus,
    success_time: Option<DateTime<Utc>>,
    amount: RefundAmountWire,
}

#[derive(Deserialize)]
struct RefundAmountWire {
    total: i64,
    refund: i64,
}

impl WechatClient {
    /// Proves, opens and reads one notification. `raw_body` must be the bytes as they came.
    ///
    /// # Errors
    /// [`NotifyError`], whose checks come in the order of spec 2.2; before the signature holds nothing is parsed.
    pub fn notification(
        &self,
        headers: &HeaderMap,
        raw_body: &[u8],
    ) -> Result<Notification, NotifyError> {
        let proof = Proof::read(|name| headers.get(name).and_then(|value| value.to_str().ok()));
        self.inner
            .platform_keys
            .verify(&proof, raw_body, self.inner.env.now())?;
        let envelope = envelope::read(raw_body)?;
        let event_type = envelope.event_type.clone();
        let plain = envelope.open(&self.inner.cipher)?;
        match event_type.as_str() {
            "TRANSACTION.SUCCESS" => self.paid(&plain),
            event if event.starts_with("REFUND.") => self.refunded(&plain),
            "MCHTRANSFER.BILL.FINISHED" => self.transferred(&plain),
            _ => {
                serde_json::from_slice::<IgnoredAny>(&plain)
                    .map_err(|_| NotifyError::Malformed("the resource is not JSON"))?;
                Ok(Notification::Other(event_type))
            }
        }
    }

    fn paid(&self, plain: &[u8]) -> Result<Notification, NotifyError> {
        let wire: TransactionWire = serde_json::from_slice(plain)
            .map_err(|_| NotifyError::Malformed("not a transaction"))?;
        if wire.mchid != self.inner.settings.mchid || wire.appid != self.inner.settings.appid {
            return Err(NotifyError::Foreign);
        }
        wire.payment()
            .map(Notification::Paid)
            .ok_or(NotifyError::Malformed("a payment without number or amount"))
    }

    fn transferred(&self, plain: &[u8]) -> Result<Notification, NotifyError> {
        let wire: TransferWire =
            serde_json::from_slice(plain).map_err(|_| NotifyError::Malformed("not a transfer"))?;
        if wire.mch_id != self.inner.settings.mchid {
            return Err(NotifyError::Foreign);
        }
        Ok(Notification::Transfer(wire.into()))
    }

    fn refunded(&self, plain: &[u8]) -> Result<Notification, NotifyError> {
        let wire: RefundWire =
            serde_json::from_slice(plain).map_err(|_| NotifyError::Malformed("not a refund"))?;
        if wire.mchid != self.inner.settings.mchid {
            return Err(NotifyError::Foreign);
        }
        Ok(Notification::Refund(RefundNotice {
            out_trade_no: wire.out_trade_no,
            transaction_id: wire.transaction_id,
            out_refund_no: wire.out_refund_no,
            refund_id: wire.refund_id,
            status: wire.refund_status,
            success_time: wire.success_time,
            refund_fen: wire.amount.refund,
            total_fen: wire.amount.total,
        }))
    }
}
