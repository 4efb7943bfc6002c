//! Limits: generations, caps, budgets, end dates, quiet hours, frequency, organiser, alarms (REF-07, REF-08, REF-10, REF-12, REF-23).

use super::policy::oftener;
use super::{PolicyPack, gives, invites};
use crate::rule::document::{Cap, EffectKind, Rule, RuleSet};
use crate::rule::finding::{Finding, at};

/// Set-wide: REF-L12, L13, L14, L15 (end date), L34, L42.
pub(super) fn check(findings: &mut Vec<Finding>, set: &RuleSet, pack: &PolicyPack) {
    for key in set.generations.keys() {
        let place = at("/generations", key);
        match key.as_str() {
            "1" => {}
            "2" | "3" => findings.push(pack.finding(
                "REF-L13",
                &place,
                format!("用到了第 {key} 代权益:只给好友本人,但外观上像分级"),
                "可能的话只用一份新人礼",
            )),
            _ => findings.push(pack.finding(
                "REF-L12",
                &place,
                format!("代际“{key}”超过 3 或没有上限"),
                "最多写到第 3 代,只给好友本人",
            )),
        }
    }
    if pack
        .subtree_alarm
        .is_none_or(|alarm| alarm.people > 30 || alarm.levels > 3)
    {
        findings.push(pack.finding(
            "REF-L14",
            "",
            "没有邀请树警报,或警戒线高于 30 人、3 级",
            "把警戒线设回 30 人、3 级",
        ));
    }
    if !pack.self_invite_checks {
        findings.push(pack.finding("REF-L42", "", "没有开启自我邀请检查", "打开自我邀请检查"));
    }
    let campaigns =
        set.inviter_thanks.is_some() || !set.generations.is_empty() || set.rules.iter().any(costs);
    if campaigns && set.to.is_none() {
        findings.push(pack.finding("REF-L15", "/period/to", "活动没有结束日", "写上“period.to”"));
    }
    if campaigns && (set.organiser.is_none() || set.from.is_none()) {
        let missing = if set.organiser.is_none() {
            "/organiser"
        } else {
            "/period/from"
        };
        findings.push(pack.finding(
            "REF-L34",
            missing,
            "活动规则页缺少主办方或起始日",
            "写上“organiser”和“period.from”",
        ));
    }
    let programme = pack.programme_caps(&set.caps);
    let gives = set.inviter_thanks.is_some() || !set.generations.is_empty();
    if gives && (programme.per_inviter.is_empty() || programme.budget_fen.is_none()) {
        findings.push(pack.finding(
            "REF-L15",
            "/caps",
            "新人礼和答谢没有上限或预算",
            "写上“caps.per_inviter”和“caps.budget_fen”",
        ));
    }
    absurd(
        findings,
        "/caps",
        ("per_inviter", &programme.per_inviter),
        programme.budget_fen,
        pack,
    );
}

/// One rule: REF-L15 (caps and budget), L31.
pub(super) fn rule(findings: &mut Vec<Finding>, set: &RuleSet, rule: &Rule, pack: &PolicyPack) {
    if costs(rule) {
        caps(findings, set, rule, pack);
    }
    if invites(rule) {
        quiet(findings, rule, pack);
        frequency(findings, rule, pack);
    }
}

fn costs(rule: &Rule) -> bool {
    gives(rule) || invites(rule)
}

fn caps(findings: &mut Vec<Finding>, set: &RuleSet, rule: &Rule, pack: &PolicyPack) {
    let once = |rule: &Rule| {
        rule.then.iter().all(|effect| match effect.kind {
            EffectKind::Grant { once, .. } => once,
            EffectKind::Invite { .. } => false,
            _ => true,
        })
    };
    let place = at(&rule.pointer, "caps");
    if rule.caps.per_customer.is_empty() && !once(rule) {
        findings.push(pack.finding(
            "REF-L15",
            &place,
            "没有写每人在一段时间内最多几次",
            "写上“caps.per_customer”,如每 30 天 1 次",
        ));
    }
    absurd(
        findings,
        &place,
        ("per_customer", &rule.caps.per_customer),
        rule.caps.budget_fen,
        pack,
    );
    if rule.caps.budget_fen.is_none() && (invites(rule) || spends(set, rule)) {
        findings.push(pack.finding(
            "REF-L15",
            &place,
            "没有写预算",
            "写上“caps.budget_fen”(单位是分)",
        ));
    }
}

/// A cap nobody can reach is no cap.
fn absurd(
    findings: &mut Vec<Finding>,
    place: &str,
    (key, caps): (&str, &[Cap]),
    budget_fen: Option<i64>,
    pack: &PolicyPack,
) {
    if pack.maxima.exceeded_by(caps) {
        findings.push(pack.finding(
            "REF-L15",
            &at(place, key),
            "每人的次数上限高得等于没有",
            "降到每 30 天不超过 12 次;时间写得更长的,总次数也不超过 12 次",
        ));
    }
    if budget_fen.is_some_and(|fen| fen > pack.maxima.budget_fen) {
        findings.push(pack.finding(
            "REF-L15",
            &at(place, "budget_fen"),
            "预算高得等于没有",
            "写上真正批准的预算(分)",
        ));
    }
}

/// Whether a grant of the rule costs money, or nobody knows.
fn spends(set: &RuleSet, rule: &Rule) -> bool {
    rule.then.iter().any(|effect| match &effect.kind {
        EffectKind::Grant { benefit, .. } => {
            let found = set.benefits.get(benefit).and_then(|spec| spec.lawful());
            found.is_none_or(|benefit| benefit.cost_fen() != Some(0))
        }
        _ => false,
    })
}

/// Sending obeys the quiet hours anyway; a schedule that lies wholly or partly in them promises what will not happen.
fn quiet(findings: &mut Vec<Finding>, rule: &Rule, pack: &PolicyPack) {
    let quiet = pack.quiet_hours;
    if rule
        .schedule
        .is_some_and(|hours| hours.from < quiet.to || hours.to > quiet.from)
    {
        findings.push(pack.finding(
            "REF-L31",
            &at(&at(&rule.pointer, "schedule"), "hours"),
            "发送时段落在免打扰时间(21:00–09:00)里",
            "改到 09:00-21:00 之内",
        ));
    }
}

fn frequency(findings: &mut Vec<Finding>, rule: &Rule, pack: &PolicyPack) {
    let Some(most) = pack.invitations else { return };
    let too_often = |cap: &Cap| oftener(*cap, most);
    if !rule.caps.per_customer.is_empty() && rule.caps.per_customer.iter().all(too_often) {
        findings.push(pack.finding(
            "REF-L31",
            &at(&at(&rule.pointer, "caps"), "per_customer"),
            format!(
                "邀约太频繁:每人每 {} 天最多 {} 次",
                most.per.get().num_days(),
                most.times
            ),
            &format!(
                "降到每 {} 天不超过 {} 次",
                most.per.get().num_days(),
                most.times
            ),
        ));
    }
}
