//! Ratings: five dimensions, once, after completion.
//!
//! Owns `rating`. Promises: the score is the exact mean in hundredths; no benefit depends on it (REF-L20), it only
//! chooses whether and when to ask. Emits `rating.submitted.v1`. Needs no consent to be given; using it for referral
//! marketing needs `referral_profiling` and is the engine's business.

mod events;
mod http;
mod model;
mod submit;

pub use events::RatingSubmitted;
pub use http::routes;
