//! Two versions of one rule.

use super::{Favours, Found, Part, condition, words};
use crate::rule::document::{EffectKind, EffectSpec, Hours, Rule, RuleSet, Segment};
use std::collections::BTreeSet;

/// Whom a rule does good when it fires: asking and giving is good for people, pausing is not, the rest is neither.
pub(super) fn boon(rule: &Rule) -> Favours {
    let gives = |spec: &EffectSpec| {
        matches!(
            spec.kind,
            EffectKind::Invite { .. } | EffectKind::Grant { .. } | EffectKind::Unlock { .. }
        )
    };
    let takes = |spec: &EffectSpec| matches!(spec.kind, EffectKind::SuppressInvitations { .. });
    match (rule.then.iter().any(gives), rule.then.iter().any(takes)) {
        (true, false) => Favours::Customers,
        (false, true) => Favours::Company,
        _ => Favours::Neither,
    }
}

/// A new rule in one sentence.
pub(super) fn summary(set: &RuleSet, rule: &Rule) -> String {
    let on: Vec<String> = rule.on.iter().map(words::trigger).collect();
    let asked: Vec<String> = condition::asked(set, rule.when.as_ref())
        .iter()
        .map(condition::words)
        .collect();
    let then: Vec<String> = rule
        .then
        .iter()
        .map(|spec| words::effect(set, &spec.kind))
        .collect();
    let when = if asked.is_empty() {
        String::new()
    } else {
        format!(",当{}", asked.join(" 且 "))
    };
    format!("{}时{when},{}", on.join("或"), then.join("、"))
}

/// One rule being compared.
struct Both<'a> {
    out: &'a mut Found,
    id: &'a str,
    title: &'a str,
}

impl Both<'_> {
    fn say(&mut self, text: &str, favours: Favours) {
        let text = format!("规则“{}”({}):{text}", self.title, self.id);
        self.out.changed(Part::Rule, Some(self.id), text, favours);
    }
}

pub(super) fn compare(
    out: &mut Found,
    (old_set, old): (&RuleSet, &Rule),
    (new_set, new): (&RuleSet, &Rule),
) {
    let boon = boon(new);
    let mut both = Both {
        out,
        id: &new.id,
        title: &new.title,
    };
    if old.title != new.title {
        let text = format!("名称由“{}”改为“{}”", old.title, new.title);
        both.say(&text, Favours::Neither);
    }
    triggers(&mut both, old, new, boon);
    let asked = |set: &RuleSet, rule: &Rule| condition::asked(set, rule.when.as_ref());
    for (text, harder) in condition::changes(&asked(old_set, old), &asked(new_set, new)) {
        both.say(&text, condition::favours(boon, harder));
    }
    effects(&mut both, (old_set, old), (new_set, new));
    let limits = [
        words::caps_change([&old.caps.per_customer, &new.caps.per_customer], "每人上限"),
        words::caps_change([&old.caps.per_rule, &new.caps.per_rule], "整条规则的上限"),
        words::budget_change(old.caps.budget_fen, new.caps.budget_fen, "预算"),
    ];
    for (text, favours) in limits.into_iter().flatten() {
        both.say(&text, favours);
    }
    audience(&mut both, old, new, boon);
    when_and_how(&mut both, old, new);
}

fn triggers(both: &mut Both<'_>, old: &Rule, new: &Rule, boon: Favours) {
    for gone in old.on.iter().filter(|on| !new.on.contains(on)) {
        let text = format!("不再在{}时触发", words::trigger(gone));
        both.say(&text, boon.turned());
    }
    for came in new.on.iter().filter(|on| !old.on.contains(on)) {
        both.say(&format!("也在{}时触发", words::trigger(came)), boon);
    }
}

