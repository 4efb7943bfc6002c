//! Work orders: the worker's side of a booking.
//!
//! Owns `work_order`, `checklist_item`. Promises: a job is completed only when every required item is done; the place
//! of a check-in is compared and forgotten, never stored; address and phone are shown only for the worker's own open
//! jobs (SEC-15). Emits nothing of its own (bookings tell). Needs no consent for the checklist; photos need theirs.

mod http;
mod model;
mod service;
mod store;

pub use http::routes;
pub use service::{ensure, has_item};
