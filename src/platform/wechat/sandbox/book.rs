//! What the sandbox knows: orders, refunds, subscriptions, messages. Folded from journal entries, changed by nothing else.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// One line of the journal.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Entry {
    /// A prepay id was given; the first for a number opens the order.
    Prepaid { prepay_id: String, order: Terms },
    /// The person paid.
    Paid {
        out_trade_no: String,
        transaction_id: String,
        at: DateTime<Utc>,
    },
    /// The merchant closed the order.
    Closed { out_trade_no: String },
    /// Money went back.
    Refunded { refund: Refunded },
    /// The person ticked a subscription.
    Granted { openid: String, template: String },
    /// A message used up a tick.
    Sent { message: SandboxMessage },
    /// A transfer was made.
    Transferred { transfer: Sent },
    /// The person confirmed it.
    TransferConfirmed {
        out_bill_no: String,
        at: DateTime<Utc>,
    },
    /// The merchant cancelled it.
    TransferCancelled {
        out_bill_no: String,
        at: DateTime<Utc>,
    },
    /// Whether trades are managed was switched.
    TradeManaged { managed: bool },
    /// A paid service was reported as given.
    Shipped { shipment: Shipment },
}

/// The values of a prepay call; entering again needs the same ones.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Terms {
    pub(super) out_trade_no: String,
    pub(super) description: String,
    pub(super) notify_url: String,
    pub(super) total: i64,
    pub(super) openid: String,
    pub(super) attach: Option<String>,
    pub(super) time_expire: Option<DateTime<chrono::FixedOffset>>,
}

/// An order and what became of it.
#[derive(Clone)]
pub(super) struct Order {
    pub(super) terms: Terms,
    pub(super) payment: Option<Payment>,
    pub(super) closed: bool,
    pub(super) refunded: i64,
}

/// A person's payment.
#[derive(Clone)]
pub(super) struct Payment {
    pub(super) transaction_id: String,
    pub(super) at: DateTime<Utc>,
}

impl Order {
    /// The `trade_state` of the wire.
    pub(super) fn state(&self) -> &'static str {
        match &self.payment {
            Some(_) if self.refunded > 0 => "REFUND",
            Some(_) => "SUCCESS",
            None if self.closed => "CLOSED",
            None => "NOTPAY",
        }
    }
}

/// A refund that was paid out.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Refunded {
    pub(super) out_refund_no: String,
    pub(super) out_trade_no: String,
    pub(super) transaction_id: String,
    pub(super) refund_id: String,
    pub(super) refund: i64,
    pub(super) total: i64,
    pub(super) reason: Option<String>,
    pub(super) notify_url: Option<String>,
    pub(super) at: DateTime<Utc>,
}

/// A transfer to a person and what became of it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Sent {
    pub(super) out_bill_no: String,
    pub(super) transfer_bill_no: String,
    /// What the person confirms with.
    pub(super) package: String,
    pub(super) openid: String,
    pub(super) user_name: Option<String>,
    pub(super) scene: String,
    pub(super) amount: i64,
    pub(super) remark: String,
    pub(super) notify_url: Option<String>,
    pub(super) at: DateTime<Utc>,
    pub(super) confirmed: Option<DateTime<Utc>>,
    pub(super) cancelled: Option<DateTime<Utc>>,
}

/// A report of fulfilment.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Shipment {
    pub(super) transaction_id: String,
    pub(super) item: String,
    pub(super) upload_time: DateTime<chrono::FixedOffset>,
}

/// A subscription message as its reader would see it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SandboxMessage {
    /// WeChat's number.
    pub msgid: String,
    /// When it was sent.
    pub at: DateTime<Utc>,
    /// To whom.
    pub openid: String,
    /// Which template.
    pub template_id: String,
    /// The page a tap opens.
    pub page: Option<String>,
    /// Values by key.
    pub data: BTreeMap<String, String>,
}

/// The present state.
#[derive(Default)]
pub(super) struct Book {
    pub(super) orders: HashMap<String, Order>,
    prepays: HashMap<String, String>,
    pub(super) refunds: HashMap<String, Refunded>,
    grants: HashMap<(String, String), u32>,
    pub(super) messages: Vec<SandboxMessage>,
    pub(super) transfers: HashMap<String, Sent>,
    pub(super) trade_managed: bool,
    pub(super) shipments: Vec<Shipment>,
}

impl Book {
    /// Folds one entry in.
    pub(super) fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Prepaid { prepay_id, order } => {
                self.prepays.insert(prepay_id, order.out_trade_no.clone());
                let fresh = |terms| Order {
                    terms,
                    payment: None,
                    closed: false,
                    refunded: 0,
                };
                self.orders
                    .entry(order.out_trade_no.clone())
                    .or_insert_with(|| fresh(order));
            }
            Entry::Paid {
                out_trade_no,
                transaction_id,
                at,
            } => {
                if let Some(order) = self.orders.get_mut(&out_trade_no) {
                    order.payment = Some(Payment { transaction_id, at });
                }
            }
            Entry::Closed { out_trade_no } => {
                if let Some(order) = self.orders.get_mut(&out_trade_no) {
                    order.closed = true;
                }
            }
            Entry::Refunded { refund } => {
                if let Some(order) = self.orders.get_mut(&refund.out_trade_no) {
                    order.refunded = order.refunded.saturating_add(refund.refund);
                }
                self.refunds.insert(refund.out_refund_no.clone(), refund);
            }
            Entry::Granted { openid, template } => {
                let ticks = self.grants.entry((openid, template)).or_default();
                *ticks = ticks.saturating_add(1);
            }
            Entry::Sent { message } => {
                let key = (message.openid.clone(), message.template_id.clone());
                if let Some(ticks) = self.grants.get_mut(&key) {
                    *ticks = ticks.saturating_sub(1);
                }
                self.messages.push(message);
            }
            Entry::Transferred { transfer } => {
                self.transfers
                    .insert(transfer.out_bill_no.clone(), transfer);
            }
            Entry::TransferConfirmed { out_bill_no, at } => {
                if let Some(sent) = self.transfers.get_mut(&out_bill_no) {
                    sent.confirmed = Some(at);
                }
            }
            Entry::TransferCancelled { out_bill_no, at } => {
                if let Some(sent) = self.transfers.get_mut(&out_bill_no) {
                    sent.cancelled = Some(at);
                }
            }
            Entry::TradeManaged { managed } => self.trade_managed = managed,
            Entry::Shipped { shipment } => self.shipments.push(shipment),
        }
    }

    /// The order a prepay id was given for.
    pub(super) fn order_of(&self, prepay_id: &str) -> Option<&Order> {
        self.prepays
            .get(prepay_id)
            .and_then(|number| self.orders.get(number))
    }

    /// The transfer a person confirms with this.
    pub(super) fn transfer_of(&self, package: &str) -> Option<&Sent> {
        self.transfers.values().find(|sent| sent.package == package)
    }

    /// How many messages of this template the person still wants.
    pub(super) fn ticks(&self, openid: &str, template: &str) -> u32 {
        self.grants
            .get(&(openid.to_owned(), template.to_owned()))
            .copied()
            .unwrap_or_default()
    }
}
