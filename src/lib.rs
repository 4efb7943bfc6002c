//! Linjian 邻荐: booking, prepayment, photos, ratings and consent-gated referrals for home-service companies.
//!
//! The house has one-way floors (docs/architecture.md): kernel, config, platform, http, then shared capabilities
//! (outbox, audit, consent, identity), records, operations, the rule engine and growth, reports, and on top `app`.
#![warn(missing_docs)]

pub mod app;
pub mod audit;
pub mod config;
pub mod http;
pub mod identity;
pub mod kernel;
pub mod outbox;
pub mod platform;
