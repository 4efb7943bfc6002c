//! Before and after photos.
//!
//! Owns `photo`; the bytes are in the blob store. Promises: no photo without the customer's `photo_capture` consent
//! for that order (人格权编 1033); EXIF, GPS and every other metadata are gone before anything is stored (SEC-20); only
//! the customer, the worker of the job and operations ever see one, and nobody once the consent is withdrawn (CR-33).
//! Emits nothing; listens to `consent.withdrawn`.

mod http;
mod ingest;
mod react;
mod read;
mod store;
mod upload;

pub use http::routes;
pub use react::consumers;
pub use read::{PhotoOut, of_bookings};
pub use store::keys_of_booking;
