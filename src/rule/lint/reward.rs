//! Who may receive what, and on what it may rest (REF-01 to REF-05, REF-09, REF-11).

use super::{PolicyPack, gives, reads, unlocks};
use crate::rule::document::{
    Beneficiary, Benefit, BenefitSpec, EffectKind, Recipient, Rule, RuleSet,
};
use crate::rule::fact::Nature;
use crate::rule::finding::{Finding, at, short};

/// Benefits themselves: REF-L06, L07, L18, L19, L41.
pub(super) fn benefits(findings: &mut Vec<Finding>, set: &RuleSet, pack: &PolicyPack) {
    for spec in set.benefits.values() {
        match spec {
            BenefitSpec::Lawful {
                pointer,
                transferable: true,
                ..
            } => {
                findings.push(pack.finding(
                    "REF-L06",
                    pointer,
                    "权益不能转让、不能提现",
                    "改成仅限本人使用的券或服务权益",
                ));
            }
            BenefitSpec::Lawful {
                pointer, benefit, ..
            } => named(findings, pointer, benefit, pack),
            BenefitSpec::Unlawful { pointer, kind, .. } => {
                if let Some(id) = pack.kinds.get(kind) {
                    findings.push(unlawful(id, &at(pointer, "kind"), kind, pack));
                }
            }
        }
    }
}

/// Cash, leave, luck or insurance under the name of goods or of a privilege (REF-02, REF-13).
fn named(findings: &mut Vec<Finding>, pointer: &str, benefit: &Benefit, pack: &PolicyPack) {
    let (field, slug) = match benefit {
        Benefit::Goods { sku, .. } => ("sku", sku),
        Benefit::Privilege { privilege, .. } => ("privilege", privilege),
        Benefit::PriceOff { .. } | Benefit::Coupon { .. } => return,
    };
    for (id, word) in slug_words(slug, pack) {
        findings.push(unlawful(id, &at(pointer, field), word, pack));
    }
}

/// The lints whose words a slug contains, with the word, whole or with digits about it (`cash100`).
fn slug_words<'a>(
    slug: &str,
    pack: &'a PolicyPack,
) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
    let parts: Vec<&str> = slug
        .split(['-', '_'])
        .map(|part| part.trim_matches(|digit: char| digit.is_ascii_digit()))
        .collect();
    let padded = format!("-{}-", parts.join("-"));
    pack.slug_words.iter().filter_map(move |(id, words)| {
        let mut words = words.iter().map(String::as_str);
        let word = words.find(|word| padded.contains(&format!("-{word}-")))?;
        Some((id.as_str(), word))
    })
}

fn unlawful(id: &str, place: &str, kind: &str, pack: &PolicyPack) -> Finding {
    let (message, fix) = match id {
        "REF-L07" => ("邀请人的奖励不能按好友订单的百分比算", "改成固定金额的券"),
        "REF-L18" => ("不能拿休假当奖品", "改成按自己服务质量发的奖金,走工资"),
        "REF-L19" => ("分享活动的结果不能靠运气", "改成固定的权益"),
        // The engine gives no insurance whatever anybody approves; what may be approved is a link to whoever may sell it.
        "REF-L41" => (
            "保险只能由持牌机构销售,系统不发保险",
            "删掉它,或改成只给持牌机构链接的“privilege”,由另一个人核对后批准",
        ),
        _ => (
            "奖励不能是现金、红包、可提现或可转让的余额",
            "改成仅限本人使用的券或服务权益",
        ),
    };
    pack.finding(id, place, format!("“{}”:{message}", short(kind)), fix)
}

