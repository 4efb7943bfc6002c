//! What a person may change of his own record.
//!
//! Owns no table of its own: names and phones are identity's. Promises: a name is shown in clear to its owner alone.
//! Emits and listens to nothing. Needs no consent (PIPL 46: correction of one's own data).

mod http;

pub use http::routes;
