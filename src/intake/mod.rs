//! What third parties tell: registered senders, registered kinds, each delivery once (ADR 0018).
//!
//! Owns `event_source`, `received_event`. Promises: a sender is known by a key whose hash alone is kept; nothing is
//! believed beyond the schema of its kind (`config/events.json`); a delivery counts once per sender and key; the answer
//! is the same whether the person is a customer or not, has agreed or not (PIPL 42), and of whoever has not agreed
//! nothing is kept but the sender's key and a keyed hash (PIPL 13). What was taken in is gone after 90 days, and at
//! once when the consent goes (CR-33). Emits `partner.<kind>.v1`. Listens to `consent.withdrawn`. Consents:
//! `partner_events` and `referral_profiling`, asked under lock.

mod admin;
mod caller;
mod forget;
mod http;
mod receive;
mod source;

pub use admin::routes as admin_routes;
pub use forget::{consumers, forget_old};
pub use http::routes;
