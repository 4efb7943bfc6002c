//! Workers as staff recorded them, and the binding of people to their phones.
//!
//! Owns `worker`. Promises: a worker's account is bound by his phone alone, at his first login with it. Emits and
//! listens to nothing. Needs no consent (contract; the phone is asked only when a step needs it, WX-06).

mod admin;
mod http;
mod store;

pub use admin::routes as admin_routes;
pub use http::routes;
pub use store::{able, by_id, name_of, of_account};
