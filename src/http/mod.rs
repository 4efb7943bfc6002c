//! The web kit: problem documents, validated bodies, idempotency keys, paging, request ids, limits, OpenAPI base.
//!
//! Owns the `idempotency` table. Knows no feature; emits and consumes no events; needs no consent.

mod body;
mod idempotency;
mod measure;
mod meta;
mod openapi;
mod order;
mod problem;
mod query;
mod shield;

pub use body::{MULTIPART_LIMIT, Text, Valid, check};
pub use idempotency::{Idem, Once, TwoStep, forget_answers};
pub use measure::{count, measure};
pub use meta::{RequestMeta, address_of, limit_key};
pub use openapi::{document, mount_docs};
pub use order::Recognising;
pub use problem::{Problem, problem_response};
pub use query::{Paging, ValidQuery, paging};
pub use shield::{current_request_id, shield};
