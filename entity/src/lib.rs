//! Linjian's tables: one file per table, typed ids, stored values. No logic.

#![expect(
    clippy::disallowed_methods,
    reason = "sea_orm::model generates nested writes that begin a transaction; the house does not use them"
)]

pub mod ids;
pub mod values;

pub mod account;
pub mod audit_entry;
pub mod backtest;
pub mod booking;
pub mod booking_event;
pub mod cap_lock;
pub mod chain_head;
pub mod checklist_item;
pub mod complaint;
pub mod consent_record;
pub mod consent_state;
pub mod content_check;
pub mod customer_tag;
pub mod decision;
pub mod deployment;
pub mod evaluation;
pub mod event_source;
pub mod fact_shape;
pub mod idempotency;
pub mod inbox;
pub mod invitation;
pub mod invitation_share;
pub mod ledger_entry;
pub mod legal_opinion;
pub mod message;
pub mod notice;
pub mod outbox;
pub mod payment;
pub mod payment_incident;
pub mod photo;
pub mod push_message;
pub mod rating;
pub mod received_event;
pub mod reconciliation;
pub mod reconciliation_difference;
pub mod referral;
pub mod refresh_token;
pub mod refund;
pub mod reservation;
pub mod reward;
pub mod reward_event;
pub mod ruleset;
pub mod ruleset_approval;
pub mod ruleset_tenure;
pub mod service;
pub mod session;
pub mod shipping_report;
pub mod staff;
pub mod staff_task;
pub mod subscribe_answer;
pub mod subscribe_grant;
pub mod suppression;
pub mod timer;
pub mod trade_management;
pub mod transfer;
pub mod voucher;
pub mod wechat_identity;
pub mod work_order;
pub mod worker;
