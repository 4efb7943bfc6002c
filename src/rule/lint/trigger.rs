//! What may set a rule off: never a share, a click, a registration, a Moments post or a sensor (REF-05, REF-06).

use super::{PolicyPack, gives, reads, unlocks};
use crate::rule::document::{Beneficiary, EffectKind, Recipient, Rule, Trigger};
use crate::rule::event::EventKind;
use crate::rule::fact::Nature;
use crate::rule::finding::{Finding, at};

/// REF-L08 to REF-L11, REF-L39, and rewards paid too early.
pub(super) fn check(findings: &mut Vec<Finding>, rule: &Rule, pack: &PolicyPack) {
    for (index, trigger) in rule.on.iter().enumerate() {
        let place = at(&at(&rule.pointer, "on"), index);
        match trigger {
            Trigger::Other(name) => unlawful(findings, rule, &place, name, pack),
            Trigger::Known(kind) => early(findings, rule, &place, *kind, pack),
        }
    }
    for (place, label) in reads(rule, Nature::Share) {
        findings.push(share(place, &format!("条件用到“{label}”"), pack));
        if unlocks(rule) {
            findings.push(locked(&rule.pointer, pack));
        }
    }
    for (place, label) in reads(rule, Nature::Biometric) {
        findings.push(pack.finding(
            "REF-L39",
            place,
            format!("不能用“{label}”这类生物识别信息"),
            "删掉这个条件",
        ));
    }
    for (place, label) in reads(rule, Nature::Visit) {
        findings.push(visit(place, &format!("条件用到“{label}”"), pack));
    }
}

fn unlawful(findings: &mut Vec<Finding>, rule: &Rule, place: &str, name: &str, pack: &PolicyPack) {
    let family = name.split(['.', '_']).next().unwrap_or(name);
    let Some(id) = pack
        .triggers
        .get(name)
        .or_else(|| pack.triggers.get(family))
    else {
        return;
    };
    findings.push(match id.as_str() {
        "REF-L08" => share(place, &format!("触发事件“{name}”是转发行为"), pack),
        "REF-L09" => visit(
            place,
            &format!("触发事件“{name}”只是点击、访问或注册"),
            pack,
        ),
        "REF-L10" => pack.finding(id, place, "不能因为发朋友圈给奖励", "删掉这条规则"),
        _ => pack.finding(
            id,
            place,
            format!("不能用“{name}”这类生物识别或传感器事件触发"),
            "删掉这个触发事件",
        ),
    });
    if unlocks(rule) && matches!(id.as_str(), "REF-L08" | "REF-L10") {
        findings.push(locked(&rule.pointer, pack));
    }
}

/// Benefits and features follow a friend's completed order alone (REF-05): not a registration, a payment, a rating or a yes.
fn early(
    findings: &mut Vec<Finding>,
    rule: &Rule,
    place: &str,
    kind: EventKind,
    pack: &PolicyPack,
) {
    use EventKind as E;
    let to_inviter = rule.then.iter().any(|effect| {
        matches!(
            &effect.kind,
            EffectKind::Grant {
                to: Recipient::Known(Beneficiary::Inviter) | Recipient::Other(_),
                ..
            }
        )
    });
    let (gives, unlocks) = (gives(rule), unlocks(rule));
    let rewards = gives || unlocks;
    let fix = "奖励改为在好友订单付款、完成并过了退款期(“referral.qualified”)之后发";
    match kind {
        E::ReferralRedeemed if to_inviter || unlocks => findings.push(visit(
            place,
            "好友刚用了邀请码就奖励邀请人,等于按注册付酬",
            pack,
        )),
        E::PaymentSucceeded if rewards => {
            findings.push(pack.finding("REF-L04", place, "付了钱就有奖励,等于交费换资格", fix));
        }
        E::RatingSubmitted if rewards => {
            findings.push(pack.finding("REF-L20", place, "评了分就有奖励,等于用好处换评价", fix));
        }
        E::ConsentGranted if rewards => findings.push(pack.finding(
            "REF-L23",
            place,
            "给出同意就有奖励或功能,同意就不再是自愿的",
            "奖励和功能与是否同意无关",
        )),
        E::BookingCompleted if unlocks && !gives => findings.push(pack.finding(
            "REF-L05",
            place,
            "要求先消费才开放功能",
            "任何账号都可以使用",
        )),
        E::ReferralReversed if rewards => {
            findings.push(visit(place, "好友的订单已经退款,没有可奖励的", pack));
        }
        E::Partner(_) if rewards => {
            findings.push(visit(place, "奖励没有落在好友完成的订单上", pack));
        }
        E::BookingCompleted
        | E::ComplaintOpened
        | E::ComplaintSlaBreached
        | E::ComplaintResolved
            if gives =>
        {
            findings.push(visit(place, "奖励没有落在好友完成的订单上", pack));
        }
        E::ReferralQualified
        | E::ReferralRedeemed
        | E::ReferralReversed
        | E::PaymentSucceeded
        | E::RatingSubmitted
        | E::ConsentGranted
        | E::Partner(_)
        | E::BookingCompleted
        | E::ComplaintOpened
        | E::ComplaintSlaBreached
        | E::ComplaintResolved => {}
    }
}

fn share(place: &str, what: &str, pack: &PolicyPack) -> Finding {
    pack.finding(
        "REF-L08",
        place,
        format!("{what}:微信不允许按转发给奖励,转发结果也无法得知"),
        "改用好友订单付款、完成并过了退款期(“referral.qualified”)",
    )
}

fn visit(place: &str, what: &str, pack: &PolicyPack) -> Finding {
    pack.finding(
        "REF-L09",
        place,
        what,
        "改用好友订单付款、完成并过了退款期(“referral.qualified”)",
    )
}

fn locked(place: &str, pack: &PolicyPack) -> Finding {
    pack.finding(
        "REF-L11",
        place,
        "不能把功能、价格或内容锁在转发后面",
        "对所有人开放",
    )
}
