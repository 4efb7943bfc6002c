//! WeChat: the mini-program API and WeChat Pay `APIv3`, spoken over HTTP with real cryptography (aws-lc-rs).
//!
//! Owns the wire: signing requests, verifying answers and notifications, opening their resources; no table.
//! Promises: nothing is parsed before its signature holds; an answer that was lost or cannot be verified is
//! [`Code::Unavailable`](crate::kernel::Code::Unavailable), so the caller enters again with the **same** numbers;
//! secrets, codes and tokens never reach an error or a log line. Emits and listens to nothing: the payment room reads
//! [`Notification`]s and polls. Consents: none of its own; sending a message is the caller's decision.
//! [`sandbox`] is a second server in this binary that signs, encrypts and calls back as WeChat does, so that the
//! same client code runs offline.

mod api;
mod cbc;
mod cipher;
mod client;
mod envelope;
mod fault;
mod key;
mod message;
mod notify;
mod open_data;
mod order;
mod pay;
mod push;
mod push_message;
mod push_seal;
mod refund;
pub mod sandbox;
mod settings;
#[cfg(test)]
mod tests;
mod token;
mod verify;

pub use api::Session;
pub use client::WechatClient;
pub use fault::{PayFault, pay_code};
pub use message::{SendOutcome, Subscribe};
pub use notify::{Notification, NotifyError, RefundNotice, WebhookFailure};
pub use open_data::OpenDataFault;
pub use order::{OrderAnswer, PayParams, Prepay, TradeState, Transaction};
pub use push::PushError;
pub use refund::{Refund, RefundAnswer, RefundStatus};
pub use settings::{NOTIFY_PATH, PUSH_PATH, WechatSettings};
pub use verify::SignatureFault;
