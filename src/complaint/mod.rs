//! Complaints: tickets with two clocks, first response and resolution (REF-45).
//!
//! Owns `complaint`. Promises: a clock that runs out is told by itself, once per ticket; an answer in time stops it. Emits
//! `complaint.opened|sla_breached|resolved.v1`. Listens to its own timers. Needs no consent.

mod admin;
mod events;
mod http;
mod react;
mod service;
mod view;

pub use admin::routes as admin_routes;
pub use events::{ComplaintOpened, ComplaintResolved, ComplaintSlaBreached};
pub use http::routes;
pub use react::consumers;
