//! Ids as a capability.

use uuid::Uuid;

/// Makes ids. UUIDv7, so that keys grow with time and a cursor can be an id.
pub trait Ids: Send + Sync {
    /// The next id; never the same twice.
    fn next(&self) -> Uuid;
}

/// UUIDv7 from the machine's clock and randomness; monotone within one process.
#[derive(Debug, Default, Clone, Copy)]
pub struct V7;

impl Ids for V7 {
    #[expect(clippy::disallowed_methods, reason = "the one home of id generation")]
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}
