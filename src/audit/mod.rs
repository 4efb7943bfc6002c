//! The audit log: who did what to whose data; append-only and hash-chained (SEC-35, SEC-37).
//!
//! Owns `audit_entry` and, with consent, `chain_head`. Promises that an altered or removed entry is found by
//! [`verify`], and that an audited call has its entry before it runs. Emits and consumes no events. Entries hold ids and
//! words, no personal data.

mod chain;
mod record;

pub use chain::{Link, Walked, append_link, walk};
pub use record::{AuditOut, Entry, begin_call, end_call, list, record, verify};
