//! What a document declares beside its rules: alarms, prompts, the page, consent claims, cards, partners (REF-L14, L22, L23,
//! L32, L34, L35, L38, L42).

use super::{PolicyPack, reads};
use crate::kernel::Span;
use crate::rule::declared::SubtreeLine;
use crate::rule::document::{BenefitSpec, EffectKind, Rule, RuleSet};
use crate::rule::fact::Nature;
use crate::rule::finding::{Finding, at, short};
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// Set-wide: REF-L14, L23, L34, L35, L42.
pub(super) fn check(findings: &mut Vec<Finding>, set: &RuleSet, pack: &PolicyPack) {
    let checks = &set.declared.checks;
    let too_high = match checks.subtree {
        None => false,
        Some(SubtreeLine::Off) => true,
        Some(SubtreeLine::At { people, levels }) => people > 30 || levels > 3,
    };
    if too_high {
        findings.push(pack.finding(
            "REF-L14",
            "/checks/subtree",
            "邀请树的警戒线被关掉,或高于 30 人、3 级",
            "删掉“checks”里的“subtree”;系统还不会自动报警,请员工自己留意 30 人、3 级这条线",
        ));
    }
    if checks.self_invite == Some(false) {
        findings.push(pack.finding(
            "REF-L42",
            "/checks/self_invite",
            "写了不查自我邀请(系统仍会查)",
            "删掉“self_invite”,或改成“true”",
        ));
    }
    if set.declared.page == Some(false) {
        findings.push(pack.finding(
            "REF-L34",
            "/publish/page",
            "活动没有公开的规则页",
            "删掉“publish”:发布后系统自动生成规则页",
        ));
    }
    prompts(findings, set, pack);
    for spec in set.benefits.values() {
        if let BenefitSpec::Unlawful {
            pointer,
            kind,
            json,
        } = spec
            && pack.prepaid.kinds.contains(kind)
        {
            prepaid(findings, (pointer, kind), json, pack);
        }
    }
}

fn prompts(findings: &mut Vec<Finding>, set: &RuleSet, pack: &PolicyPack) {
    for prompt in set.declared.prompts.values() {
        let soon = prompt.again_after.is_some_and(|span| {
            pack.ask_again_after
                .is_none_or(|least| span.get() < least.get())
        });
        let faults = [
            (
                prompt.blocking,
                "blocking",
                "不同意就不能下单",
                "删掉“blocking”:不同意也能继续下单",
            ),
            (
                prompt.preticked,
                "preticked",
                "同意框预先打了勾",
                "删掉“preticked”:由客户自己选",
            ),
            (
                soon,
                "again_after",
                "拒绝后不到 90 天又问一遍",
                "把“again_after”改成“P90D”或更长",
            ),
        ];
        for (_, field, message, fix) in faults.into_iter().filter(|(found, ..)| *found) {
            findings.push(pack.finding("REF-L23", &at(&prompt.pointer, field), message, fix));
        }
    }
}

/// Cards and bonuses on money paid in: refund terms, limits, expiry (REF-31, REF-36).
fn prepaid(
    findings: &mut Vec<Finding>,
    (pointer, kind): (&str, &str),
    json: &Json,
    pack: &PolicyPack,
) {
    let terms = json.get("refund_terms").and_then(Json::as_str);
    if terms.is_none_or(|text| text.trim().is_empty()) {
        findings.push(pack.finding(
            "REF-L35",
            pointer,
            format!("“{}”没有写退款约定", short(kind)),
            "写上“refund_terms”:七日内无理由退本金,之后按折扣前价扣除已用部分",
        ));
    }
    let named = json.get("named").and_then(Json::as_bool).unwrap_or(false);
    let most = if named {
        pack.prepaid.named_fen
    } else {
        pack.prepaid.unnamed_fen
    };
    if json
        .get("fen")
        .is_some_and(|fen| fen.as_i64().is_none_or(|fen| fen > most))
    {
        findings.push(pack.finding(
            "REF-L35",
            &at(pointer, "fen"),
            format!(
                "{}卡超过 {} 元的限额",
                if named { "记名" } else { "不记名" },
                most / 100
            ),
            "把面值降到限额之内",
        ));
    }
    let Some(expiry) = json.get("expires_after") else {
        return;
    };
    let lasts: Option<Span> = expiry.as_str().and_then(|text| text.parse().ok());
    let too_short = pack
        .prepaid
        .unnamed_lasts
        .is_none_or(|least| lasts.is_none_or(|lasts| lasts.get() < least.get()));
    if named || too_short {
        let (message, fix) = if named {
            ("记名卡不能设有效期", "删掉“expires_after”")
        } else {
            (
                "不记名卡的有效期不得少于三年",
                "把“expires_after”改成“P1095D”或更长",
            )
        };
        findings.push(pack.finding("REF-L35", &at(pointer, "expires_after"), message, fix));
    }
}

