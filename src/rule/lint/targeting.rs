//! Whom a rule looks for: never by sensitive classes, minors or foreign sources; never with an open complaint.

use super::{PolicyPack, conjuncts, invites, reads};
use crate::rule::document::{Comparison, Condition, EffectKind, Op, Operand, Rule, RuleSet};
use crate::rule::fact::Nature;
use crate::rule::finding::{Finding, at, short};
use serde_json::Value as Json;

/// REF-L21, L24, L25, L32, L40.
pub(super) fn check(findings: &mut Vec<Finding>, set: &RuleSet, rule: &Rule, pack: &PolicyPack) {
    sensitive(findings, set, rule, pack);
    sources(findings, rule, pack);
    if invites(rule) {
        complaints(findings, rule, pack);
        ages(findings, rule, pack);
        minors(findings, set, rule, pack);
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
                "写上“\"appeal\": true”;只停发邀约,不动已得的权益",
            ));
        }
    }
}

fn sensitive(findings: &mut Vec<Finding>, set: &RuleSet, rule: &Rule, pack: &PolicyPack) {
    let mut found = |place: &str, what: &str| {
        findings.push(pack.finding(
            "REF-L24",
            place,
            format!("按敏感信息圈人:“{}”", short(what)),
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
            if let Some(word) = words(set, test).into_iter().find(|word| is_sensitive(word)) {
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

/// What a comparison compares with: written out, or under the name of a parameter.
fn literal<'a>(set: &'a RuleSet, test: &'a Comparison) -> Option<&'a Json> {
    match &test.operand {
        Some(Operand::Literal(json)) => Some(json),
        Some(Operand::Parameter(name)) => set.parameters.get(name),
        Some(Operand::Fact(_)) | None => None,
    }
}

/// The words a comparison names.
pub(super) fn words<'a>(set: &'a RuleSet, test: &'a Comparison) -> Vec<&'a str> {
    match literal(set, test) {
        Some(Json::String(word)) => vec![word],
        Some(Json::Array(items)) => items.iter().filter_map(Json::as_str).collect(),
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
        && &*test.fact.name == "customer.open_complaints"
        && matches!(
            (op, literal),
            (Op::Eq | Op::Lte, Some(0)) | (Op::Lt, Some(1))
        )
}

/// Calls `visit` with every comparison and whether an odd number of `not`s stands above it.
fn signed<'a>(
    condition: &'a Condition,
    negated: bool,
    visit: &mut impl FnMut(&'a Comparison, bool),
) {
    match condition {
        Condition::All(inner) | Condition::Any(inner) => {
            for one in inner {
                signed(one, negated, visit);
            }
        }
        Condition::Not(inner) => signed(inner, !negated, visit),
        Condition::Test(test) => visit(test, negated),
    }
}

/// An audience by age that begins below eighteen; one that begins later is not a segment either, and never compiles.
fn ages(findings: &mut Vec<Finding>, rule: &Rule, pack: &PolicyPack) {
    for segment in rule.audience.iter().filter(|one| one.key == "age") {
        let young = |word: &String| {
            let digits: String = word.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u32>().is_ok_and(|age| age < 18)
        };
        if segment.words.iter().any(young) {
            findings.push(pack.finding(
                "REF-L25",
                &segment.pointer,
                "人群里可能有不满十八岁的人,不能向他们自动营销",
                "删掉“age”:账号只供成年人使用",
            ));
        }
    }
}

/// Any branch that looks for minors is enough, however deep or negated it stands.
fn minors(findings: &mut Vec<Finding>, set: &RuleSet, rule: &Rule, pack: &PolicyPack) {
    let Some(when) = &rule.when else { return };
    signed(when, false, &mut |test, negated| {
        let meaning = test.fact.meaning();
        if meaning.is_ok_and(|meaning| meaning.nature == Nature::Minor) {
            let op = if negated { test.op.negated() } else { test.op };
            let wanted = literal(set, test).and_then(Json::as_bool);
            let excludes = matches!((op, wanted), (Op::Eq, Some(false)) | (Op::Ne, Some(true)));
            if !excludes {
                findings.push(pack.finding(
                    "REF-L25",
                    &test.pointer,
                    "向未成年人自动营销",
                    "排除未成年人",
                ));
            }
        }
    });
}
