//! Money: prepayments, notifications, refunds, the ledger.
//!
//! Owns `payment`, `refund`, `payment_incident`, `ledger_entry`, `reconciliation`, `reconciliation_difference`,
//! `transfer`, `shipping_report`, `trade_management`. Promises: a notification counts only when its
//! signature, order, amount and currency hold, and it counts once; money that comes too late goes back by itself; a
//! refund is asked for under one number for ever; every movement is a ledger posting that sums to zero; every
//! day is compared with WeChat's bill; a transfer to a customer is made by two people of staff and by nothing else
//! (REF-02). Emits `payment.succeeded|refunded.v1`, `refund.requested.v1`, `transfer.approved.v1`. Listens to `booking.cancelled|expired|completed.v1` and its
//! own timers. Needs no consent (contract).

mod admin;
mod bill;
mod events;
mod http;
mod incident;
mod ledger;
mod notify;
mod payout;
mod prepay;
mod react;
mod reconcile;
mod refund;
mod settle;
mod settlement;
mod shipping;
mod store;
mod transfer;

pub use admin::routes as admin_routes;
pub use events::{PaymentRefunded, PaymentSucceeded};
pub use http::routes;
pub use react::consumers;
pub use reconcile::install;
pub use refund::on_its_way;
