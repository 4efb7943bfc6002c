//! The lint: law.md 5.3 as predicates over the written document. The policy pack says how severe each is.

mod bounds;
mod declared;
mod policy;
mod reward;
mod roundabout;
mod targeting;
mod template;
#[cfg(test)]
mod tests;
mod trigger;
mod words;
mod worth;

pub use policy::{LintRow, PolicyPack, QuietHours, SubtreeAlarm};

use super::document::{Condition, EffectKind, Rule, RuleSet};
use super::fact::Nature;
use super::finding::Finding;
use std::borrow::Cow;

/// Checks a written rule set against the policy pack: REF-L01 to REF-L42, as far as the document can show them.
///
/// Works on what is written, so it also names what would not compile.
pub fn lint(set: &RuleSet, pack: &PolicyPack) -> Vec<Finding> {
    let mut findings = Vec::new();
    bounds::check(&mut findings, set, pack);
    reward::benefits(&mut findings, set, pack);
    worth::check(&mut findings, set, pack);
    roundabout::check(&mut findings, set, pack);
    declared::check(&mut findings, set, pack);
    for rule in &set.rules {
        trigger::check(&mut findings, rule, pack);
        reward::check(&mut findings, set, rule, pack);
        targeting::check(&mut findings, set, rule, pack);
        bounds::rule(&mut findings, set, rule, pack);
        declared::rule(&mut findings, rule, pack);
    }
    words::check(&mut findings, set, pack);
    template::check(&mut findings, set, pack);
    findings
}

/// Checks words customers will read, such as an invitation template: REF-L28, REF-L29, REF-L36.
pub fn lint_words(pointer: &str, text: &str, pack: &PolicyPack) -> Vec<Finding> {
    let mut findings = Vec::new();
    words::text(&mut findings, pointer, text, pack);
    findings
}

/// Checks the title of a template that one-time messages are sent with: REF-L37.
pub fn lint_notice(pointer: &str, title: &str, pack: &PolicyPack) -> Vec<Finding> {
    let mut findings = Vec::new();
    words::notice(&mut findings, pointer, title, pack);
    findings
}

fn gives(rule: &Rule) -> bool {
    rule.then
        .iter()
        .any(|effect| matches!(effect.kind, EffectKind::Grant { .. }))
}

fn unlocks(rule: &Rule) -> bool {
    rule.then
        .iter()
        .any(|effect| matches!(effect.kind, EffectKind::Unlock { .. }))
}

fn invites(rule: &Rule) -> bool {
    rule.then
        .iter()
        .any(|effect| matches!(effect.kind, EffectKind::Invite { .. }))
}

/// Where a rule reads facts of one nature, with the label of the fact.
fn reads(rule: &Rule, nature: Nature) -> Vec<(&str, Cow<'static, str>)> {
    rule.facts()
        .into_iter()
        .filter_map(|(pointer, fact)| fact.meaning().ok().map(|meaning| (pointer, meaning)))
        .filter(|(_, meaning)| meaning.nature == nature)
        .map(|(pointer, meaning)| (pointer, meaning.label))
        .collect()
}

/// The conditions that must all hold: the tree itself, or the members of its outermost `all` groups.
fn conjuncts(condition: &Condition) -> Vec<&Condition> {
    match condition {
        Condition::All(inner) => inner.iter().flat_map(conjuncts).collect(),
        other => vec![other],
    }
}
