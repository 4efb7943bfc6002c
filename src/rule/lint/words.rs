//! Words customers read: superlatives, coercion, void terms (REF-24, REF-39).

use super::PolicyPack;
use crate::rule::document::{EffectKind, RuleSet};
use crate::rule::finding::{Finding, at, short};

/// Names and titles, which stand on the public rule page.
pub(super) fn check(findings: &mut Vec<Finding>, set: &RuleSet, pack: &PolicyPack) {
    text(findings, "/name", &set.name, pack);
    if let Some(organiser) = &set.organiser {
        text(findings, "/organiser", organiser, pack);
    }
    for rule in &set.rules {
        text(findings, &at(&rule.pointer, "title"), &rule.title, pack);
        for effect in &rule.then {
            if let EffectKind::Invite { template, .. } = &effect.kind {
                notice(findings, &at(&effect.pointer, "template"), template, pack);
            }
        }
    }
}

/// REF-L37: what goes out as a one-time subscription message is a service notice. A slug is read by its parts, a title by
/// what it contains.
pub(super) fn notice(findings: &mut Vec<Finding>, pointer: &str, name: &str, pack: &PolicyPack) {
    let padded = format!("-{}-", name.to_lowercase().replace(['_', ' '], "-"));
    let found = pack.marketing_words.iter().find(|word| {
        if word.is_ascii() {
            padded.contains(&format!("-{word}-"))
        } else {
            name.contains(word.as_str())
        }
    });
    if let Some(word) = found {
        let message = format!("“{}”含“{word}”:订阅消息的模板只能是服务通知", short(name));
        let fix = "换成服务类模板;优惠放在小程序内的卡片,或经单独同意的短信";
        findings.push(pack.finding("REF-L37", pointer, message, fix));
    }
}

/// One text: REF-L20, L28, L29, L36.
pub(super) fn text(findings: &mut Vec<Finding>, pointer: &str, text: &str, pack: &PolicyPack) {
    let lists = [
        (
            "REF-L20",
            &pack.paid_praise,
            "用好处换好评",
            "删掉这句话;答谢对任何评分都一样,或者不给",
        ),
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