/// One rule: recipients, bases and the conditions its rewards depend on.
pub(super) fn check(findings: &mut Vec<Finding>, set: &RuleSet, rule: &Rule, pack: &PolicyPack) {
    for effect in &rule.then {
        if let EffectKind::Grant { to, hop, basis, .. } = &effect.kind {
            if matches!(to, Recipient::Other(_)) || hop.is_some_and(|hop| hop != 1) {
                let field = if matches!(to, Recipient::Other(_)) {
                    "to"
                } else {
                    "hop"
                };
                findings.push(pack.finding(
                    "REF-L01",
                    &at(&effect.pointer, field),
                    "奖励只能给好友本人或直接邀请他的人,不能再往上发",
                    "改成“invitee”或“inviter”",
                ));
            }
            if let Some(id) = basis.as_ref().and_then(|basis| pack.bases.get(basis)) {
                findings.push(pack.finding(
                    id,
                    &at(&effect.pointer, "basis"),
                    "奖励不能按人头、团队、比例、排名或运气算",
                    "改成固定的权益",
                ));
            }
        }
    }
    for effect in &rule.then {
        if let EffectKind::Unlock { feature } = &effect.kind {
            let place = at(&effect.pointer, "feature");
            let found = slug_words(feature, pack);
            findings.extend(found.map(|(id, word)| unlawful(id, &place, word, pack)));
        }
    }
    if !gives(rule) && !unlocks(rule) {
        return;
    }
    for (nature, id, message, fix) in DEPENDENCIES {
        for (place, label) in reads(rule, nature) {
            findings.push(pack.finding(id, place, format!("奖励取决于“{label}”:{message}"), fix));
        }
    }
    headcount_without_limit(findings, rule, pack);
    price_by_profile(findings, set, rule, pack);
}

/// What no reward may depend on.
pub(super) const DEPENDENCIES: [(Nature, &str, &str, &str); 7] = [
    (
        Nature::Payment,
        "REF-L04",
        "等于交入门费换资格",
        "预存只能用来决定何时邀约:把条件移到邀约规则,奖励改为好友订单完成后发",
    ),
    (
        Nature::Purchase,
        "REF-L05",
        "要求先消费才有资格",
        "任何账号都可以参加",
    ),
    (
        Nature::Headcount,
        "REF-L02",
        "等于按邀请人数付酬",
        "改为好友订单完成后的固定权益,并设上限",
    ),
    (
        Nature::Team,
        "REF-L03",
        "等于按团队业绩付酬",
        "改成固定的券",
    ),
    (Nature::Ranking, "REF-L17", "不能给客户排名发奖", "删掉排名"),
    (
        Nature::Rating,
        "REF-L20",
        "等于用好处换好评",
        "评分只能用来决定何时邀约;答谢对任何评分都一样,或者不给",
    ),
    (
        Nature::Consent,
        "REF-L23",
        "等于用好处换同意,同意就不再是自愿的",
        "删掉这个条件:奖励和功能与是否同意无关",
    ),
];

/// A perk after several friends' completed orders must be given once, or be capped.
fn headcount_without_limit(findings: &mut Vec<Finding>, rule: &Rule, pack: &PolicyPack) {
    let unlimited = rule.caps.per_customer.is_empty()
        && rule
            .then
            .iter()
            .any(|effect| matches!(effect.kind, EffectKind::Grant { once: false, .. }));
    if unlimited && let Some((place, label)) = reads(rule, Nature::Qualified).first() {
        findings.push(pack.finding(
            "REF-L02",
            place,
            format!("奖励随“{label}”不断重复,等于按人数付酬"),
            "写上“\"once\": true”,或“caps.per_customer”",
        ));
    }
}

/// REF-L30: the price a person pays does not depend on his profile.
fn price_by_profile(findings: &mut Vec<Finding>, set: &RuleSet, rule: &Rule, pack: &PolicyPack) {
    let priced = rule.then.iter().any(|effect| match &effect.kind {
        EffectKind::Grant { benefit, to, .. } => {
            matches!(
                to,
                Recipient::Known(Beneficiary::Invitee | Beneficiary::Inviter)
            ) && matches!(
                set.benefits.get(benefit).and_then(BenefitSpec::lawful),
                Some(Benefit::PriceOff { .. } | Benefit::Coupon { .. })
            )
        }
        _ => false,
    });
    if priced {
        for (place, label) in reads(rule, Nature::Profile) {
            findings.push(pack.finding(
                "REF-L30",
                place,
                format!("价格或优惠取决于“{label}”"),
                "改用公开的标准(城市、服务项目)",
            ));
        }
    }
}
