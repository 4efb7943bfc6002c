//! Messages to people outside the app: today WeChat's one-time service notices.
//!
//! Owns `message`, `subscribe_grant`. Promises: one tick, one message (WX-09), counted down atomically; one message per
//! occasion, however often it is asked for; a message whose fate is unknown after a crash is not sent again. Emits
//! nothing, listens to nothing: growth asks. Consents: `mkt_wechat` for anything commercial, as a proof (REF-20).

mod sandbox;
mod send;
mod store;

pub use sandbox::routes as sandbox_routes;
pub use send::{FIELDS, Notice, Posted, claim, deliver, record, template_of};
