//! Bookings: slots, holds, states.
//!
//! Owns `booking`, `booking_event`, `reservation`. Promises: one row per worker and half hour under a unique key, so a
//! double booking cannot be written; any two visits of a worker are a travel buffer apart; an unpaid slot is freed in
//! time; a state is only left by an allowed step. Emits `booking.confirmed|expired|cancelled|completed.v1`. Listens to
//! its own timers. Reads no consent: refusing changes nothing here (PIPL-06).

mod admin;
mod cancel;
mod create;
mod events;
mod http;
mod lifecycle;
mod model;
mod react;
mod reserve;
mod rework;
mod slots;
mod store;
mod view;

pub use admin::routes as admin_routes;
pub use events::{BookingCancelled, BookingCompleted, BookingConfirmed, BookingExpired};
pub use http::routes;
pub use lifecycle::{Received, begin_service, finish_service, receive_payment, record_refund};
pub use model::{Address, needed, open_balance, ratio};
pub use react::consumers;
pub use store::{
    address_of, by_id_unscoped, contact_phone_of, jobs_of_worker, lock, note, of_customer,
    of_worker,
};
