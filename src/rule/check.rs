//! Everything that can be said about a document before publishing, in one answer.

use super::analyse::{WorstCase, analyse};
use super::compile::{CompiledRuleSet, compile};
use super::declared;
use super::document::RuleSet;
use super::finding::Finding;
use super::lint::{PolicyPack, lint};
use super::supply;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// The rule set a new company starts with: the seed's rules, in their lawful form.
pub const DEFAULT_RULESET: &str = include_str!("../../config/rulesets/default.json");

/// Most findings reported; the severest stay.
const MAX_FINDINGS: usize = 500;

/// The result of checking a document.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// What was found, the severest first; at most 500.
    pub findings: Vec<Finding>,
    /// The set, if it can run at all. It may be published only if [`Checked::publishable`].
    pub compiled: Option<CompiledRuleSet>,
    /// The most it can cost.
    pub worst_case: WorstCase,
}

impl Checked {
    /// Whether nothing blocks publishing; approvals may still be needed.
    pub fn publishable(&self) -> bool {
        self.compiled.is_some() && !self.findings.iter().any(Finding::blocks)
    }
}

/// Reads, types, analyses and lints a document already parsed from JSON.
pub fn check(document: &Json, pack: &PolicyPack) -> Checked {
    finish(RuleSet::from_json(document), pack)
}

/// Reads, types, analyses and lints a document as text; also finds keys written twice.
pub fn check_text(text: &str, pack: &PolicyPack) -> Checked {
    finish(RuleSet::parse(text), pack)
}

fn finish(read: Result<RuleSet, Vec<Finding>>, pack: &PolicyPack) -> Checked {
    let set = match read {
        Ok(set) => set,
        Err(findings) => {
            return Checked {
                findings,
                ..Checked::default()
            };
        }
    };
    let mut findings = lint(&set, pack);
    let mut checked = Checked::default();
    match compile(&set) {
        Ok(compiled) => {
            let analysis = analyse(&set, &compiled, &pack.programme_caps(&set.caps));
            findings.extend(analysis.findings);
            findings.extend(supply::check(&set));
            findings.extend(declared::doubts(&set, pack));
            checked.worst_case = analysis.worst_case;
            checked.compiled = Some(compiled);
        }
        // What the lint already blocks with its clause need not be said again.
        Err(faults) => {
            let named: BTreeSet<_> = findings
                .iter()
                .filter(|one| one.blocks())
                .map(|one| one.pointer.clone())
                .collect();
            findings.extend(
                faults
                    .into_iter()
                    .filter(|fault| !named.contains(&fault.pointer)),
            );
        }
    }
    findings.sort_by_key(|finding| finding.severity);
    findings.truncate(MAX_FINDINGS);
    checked.findings = findings;
    checked
}
