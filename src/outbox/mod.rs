//! Events: written with their cause, handed to the queue, handled exactly once (ADR 0002).
//!
//! Owns `outbox`, `inbox`, `timer`. Promises: an event commits with its cause or not at all; every consumer's effects
//! happen once however often the event arrives; a failing event backs off and is buried after
//! `queue.max_attempts`, never blocking others; losing the queue (FLUSHALL, restart) loses and duplicates nothing.
//! A timer is a row that becomes an event when its moment comes.

mod append;
mod consume;
mod dead;
mod drain;
mod forget;
pub mod relay;
mod run;
pub mod timer;

pub use append::{Event, append, append_all, append_named};
pub use consume::{Consumer, Delivered, Registry};
pub use dead::{DeadLetter, dead_letters, replay};
pub use drain::{drain, settle};
pub use forget::{forget, forget_about};
pub use run::{Workers, start, start_knocking};
