//! Money: prepayments, notifications, refunds, the ledger.
//!
//! Owns `payment`, `refund`, `payment_incident`, `ledger_entry`. Promises: a notification counts only when its
//! signature, order, amount and currency hold, and it counts once; money that comes too late goes back by itself; a
//! refund is asked for under one number for ever; every movement is a ledger posting that sums to zero. Emits
//! `payment.succeeded|refunded.v1`, `refund.requested.v1`. Listens to `booking.cancelled|expired|completed.v1` and its
//! own timers. Needs no consent (contract).

mod admin;
mod events;
mod http;
mod incident;
mod ledger;
mod notify;
mod prepay;
mod react;
mod refund;
mod settle;
mod store;

pub use admin::routes as admin_routes;
pub use events::{PaymentRefunded, PaymentSucceeded};
pub use http::routes;
pub use react::consumers;
pub use refund::on_its_way;
