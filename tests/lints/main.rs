//! The lints as the shop sees them: an example of each, words everybody understands, and documents nobody would write.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that finds something missing has failed, and says where"
)]

mod examples;
mod storm;
