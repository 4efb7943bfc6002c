//! Rule sets and decisions: who is asked, when, and why not.
//!
//! Owns `ruleset`, `ruleset_tenure`, `ruleset_approval`, `legal_opinion`, `decision`, `evaluation`, `fact_shape`, `backtest`. Promises: one live set at a time, and for every moment of the past one
//! that was; an event is judged by the set that was live when it happened, on every node (ADR 0021); a set with a `block` finding is never published;
//! without `referral_profiling` no fact of a person that needs it is read and nothing is evaluated from it; every
//! decision is stored with the facts it saw; one decision per event, customer and rule. Emits nothing of its own
//! (effects are benefit's). Listens to `rating.submitted`, `payment.succeeded`, `booking.completed`, `complaint.*`,
//! `referral.*`, `partner.*`, `consent.granted` and `consent.withdrawn` (fact snapshots are emptied). Consents: those the rules' facts and effects
//! need, asked under lock by the effects.

mod backtest;
mod decision;
mod document;
mod edition;
mod engine;
mod evaluation;
mod facts;
mod forgetting;
mod http;
mod http_backtest;
mod http_page;
mod http_policy;
mod http_rules;
mod http_versions;
mod judge;
mod lawful;
mod live;
mod opinion;
mod page;
mod publish;
mod recall;
mod retention;
mod ruleset;
mod schedule;
mod simulate;
mod tenure;
mod verify;
mod watch;
mod why;

pub use backtest::backtest_sets;
pub use document::{Which, export_file, import_file};
pub use engine::consumers;
pub use facts::{About, Ask, Said, read_batch};
pub use http::{admin_routes as decision_admin_routes, routes};
pub use http_backtest::routes as backtest_admin_routes;
pub use http_page::root_routes;
pub use http_policy::routes as policy_admin_routes;
pub use http_rules::routes as ruleset_admin_routes;
pub use live::{LiveSet, install_default, live, live_at, live_then};
pub use retention::install_retention;
pub use watch::{Ready, Watch, look_once, watch};

use crate::rule::{PolicyPack, Severity};

/// Findings of a rule-set file, one line each, for `linjian ruleset check`.
pub fn check_text(text: &str) -> Vec<String> {
    let checked = crate::rule::check_text(text, PolicyPack::shipped());
    let line = |finding: &crate::rule::Finding| {
        let severity = match finding.severity {
            Severity::Block => "block",
            Severity::Approve => "approve",
            Severity::Warn => "warn",
        };
        format!(
            "[{severity}] {} {} {} → {}",
            finding.id, finding.pointer, finding.message, finding.fix
        )
    };
    checked.findings.iter().map(line).collect()
}
