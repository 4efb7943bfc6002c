//! Consent: separate purposes, notices, an append-only ledger, and consent as a type (ADR 0003).
//!
//! Owns `notice`, `consent_record`, `consent_state`. Promises: every act (granted, refused, withdrawn) is a record in a
//! hash chain and is never changed (CR-30, CR-31); a grant is read under a row lock, so an effect and a withdrawal
//! cannot both win (CR-36); `graph_analysis` opens only with two acts, each within its own time; a grant under a materially
//! older notice is closed (PIPL-03); saying no changes nothing else (PIPL-06).
//! Emits `consent.granted.v1`, `consent.withdrawn.v1`. Listens to `wechat.pushed.v1`: what a person
//! takes back in WeChat itself is withdrawn here too (spec 0.5).

mod admin;
mod decide;
mod events;
mod gate;
mod http;
mod install;
mod ledger;
mod notice;
mod purpose;
mod react;
mod receipt;
mod receipt_key;
mod store;
mod withdraw;

pub use admin::routes as admin_routes;
pub use events::{ConsentGranted, ConsentWithdrawn};
pub use gate::{Granted, Scope, Stands, all_taken_back, holds, require, stand, taken_back};
pub use http::routes;
pub use install::install_notices;
pub use react::consumers;

pub use purpose::{
    GraphAnalysis, MktSms, MktWechat, PartnerEvents, PhotoCapture, PhotoShowcase, Purpose,
    ReferralLink, ReferralProfiling, ReviewPublic, WorkerLocation,
};
