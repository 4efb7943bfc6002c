//! Limits and hours that nothing looks at when the rule runs: on the public page they would promise what nobody keeps.

use super::super::document::{Caps, EffectKind, Rule, RuleSet};
use super::super::finding::{Finding, at, short};

/// Caps without an invitation or a grant to hold back, and hours without an invitation to move.
pub(super) fn check(set: &RuleSet) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in &set.rules {
        let does = |wanted: fn(&EffectKind) -> bool| rule.then.iter().any(|one| wanted(&one.kind));
        let invites = does(|kind| matches!(kind, EffectKind::Invite { .. }));
        let gives = does(|kind| matches!(kind, EffectKind::Grant { .. }));
        if rule.caps != Caps::default() && !invites && !gives {
            findings.push(ignored(
                rule,
                "caps",
                "既不邀约也不发权益,写的次数和预算不起作用",
            ));
        }
        if rule.schedule.is_some() && !invites {
            findings.push(ignored(rule, "schedule", "不发邀约,写的时段不起作用"));
        }
    }
    findings
}

fn ignored(rule: &Rule, key: &str, why: &str) -> Finding {
    Finding::block(
        "RULE-IGNORED",
        &at(&rule.pointer, key),
        format!("规则“{}”{why},写着会让客户误会", short(&rule.title)),
        format!("删掉这条规则的“{key}”"),
    )
}
