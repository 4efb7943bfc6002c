//! WeChat's message push: verified, opened, stored once, answered; handled from the queue (spec 1.8).
//!
//! Owns `push_message`. Promises: of an unproved push nothing is believed and nothing changes; a message counts once,
//! however often it comes (WX-24); the answer waits for no handler; of a message only what handlers need goes on, and
//! what the house keeps here names nobody and is gone after 30 days, unless staff have yet to look at it. Emits
//! `wechat.pushed.v1`; rooms pick the events they know. What concerns the mini-program itself (punishment, shipping
//! duties), and what a room [`raise`]s, stands in the staff's list. Listens to nothing. Needs no consent: WeChat tells
//! it under its own rules, and every effect is a person's own decision or narrows what we may do.

mod admin;
mod events;
mod http;
mod message;
mod receive;
mod store;

pub use admin::routes as admin_routes;
pub use events::{WechatPushed, text};
pub use http::routes;
pub use store::{forget_old, raise};
