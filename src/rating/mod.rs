//! Ratings: five dimensions, once, after completion.
//!
//! Owns `rating`. Promises: the score is the exact mean in hundredths; no benefit depends on it (REF-L20), it only
//! chooses whether and when to ask; it counts whatever becomes of the comment, which is published only after its content
//! check (WX-12). Emits `rating.submitted|comment_written.v1`. Needs no consent to be given; using it for referral
//! marketing needs `referral_profiling` and is the engine's business; whoever shows a comment asks `review_public`.

mod comment;
mod events;
mod http;
mod model;
mod publish;
mod submit;

pub use comment::{by_id, by_ids, judge_comment};
pub use events::{CommentWritten, RatingSubmitted};
pub use http::routes;
pub use publish::{PublishableComment, publishable_comments};
