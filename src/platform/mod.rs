//! Adapters to the world: database, queue, blobs, WeChat, limits, field encryption.
//!
//! Each is a trait with an embedded and a production implementation and one conformance suite run on both, or (WeChat)
//! one real client whose sandbox speaks the same wire. Owns the `deployment` table; emits and consumes nothing.

mod bell;
pub mod blob;
mod ctx;
mod db;
pub mod limiter;
pub mod picture;
pub mod queue;
mod rows;
pub mod sealed;
pub mod test_clock;
pub mod vault;
pub mod wechat;

pub use bell::Bell;
pub use ctx::Ctx;
pub use db::{Db, OneByKey, filled, statement};
pub use rows::Rows;
