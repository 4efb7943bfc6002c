//! The rule engine: language, fact types, compile, evaluate, explain, analyse, lint.
//!
//! Owns: the grammar of rule sets, the fact catalogue, the policy pack (`config/rulesets/`). No tables.
//! Promises: pure and bounded; no I/O, clock or SQL; never panics; unknown never fires; numbers are exact. The one
//! [`evaluate()`] serves live traffic, dry run, back-test and "why not". No cash and nobody beyond the direct inviter can be
//! compiled (REF-01, REF-02).
//! Emits: nothing; decisions are values. Listens: nothing; callers hand events in ([`EventKind`]).
//! Consents: collects the purposes every rule needs ([`ConsentNeed`]); asking for them is the caller's part.

mod analyse;
mod check;
mod compile;
mod decision;
mod declared;
mod diff;
mod document;
mod domain;
mod edit;
mod evaluate;
mod event;
mod explain;
mod fact;
mod file;
mod finding;
mod index;
mod interval;
mod lint;
mod partner;
mod plain;
mod read;
mod reference;
mod replay;
mod supply;
#[cfg(test)]
pub(crate) mod tests;
mod tree;
mod value;
mod words;

pub use analyse::{Analysis, WorstCase, analyse};
pub use check::{Checked, DEFAULT_RULESET, check, check_text};
pub use compile::{CompiledRuleSet, compile};
pub use decision::{
    Action, BlockedBy, ConditionResult, ConsentNeed, Decision, NamedBenefit, Outcome,
    ResolvedEffect, Reversal,
};
pub use diff::{Change, Difference, Favours, Part, diff};
pub use document::{
    Beneficiary, Benefit, Cap, Caps, Hours, MAX_BYTES, MAX_CONDITIONS, MAX_NESTING, MAX_RULES, Op,
    ProgrammeCaps, RuleSet, SendAt,
};
pub use edit::{favours, lint_edit};
pub use evaluate::{decide, evaluate, evaluate_with};
pub use event::{Event, EventKind};
pub use explain::{Why, why};
pub use fact::{FactDef, Kind, Whose, catalogue};
pub use file::export_text;
pub use finding::{Finding, Severity};
pub use index::{Binding, Case, Matcher, Method, Scratch};
pub use lint::{LintRow, PolicyPack, QuietHours, SubtreeAlarm, lint, lint_notice, lint_words};
pub use partner::{FieldDef, FieldFault, PartnerDef, PartnerKind};
pub use plain::{PlainRule, benefit_lasting, benefit_words, cap_words, plain_rules, whole_benefit};
pub use reference::{FactRef, Fold, History, Window};
pub use replay::{
    Acting, Supplied, is_unknown, lacking, limited, listener, replay, rules_of, supplied,
};
pub use tree::Truth;
pub use value::{Facts, Value, decimal, decimal_text, read_facts};
pub use words::{fill, shipped_words};
