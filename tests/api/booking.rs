//! Slots, holds and states.
