//! The catalogue: services with public prices, questionnaires and checklists.
//!
//! Owns `service`. Promises: a quote is a pure function of service and answers, the same for everybody (PIPL-14).
//! Emits and listens to nothing. Needs no consent.

mod admin;
mod http;
mod model;
mod seed;
mod store;

pub use admin::routes as admin_routes;
pub use http::routes;
pub use model::{ChecklistEntry, PriceLine, Quote, checklist, quote};
pub use seed::install_default;
pub use store::{by_id, on_sale};
