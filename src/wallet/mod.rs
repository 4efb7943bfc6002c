//! Vouchers: price benefits and coupons as the till knows them.
//!
//! Owns `voucher`. Promises: a voucher takes something off one booking at most, whoever asks at the same moment; it is
//! free again when that booking ends unserved; it never pays anything out (REF-02); which one is taken depends on value
//! and expiry alone, never on a profile (PIPL 24). Emits and listens to nothing: growth issues, booking spends. Needs
//! no consent: using what one has been given is part of the contract.

mod voucher;

pub use voucher::{Discount, New, best, cancel, fate, is_held, issue, release, spend};
