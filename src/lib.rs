//! Linjian 邻荐: booking, prepayment, photos, ratings and consent-gated referrals for home-service companies.
//!
//! The house has one-way floors (docs/architecture.md): kernel, config, platform, http, then shared capabilities
//! (outbox, audit, consent, identity), records, operations, the rule engine and growth, reports, and on top `app`.
#![warn(missing_docs)]

pub mod app;
pub mod audit;
pub mod bench;
pub mod benefit;
pub mod booking;
pub mod catalog;
pub mod cli;
pub mod complaint;
pub mod config;
pub mod consent;
pub mod content;
pub mod customer;
pub mod demo;
pub mod http;
pub mod identity;
pub mod intake;
pub mod kernel;
pub mod notify;
pub mod outbox;
pub mod payment;
pub mod photo;
pub mod platform;
pub mod push;
pub mod rating;
pub mod referral;
pub mod report;
pub mod rule;
pub mod wallet;
pub mod worker;
pub mod workorder;
