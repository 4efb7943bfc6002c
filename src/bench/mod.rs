//! Load on a running configuration, for figures that can be believed: `linjian bench pipeline`.
//!
//! Owns nothing. Promises: starts no service and no worker of its own, writes only into a sandbox database without real
//! customers, and ends by itself, bounded in time and count.

mod pipeline;
mod seed;
mod watch;

pub use pipeline::{Load, pipeline};
