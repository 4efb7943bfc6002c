//! Outside-in tests: every test speaks HTTP to a real server, on both backends.

#![expect(
    unreachable_pub,
    reason = "the support modules are private to this one binary"
)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that finds something missing has failed, and says where"
)]

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

mod backtest;
mod booking;
mod bounds;
mod command;
mod complaint;
mod consent;
mod content;
mod crash;
mod facts;
mod history;
mod identity;
mod intake;
mod invitation;
mod kit;
mod lawful;
mod notify;
mod outbox;
mod payment;
mod photo;
mod poster;
mod projection;
mod push;
mod redeem;
mod refund;
mod refusal;
mod report;
mod rework;
mod rules;
mod ruleset_life;
mod secrecy;
mod settlement;
mod standin;
mod surface;
mod versions;
mod visit;
mod voucher;
