//! Spans, caps, benefits and effects in words.

use super::{Favours, money};
use crate::kernel::Span;
use crate::rule::document::{
    Beneficiary, Benefit, Cap, EffectKind, Recipient, RuleSet, SendAt, Trigger,
};
use crate::rule::value::yuan;

/// `30 天`, `2 小时`.
pub(super) fn span(span: Span) -> String {
    let seconds = span.get().num_seconds();
    let whole = |unit: i64| seconds != 0 && seconds % unit == 0;
    if whole(86_400) {
        format!("{} 天", seconds / 86_400)
    } else if whole(3_600) {
        format!("{} 小时", seconds / 3_600)
    } else if whole(60) {
        format!("{} 分钟", seconds / 60)
    } else {
        format!("{seconds} 秒")
    }
}

/// A span that limits how long people may use something; none is for ever.
pub(super) fn span_change(
    old: Option<Span>,
    new: Option<Span>,
    what: &str,
) -> Option<(String, Favours)> {
    let seconds = |one: Option<Span>| one.map_or(i64::MAX, |one| one.get().num_seconds());
    let show = |one: Option<Span>| one.map_or_else(|| "不限".to_owned(), span);
    (seconds(old) != seconds(new)).then(|| {
        let text = format!("{what}由 {} 改为 {}", show(old), show(new));
        (text, Favours::of(&seconds(old), &seconds(new)))
    })
}

fn cap(cap: &Cap) -> String {
    format!("每 {} 至多 {} 次", span(cap.per), cap.times)
}

fn caps(caps: &[Cap]) -> String {
    if caps.is_empty() {
        return "不限".to_owned();
    }
    caps.iter().map(cap).collect::<Vec<_>>().join("、")
}

/// Whether everything one list of caps lets through the other does, too.
fn within(inner: &[Cap], outer: &[Cap]) -> bool {
    // A cap holds if some cap of the other list is at least as tight over at least as long.
    outer.iter().all(|limit| {
        inner
            .iter()
            .any(|tight| tight.times <= limit.times && tight.per.get() >= limit.per.get())
    })
}

/// Caps are compared as a whole: tighter, looser, or neither.
pub(super) fn caps_change([old, new]: [&[Cap]; 2], what: &str) -> Option<(String, Favours)> {
    let sorted = |caps: &[Cap]| {
        let mut keys: Vec<(i64, u32)> = caps
            .iter()
            .map(|cap| (cap.per.get().num_seconds(), cap.times))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    };
    if sorted(old) == sorted(new) {
        return None;
    }
    let favours = match (within(new, old), within(old, new)) {
        (true, false) => Favours::Company,
        (false, true) => Favours::Customers,
        _ => Favours::Neither,
    };
    Some((
        format!("{what}由 {} 改为 {}", caps(old), caps(new)),
        favours,
    ))
}

pub(super) fn budget_change(
    old: Option<i64>,
    new: Option<i64>,
    what: &str,
) -> Option<(String, Favours)> {
    let most = |fen: Option<i64>| fen.unwrap_or(i64::MAX);
    (old != new).then(|| {
        let text = format!("{what}由 {} 改为 {}", money(old), money(new));
        (text, Favours::of(&most(old), &most(new)))
    })
}

/// What is given, without its time.
pub(super) fn thing(benefit: &Benefit) -> String {
    match benefit {
        Benefit::PriceOff { fen, .. } => format!("首单立减 {}", yuan(*fen)),
        Benefit::Coupon { fen, .. } => format!("{} 自用券", yuan(*fen)),
        Benefit::Goods { sku, value_fen, .. } => match value_fen {
            Some(fen) => format!("礼品 {sku}(值 {})", yuan(*fen)),
            None => format!("礼品 {sku}"),
        },
        Benefit::Privilege { privilege, .. } => format!("服务权益 {privilege}"),
    }
}

pub(super) fn benefit(benefit: &Benefit) -> String {
    match benefit.expires_after() {
        Some(lasts) => format!("{},{}内有效", thing(benefit), span(lasts)),
        None => thing(benefit),
    }
}

pub(super) fn trigger(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Known(kind) => kind.label().to_owned(),
        Trigger::Other(name) => format!("“{name}”"),
    }
}

/// What an effect does. Its times are told apart from it, so that a longer one is not another effect.
pub(super) fn effect(set: &RuleSet, effect: &EffectKind) -> String {
    match effect {
        EffectKind::Invite { template, send, .. } => {
            let when = match send {
                SendAt::BestHour => "择时",
                SendAt::Now => "立即",
            };
            format!("{when}邀请推荐(文案 {template})")
        }
        EffectKind::Grant {
            to, benefit, once, ..
        } => {
            let to = match to {
                Recipient::Known(Beneficiary::Invitee) => "新朋友",
                Recipient::Known(Beneficiary::Inviter) => "邀请人",
                Recipient::Other(other) => other,
            };
            let once = if *once { "(一生一次)" } else { "" };
            format!("给{to} {}{once}", super::named(set, benefit))
        }
        EffectKind::SuppressInvitations { appeal, .. } => {
            let appeal = if *appeal {
                "(可申诉)"
            } else {
                "(不可申诉)"
            };
            format!("暂停邀约{appeal}")
        }
        EffectKind::Tag { tag } => format!("打标签“{tag}”"),
        EffectKind::NotifyStaff { text, role } => match role {
            Some(role) => format!("通知员工({role}):“{text}”"),
            None => format!("通知员工:“{text}”"),
        },
        EffectKind::Unlock { feature } => format!("开放功能 {feature}"),
        EffectKind::Never { name, .. } => format!("“{name}”(不会执行)"),
    }
}

/// How long what an effect gives, or takes, lasts.
pub(super) fn lasting(effect: &EffectKind) -> Option<Span> {
    match effect {
        EffectKind::Invite { expires_after, .. } | EffectKind::Grant { expires_after, .. } => {
            *expires_after
        }
        EffectKind::SuppressInvitations { lasts, .. } => Some(*lasts),
        EffectKind::Tag { .. }
        | EffectKind::NotifyStaff { .. }
        | EffectKind::Unlock { .. }
        | EffectKind::Never { .. } => None,
    }
}
