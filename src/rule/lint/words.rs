//! Words customers read: superlatives, coercion, void terms (REF-24, REF-39).

use super::PolicyPack;
use crate::rule::document::RuleSet;
use crate::rule::finding::{Finding, at};

/// Names and titles, which stand on the public rule page.
pub(super) fn check(findings: &mut Vec<Finding>, set: &RuleSet, pack: &PolicyPack) {
    text(findings, "/name", &set.name, pack);
    for rule in &set.rules {
        text(findings, &at(&rule.pointer, "title"), &rule.title, pack);
    }
}

/// One text: REF-L28, L29, L36.
pub(super) fn text(findings: &mut Vec<Finding>, pointer: &str, text: &str, pack: &PolicyPack) {
    let lists = [
        (
            "REF-L28",
            &pack.superlatives,
            "绝对化或无法证实的说法",
            "改成平实的说法",
        ),
        (
            "REF-L29",
            &pack.coercive,
            "诱导、胁迫分享或夸大收益",
            "改成平实的说法",
        ),
        ("REF-L36", &pack.void_terms, "无效的格式条款", "删掉这句话"),
    ];
    for (id, words, what, fix) in lists {
        if let Some(word) = words.iter().find(|word| text.contains(word.as_str())) {
            findings.push(pack.finding(id, pointer, format!("“{word}”是{what}"), fix));
        }
    }
}
