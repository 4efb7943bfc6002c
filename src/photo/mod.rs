//! Before and after photos.
//!
//! Owns `photo`; the bytes are in the blob store. Promises: no photo without the customer's `photo_capture` consent
//! for that order (人格权编 1033); EXIF, GPS and every other metadata are gone before anything is stored (SEC-20); only
//! the customer, the worker of the job and operations ever see one, the customer only what passed its content check
//! (WX-13), and nobody once the consent is withdrawn (CR-33). Emits `photo.stored|withdrawn.v1`; listens to
//! `consent.withdrawn`. The check itself is the content room's.

mod check;
mod events;
mod http;
mod ingest;
mod react;
mod read;
mod store;
mod upload;

pub use check::{by_id, by_ids, is_undecided, judge, may_be_checked, picture_to_check};
pub use events::{PhotoStored, PhotosWithdrawn};
pub use http::routes;
pub use react::consumers;
pub use read::{Eyes, PhotoOut, of_bookings};
pub use store::keys_of_booking;
