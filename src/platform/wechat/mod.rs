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
mod bill;
mod bill_csv;
mod cbc;
mod certificate;
mod checkup;
mod cipher;
mod client;
mod envelope;
mod fault;
mod key;
mod limit;
mod link;
mod message;
mod notify;
mod number;
mod open_data;
mod order;
mod pay;
mod push;
mod push_message;
mod push_seal;
mod refund;
mod safety;
pub mod sandbox;
mod sensitive;
mod settings;
mod shelf;
mod shipping;
#[cfg(test)]
mod tests;
mod token;
mod transfer;
mod verify;

pub use api::Session;
pub use bill_csv::{Bill, BillFault, BillKind, BillRefund, BillRow};
pub use checkup::{CertificateFit, Template, WechatHost};
pub use client::WechatClient;
pub use fault::{PayFault, answer_lost, errcode, pay_code};
pub use message::{SendOutcome, Subscribe};
pub use notify::{Notification, NotifyError, RefundNotice, WebhookFailure};
pub use open_data::OpenDataFault;
pub use order::{OrderAnswer, PayParams, Prepay, TradeState, Transaction};
pub use push::PushError;
pub use refund::{Refund, RefundAnswer, RefundOf, RefundStatus};
pub use safety::{MediaAnswer, MediaCheck, Suggest, TextCheck};
pub use settings::{NOTIFY_PATH, PUSH_PATH, WechatSettings};
pub use shelf::TokenShelf;
pub use shipping::{Shipped, ShippingOutcome};
pub use transfer::{
    TRANSFER_LEAST_FEN, TRANSFER_NAMED_FEN, Transfer, TransferAnswer, TransferNotice,
    TransferScene, TransferState,
};
pub use verify::SignatureFault;
