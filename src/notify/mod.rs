//! Messages to people outside the app: today WeChat's one-time service notices.
//!
//! Owns `message`, `subscribe_grant`, `subscribe_answer`. Promises: one tick, one message (WX-09), counted down
//! atomically; a tick is what WeChat's event says, what the client says is recorded as a hint (WX-10); one message per
//! occasion, however often it is asked for; a message whose fate is unknown after a crash is not sent again. Emits
//! nothing: growth asks. Listens to `wechat.pushed.v1`: ticks, refusals, what became of a message. Consents: `mkt_wechat` for anything commercial, as a proof (REF-20).

mod answer;
mod http;
mod react;
mod sandbox;
mod send;
mod store;

pub use http::routes;
pub use react::consumers;
pub use sandbox::routes as sandbox_routes;
pub use send::{Notice, Posted, claim, deliver, record};
