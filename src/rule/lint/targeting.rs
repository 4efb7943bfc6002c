//! Whom a rule looks for: never by sensitive classes, minors or foreign sources; never with an open complaint.

use super::{PolicyPack, conjuncts, invites, reads};
use crate::rule::document::{Comparison, Condition, EffectKind, Op, Operand, Rule};
use crate::rule::fact::Nature;
use crate::rule::finding::{Finding, at};
use serde_json::Value as Json;

/// REF-L21, L24, L25, L32, L40.
pub(super) fn check(findings: &mut Vec<Finding>, rule: &Rule, pack: &PolicyPack) {
    sensitive(findings, rule, pack);
    sources(findings, rule, pack);
    if invites(rule) {
        complaints(findings, rule, pack);
        minors(findings, rule, pack);
    }
    for effect in &rule.then {
        if matches!(
            effect.kind,
            EffectKind::SuppressInvitations { appeal: false, .. }
        ) {
            findings.push(pack.finding(
                "REF-L32",
                &effect.pointer,
                "自动停发邀约而没有申诉途径",
                "写上 \"appeal\": true;只停发邀约,不动已得的权益",
            ));
        }
    }
}

fn sensitive(findings: &mut Vec<Finding>, rule: &Rule, pack: &PolicyPack) {
    let mut found = |place: &str, what: &str| {
        findings.push(pack.finding(
            "REF-L24",
            place,
            format!("按敏感信息圈人:{what}"),
            "删掉这个属性",
        ));
    };
    for (place, label) in reads(rule, Nature::Sensitive) {
        found(place, &label);
    }
    let is_sensitive = |text: &str| {
        pack.sensitive_words
            .iter()
            .any(|word| text.contains(word.as_str()))
    };
    if let Some(when) = &rule.when {
        when.each(&mut |test| {
            if let Some(word) = words(test).into_iter().find(|word| is_sensitive(word)) {
                found(&test.pointer, word);
            }
        });
    }
    for segment in &rule.audience {
        let mut words = segment.words.iter().chain([&segment.key]);
        if let Some(word) = words.find(|word| is_sensitive(word)) {
            found(&segment.pointer, word);
        }
    }
    for effect in &rule.then {
        match &effect.kind {
            EffectKind::Tag { tag } if is_sensitive(tag) => found(&at(&effect.pointer, "tag"), tag),
            _ => {}
        }
    }
}

/// The words a comparison names.
fn words(test: &Comparison) -> Vec<&str> {
    match &test.operand {
        Some(Operand::Literal(Json::String(word))) => vec![word],
        Some(Operand::Literal(Json::Array(items))) => {
            items.iter().filter_map(Json::as_str).collect()
        }
        _ => Vec::new(),
    }
}

fn sources(findings: &mut Vec<Finding>, rule: &Rule, pack: &PolicyPack) {
    for segment in rule
        .audience
        .iter()
        .filter(|segment| segment.key == "source")
    {
        if segment.words.iter().any(|word| pack.sources.contains(word)) {
            findings.push(pack.finding(
                "REF-L40",
                &segment.pointer,
                "人群来自通讯录、抓取、购买或竞争对手",
                "只用自己的客户",
            ));
        }
    }
}

fn complaints(findings: &mut Vec<Finding>, rule: &Rule, pack: &PolicyPack) {
    let asked = rule.when.iter().flat_map(conjuncts).any(no_open_complaint);
    if !asked {
        findings.push(pack.finding(
            "REF-L21",
            &rule.pointer,
            "邀约规则没有写“没有未结投诉”(系统仍会拦住有未结投诉的客户)",
            "加上 {\"fact\": \"customer.open_complaints\", \"op\": \"eq\", \"value\": 0}",
        ));
    }
}

fn no_open_complaint(condition: &Condition) -> bool {
    let (test, negated) = match condition {
        Condition::Test(test) => (test, false),
        Condition::Not(inner) => match inner.as_ref() {
            Condition::Test(test) => (test, true),
            Condition::All(_) | Condition::Any(_) | Condition::Not(_) => return false,
        },
        Condition::All(_) | Condition::Any(_) => return false,
    };
    let literal = match &test.operand {
        Some(Operand::Literal(json)) => json.as_i64().or_else(|| json.as_str()?.parse().ok()),
        _ => None,
    };
    let op = if negated { test.op.negated() } else { test.op };
    test.fact.history.is_none()
        && test.fact.name == "customer.open_complaints"
        && matches!(
            (op, literal),
            (Op::Eq | Op::Lte, Some(0)) | (Op::Lt, Some(1))
        )
}

fn minors(findings: &mut Vec<Finding>, rule: &Rule, pack: &PolicyPack) {
    let Some(when) = &rule.when else { return };
    for condition in conjuncts(when) {
        let Condition::Test(test) = condition else {
            continue;
        };
        let aims = matches!(
            (&test.op, &test.operand),
            (Op::Eq, Some(Operand::Literal(Json::Bool(true))))
                | (Op::Ne, Some(Operand::Literal(Json::Bool(false))))
        );
        if aims
            && test
                .fact
                .meaning()
                .is_ok_and(|meaning| meaning.nature == Nature::Minor)
        {
            findings.push(pack.finding(
                "REF-L25",
                &test.pointer,
                "向未成年人自动营销",
                "排除未成年人",
            ));
        }
    }
}