/// One rule: REF-L22, L32 and L38 by what it claims and by what the engine never does.
pub(super) fn rule(findings: &mut Vec<Finding>, rule: &Rule, pack: &PolicyPack) {
    consent(findings, rule, pack);
    for effect in &rule.then {
        if let EffectKind::Never { name, json } = &effect.kind {
            match pack.effects.get(name).map(String::as_str) {
                Some("REF-L38") => partner(findings, &effect.pointer, json, pack),
                Some(id) if json.get("appeal") != Some(&Json::Bool(true)) => {
                    findings.push(pack.finding(
                        id,
                        &effect.pointer,
                        "自动取消已得的权益或处罚服务人员,而没有申诉途径",
                        "改成“suppress_invitations”并写“\"appeal\": true”:只停发邀约,其余由人复核",
                    ));
                }
                Some(_) | None => {}
            }
        }
    }
}

fn partner(findings: &mut Vec<Finding>, pointer: &str, json: &Json, pack: &PolicyPack) {
    let said = |key: &str| {
        let text = json.get(key).and_then(Json::as_str).unwrap_or_default();
        !text.trim().is_empty()
    };
    let parts = [
        ("recipient_id", "接收方(“recipient_id”)"),
        ("contract_id", "合同(“contract_id”)"),
        ("consent", "单独同意(“consent”)"),
    ];
    let missing: Vec<&str> = parts
        .into_iter()
        .filter(|(key, _)| !said(key))
        .map(|(_, what)| what)
        .collect();
    if !missing.is_empty() {
        findings.push(pack.finding(
            "REF-L38",
            pointer,
            format!("向合作方提供资料,但没有写{}", missing.join("、")),
            "删掉它:对外提供资料不经规则集,先签合同并逐个接收方征求单独同意",
        ));
    }
}

/// The consents a rule needs, whether it says so or not: those of its facts, and those of its effects.
fn needed(rule: &Rule) -> BTreeSet<&'static str> {
    let facts = rule.facts().into_iter();
    let of_facts = facts.filter_map(|(_, fact)| fact.meaning().ok()?.consent);
    let of_effects = rule.then.iter().filter_map(|effect| match effect.kind {
        EffectKind::Invite { .. } | EffectKind::Tag { .. } => Some("referral_profiling"),
        EffectKind::Grant { .. } => Some("referral_link"),
        EffectKind::SuppressInvitations { .. }
        | EffectKind::NotifyStaff { .. }
        | EffectKind::Unlock { .. }
        | EffectKind::Never { .. } => None,
    });
    of_facts
        .map(|(purpose, _)| purpose)
        .chain(of_effects)
        .collect()
}

fn label(purpose: &str) -> &str {
    match purpose {
        "referral_profiling" => "推荐分析",
        "referral_link" => "邀请关系",
        other => other,
    }
}

fn consent(findings: &mut Vec<Finding>, rule: &Rule, pack: &PolicyPack) {
    for (place, label) in reads(rule, Nature::Ungated) {
        findings.push(pack.finding(
            "REF-L22",
            &at(place, "fact"),
            format!("用到“{label}”,而没有可以凭以读取它的单独同意"),
            "删掉这个条件,改用事实目录里的事实",
        ));
    }
    let Some(claim) = &rule.consent else { return };
    let needed = needed(rule);
    let missing: Vec<&str> = match &claim.purposes {
        None => needed.iter().map(|purpose| label(purpose)).collect(),
        Some(listed) => needed
            .iter()
            .filter(|purpose| !listed.iter().any(|one| one == **purpose))
            .map(|purpose| label(purpose))
            .collect(),
    };
    if !missing.is_empty() {
        findings.push(pack.finding(
            "REF-L22",
            &claim.pointer,
            format!(
                "这条规则需要“{}”的单独同意,却写成不需要",
                missing.join("”“")
            ),
            "删掉“consent”:系统按用到的资料自己检查每一项同意",
        ));
    }
}