/// Effects are the same when they do the same; how long that lasts is told apart.
fn effects(
    both: &mut Both<'_>,
    (old_set, old): (&RuleSet, &Rule),
    (new_set, new): (&RuleSet, &Rule),
) {
    let good = |kind: &EffectKind| match kind {
        EffectKind::Invite { .. } | EffectKind::Grant { .. } | EffectKind::Unlock { .. } => {
            Favours::Customers
        }
        EffectKind::SuppressInvitations { .. } => Favours::Company,
        EffectKind::Tag { .. } | EffectKind::NotifyStaff { .. } | EffectKind::Never { .. } => {
            Favours::Neither
        }
    };
    let mut left: Vec<&EffectKind> = new.then.iter().map(|spec| &spec.kind).collect();
    for was in old.then.iter().map(|spec| &spec.kind) {
        let twin = left.iter().position(|is| same(was, is));
        let Some(is) = twin.map(|index| left.remove(index)) else {
            let text = format!("取消效果“{}”", words::effect(old_set, was));
            both.say(&text, good(was).turned());
            continue;
        };
        let (lasted, lasts) = (words::lasting(was), words::lasting(is));
        let what = format!("“{}”的期限", words::effect(new_set, is));
        if let Some((text, favours)) = words::span_change(lasted, lasts, &what) {
            let favours = if good(is) == Favours::Company {
                favours.turned()
            } else {
                favours
            };
            both.say(&text, favours);
        }
    }
    for came in left {
        let text = format!("新增效果“{}”", words::effect(new_set, came));
        both.say(&text, good(came));
    }
}

fn same(one: &EffectKind, other: &EffectKind) -> bool {
    // What is given is compared by its name: a benefit that changed is told once, with the benefits.
    match (one, other) {
        (
            EffectKind::Invite { template, send, .. },
            EffectKind::Invite {
                template: other_template,
                send: other_send,
                ..
            },
        ) => (template, send) == (other_template, other_send),
        (
            EffectKind::Grant {
                to,
                benefit,
                once,
                hop,
                basis,
                ..
            },
            EffectKind::Grant {
                to: other_to,
                benefit: other_benefit,
                once: other_once,
                hop: other_hop,
                basis: other_basis,
                ..
            },
        ) => {
            (to, benefit, once, hop, basis)
                == (other_to, other_benefit, other_once, other_hop, other_basis)
        }
        (
            EffectKind::SuppressInvitations { appeal, .. },
            EffectKind::SuppressInvitations { appeal: other, .. },
        ) => appeal == other,
        _ => one == other,
    }
}

fn audience(both: &mut Both<'_>, old: &Rule, new: &Rule, boon: Favours) {
    let label = |key: &str| match key {
        "city" => "城市".to_owned(),
        "area" => "区域".to_owned(),
        "service" => "服务".to_owned(),
        other => other.to_owned(),
    };
    let of = |rule: &Rule, key: &str| -> Option<BTreeSet<String>> {
        let found = rule.audience.iter().find(|segment| segment.key == key);
        found.map(|segment: &Segment| segment.words.iter().cloned().collect())
    };
    let keys: BTreeSet<&str> = old
        .audience
        .iter()
        .chain(&new.audience)
        .map(|segment| segment.key.as_str())
        .collect();
    for key in keys {
        let (was, is) = (of(old, key), of(new, key));
        if was == is {
            continue;
        }
        let favours = match (&was, &is) {
            (None, Some(_)) => boon.turned(),
            (Some(_), None) => boon,
            (Some(was), Some(is)) if is.is_subset(was) => boon.turned(),
            (Some(was), Some(is)) if is.is_superset(was) => boon,
            _ => Favours::Neither,
        };
        let show = |words: &Option<BTreeSet<String>>| match words {
            None => "不限".to_owned(),
            Some(words) => words.iter().cloned().collect::<Vec<_>>().join("、"),
        };
        let text = format!("人群的{}由 {} 改为 {}", label(key), show(&was), show(&is));
        both.say(&text, favours);
    }
}

fn when_and_how(both: &mut Both<'_>, old: &Rule, new: &Rule) {
    if old.schedule != new.schedule {
        let text = format!(
            "时段由 {} 改为 {}",
            hours(old.schedule),
            hours(new.schedule)
        );
        both.say(&text, Favours::Neither);
    }
    if old.priority != new.priority {
        let text = format!("优先级由 {} 改为 {}", old.priority, new.priority);
        both.say(&text, Favours::Neither);
    }
    if old.exclusive_group != new.exclusive_group {
        let show = |group: &Option<String>| group.clone().unwrap_or_else(|| "无".to_owned());
        let text = format!(
            "互斥组由 {} 改为 {}",
            show(&old.exclusive_group),
            show(&new.exclusive_group)
        );
        both.say(&text, Favours::Neither);
    }
}

fn hours(hours: Option<Hours>) -> String {
    let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
    hours.map_or_else(
        || "不限".to_owned(),
        |hours| format!("{}-{}", clock(hours.from), clock(hours.to)),
    )
}
