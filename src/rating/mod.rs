//! Ratings: five dimensions, once, after completion.
//!
//! Owns `rating`. Promises: the score is the exact mean in hundredths; no benefit depends on it (REF-L20), it only
//! chooses whether and when to ask. Emits `rating.submitted.v1`. Needs no consent to be given; using it for referral
//! marketing needs `referral_profiling` and is the engine's business; whoever shows a comment to others asks `review_public`.

mod events;
mod http;
mod model;
mod publish;
mod submit;

pub use events::RatingSubmitted;
pub use http::routes;
pub use publish::{PublishableComment, publishable_comments};
