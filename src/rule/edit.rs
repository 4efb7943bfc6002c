//! What an edit does to promises already made (REF-12, REF-L33): a campaign that runs is changed in people's favour or not at all.
//!
//! Invitations, suppressions, tags and tasks are not promises; welcomes, thanks, grants and features are. Where it cannot be
//! shown that everybody who would have received something still does, the edit counts as lowering.

use super::analyse::Region;
use super::compile::{CompiledRule, CompiledRuleSet, compile};
use super::decision::{Action, NamedBenefit};
use super::document::{Beneficiary, Benefit, Cap, RuleSet};
use super::finding::{Finding, at, short};
use super::lint::PolicyPack;
use super::plain::benefit_words as words;
use super::tree::Node;
use super::value::yuan;
use crate::kernel::Span;
use chrono::NaiveDate;

mod turn;

/// REF-L33: what of `old`, in force, `new` would lower if it took its place on the business date `on`. Pointers are into `new`.
/// Nothing to say when `old` has not begun, is over, or promises nothing.
pub fn lint_edit(old: &RuleSet, new: &RuleSet, pack: &PolicyPack, on: NaiveDate) -> Vec<Finding> {
    let (Ok(was), Ok(will)) = (compile(old), compile(new)) else {
        // What does not compile is refused for that.
        return Vec::new();
    };
    if !was.in_period(on) || !promises(&was) {
        return Vec::new();
    }
    let mut edit = Edit {
        findings: Vec::new(),
        pack,
        ends: was.to,
    };
    edit.period(&was, &will, on);
    for (key, generation) in [("1", 1), ("2", 2), ("3", 3)] {
        if let Some(gift) = was.welcome(generation) {
            let what = format!("第 {key} 代好友的权益");
            edit.gift(
                &at("/generations", key),
                &what,
                gift,
                will.welcome(generation),
            );
        }
    }
    if let Some(gift) = &was.inviter_thanks {
        edit.gift(
            "/inviter_thanks",
            "给邀请人的答谢",
            gift,
            will.inviter_thanks.as_ref(),
        );
    }
    if welcomes_or_thanks(&was) {
        let (before, after) = (
            pack.programme_caps(&old.caps),
            pack.programme_caps(&new.caps),
        );
        edit.caps(
            "/caps",
            ("per_inviter", &before.per_inviter, &after.per_inviter),
        );
        edit.budget("/caps", before.budget_fen, after.budget_fen);
    }
    for rule in was.rules.iter().filter(|rule| gives(rule)) {
        match will.rules.iter().find(|found| found.id == rule.id) {
            Some(found) => edit.rule(rule, found),
            None => edit.lowered(
                "/rules",
                format!("规则“{}”没有了,它承诺的权益也就没有了", short(&rule.title)),
            ),
        }
    }
    for (rule, first) in turn::lost(&was, &will) {
        edit.lowered(
            &at(&rule.pointer, "exclusive_group"),
            match first {
                Some(first) => format!(
                    "规则“{}”会被同组的“{}”抢先",
                    short(&rule.title),
                    short(&first.title)
                ),
                None => format!(
                    "同组改动太多,看不出规则“{}”会不会被抢先",
                    short(&rule.title)
                ),
            },
        );
    }
    edit.findings
}

fn promises(set: &CompiledRuleSet) -> bool {
    welcomes_or_thanks(set) || set.rules.iter().any(|rule| gives(rule))
}

fn welcomes_or_thanks(set: &CompiledRuleSet) -> bool {
    set.inviter_thanks.is_some() || (1..=3).any(|generation| set.welcome(generation).is_some())
}

fn gives(rule: &CompiledRule) -> bool {
    rule.effects
        .iter()
        .any(|effect| matches!(effect, Action::Grant { .. } | Action::Unlock { .. }))
}

struct Edit<'a> {
    findings: Vec<Finding>,
    pack: &'a PolicyPack,
    ends: Option<NaiveDate>,
}

/// One grant of a rule.
struct Grant<'a> {
    to: Beneficiary,
    gift: &'a NamedBenefit,
    once: bool,
    expires_after: Option<Span>,
}

impl Edit<'_> {
    fn lowered(&mut self, pointer: &str, message: impl Into<String>) {
        let fix = match self.ends {
            Some(day) => format!("改回去;要降低就另起一个新活动,从 {day} 之后开始,只对新客户"),
            None => "改回去;要降低就等这个活动结束,另起一个新活动".to_owned(),
        };
        self.findings
            .push(self.pack.finding("REF-L33", pointer, message, &fix));
    }

    fn period(&mut self, was: &CompiledRuleSet, will: &CompiledRuleSet, on: NaiveDate) {
        if let Some(from) = will.from.filter(|from| *from > on) {
            self.lowered(
                "/period/from",
                format!("进行中的活动会停到 {from} 才重新开始"),
            );
        }
        let programme =
            welcomes_or_thanks(will) && self.pack.programme_caps(&will.caps).budget_fen.is_some();
        let budgets = programme || will.rules.iter().any(|rule| rule.caps.budget_fen.is_some());
        if will.from < was.from && budgets {
            // No first day is the earliest of all, as `None` is the least.
            self.lowered(
                "/period/from",
                "开始日提前了:在那之后花掉的钱都要算进现在的预算".to_owned(),
            );
        }
        if let Some(to) = will.to
            && was.to.is_none_or(|before| to < before)
        {
            self.lowered("/period/to", format!("活动提前到 {to} 结束"));
        }
    }

    fn gift(&mut self, slot: &str, what: &str, was: &NamedBenefit, will: Option<&NamedBenefit>) {
        let Some(will) = will else {
            self.lowered(slot, format!("{what}没有了"));
            return;
        };
        let spans = (was.benefit.expires_after(), will.benefit.expires_after());
        if let Some((field, how)) = worse(&was.benefit, &will.benefit, spans) {
            let place = at(&at("/benefits", &will.name), field);
            self.lowered(&place, format!("{what}变差了:{how}"));
        }
    }

    fn caps(&mut self, place: &str, (key, was, will): (&str, &[Cap], &[Cap])) {
        // A new cap takes nothing away only if some old cap already allowed no more.
        let stricter = will.iter().find(|cap| {
            !was.iter()
                .any(|before| before.times <= cap.times && before.per >= cap.per)
        });
        if let Some(cap) = stricter {
            let days = cap.per.get().num_days().max(1);
            self.lowered(
                &at(place, key),
                format!("次数上限收紧到每 {days} 天 {} 次", cap.times),
            );
        }
    }

    fn budget(&mut self, place: &str, was: Option<i64>, will: Option<i64>) {
        if let Some(fen) = will
            && was.is_none_or(|before| fen < before)
        {
            self.lowered(&at(place, "budget_fen"), format!("预算减到 {}", yuan(fen)));
        }
    }

    fn rule(&mut self, was: &CompiledRule, will: &CompiledRule) {
        let place = will.pointer.as_str();
        if !was.on.is_subset(&will.on) {
            self.lowered(
                &at(place, "on"),
                format!("规则“{}”少了触发事件", short(&will.title)),
            );
        }
        if !will.purposes.iter().all(|need| was.purposes.contains(need)) {
            self.lowered(
                place,
                format!(
                    "规则“{}”多要了一份同意,没有同意的人就拿不到了",
                    short(&will.title)
                ),
            );
        }
        if !implied(&was.when, &will.when) {
            self.lowered(
                &at(place, "when"),
                format!("规则“{}”的条件变严了,或看不出没有变严", short(&will.title)),
            );
        }
        let caps = at(place, "caps");
        self.caps(
            &caps,
            (
                "per_customer",
                &was.caps.per_customer,
                &will.caps.per_customer,
            ),
        );
        self.caps(&caps, ("per_rule", &was.caps.per_rule, &will.caps.per_rule));
        self.budget(&caps, was.caps.budget_fen, will.caps.budget_fen);
        for grant in was.effects.iter().filter_map(grant) {
            self.grant(&grant, will);
        }
        for effect in &was.effects {
            if matches!(effect, Action::Unlock { .. }) && !will.effects.contains(effect) {
                self.lowered(&at(place, "then"), "答应开放的功能没有了");
            }
        }
    }

    /// The same recipient gets something at least as good from the same rule.
    fn grant(&mut self, was: &Grant<'_>, will: &CompiledRule) {
        let same = |grant: &Grant<'_>| grant.to == was.to;
        let faults: Vec<_> = will
            .effects
            .iter()
            .filter_map(grant)
            .filter(same)
            .map(|new| {
                let spans = (was.expires_after, new.expires_after);
                if new.once && !was.once {
                    Some("只给一次了".to_owned())
                } else {
                    worse(&was.gift.benefit, &new.gift.benefit, spans).map(|(_, how)| how)
                }
            })
            .collect();
        if faults.iter().any(Option::is_none) {
            return;
        }
        let how = faults.into_iter().flatten().next();
        let how = how.unwrap_or_else(|| "没有了".to_owned());
        self.lowered(
            &at(&will.pointer, "then"),
            format!("规则“{}”给的权益变差了:{how}", short(&will.title)),
        );
    }
}

fn grant(effect: &Action) -> Option<Grant<'_>> {
    match effect {
        Action::Grant {
            to,
            benefit,
            once,
            expires_after,
        } => Some(Grant {
            to: *to,
            gift: benefit,
            once: *once,
            expires_after: *expires_after,
        }),
        _ => None,
    }
}

/// How a benefit is worse than another: the field, and a few words. `None` when it is as good or better.
fn worse(
    was: &Benefit,
    will: &Benefit,
    (before, after): (Option<Span>, Option<Span>),
) -> Option<(&'static str, String)> {
    let money = |was: i64, will: i64, field| {
        (will < was).then(|| (field, format!("从 {} 降到 {}", yuan(was), yuan(will))))
    };
    let other = || {
        let (was, will) = (words(was), words(will));
        Some(("kind", format!("“{}”换成了“{}”", short(&was), short(&will))))
    };
    let lowered = match (was, will) {
        (Benefit::PriceOff { fen: was, .. }, Benefit::PriceOff { fen: will, .. })
        | (Benefit::Coupon { fen: was, .. }, Benefit::Coupon { fen: will, .. }) => {
            money(*was, *will, "fen")
        }
        (
            Benefit::Goods {
                sku: was,
                value_fen: cost,
                ..
            },
            Benefit::Goods {
                sku: will,
                value_fen: now,
                ..
            },
        ) if was == will => match (cost, now) {
            (Some(cost), Some(now)) => money(*cost, *now, "value_fen"),
            _ => None,
        },
        (
            Benefit::Privilege { privilege: was, .. },
            Benefit::Privilege {
                privilege: will, ..
            },
        ) if was == will => None,
        _ => other(),
    };
    lowered.or_else(|| match (before, after) {
        (before, Some(after)) if before.is_none_or(|before| after < before) => {
            let days = after.get().num_days();
            Some(("expires_after", format!("有效期缩短到 {days} 天")))
        }
        _ => None,
    })
}

/// Whether the new condition surely holds wherever the old one did: each of its members stood in the old one, or allows
/// everything the old one allowed.
fn implied(was: &Node, will: &Node) -> bool {
    let (old, new) = (members(was), members(will));
    let region = Region::of(was);
    new.iter().all(|member| {
        old.iter().any(|before| same(before, member)) || Region::of(member).covers(&region)
    })
}

fn members(node: &Node) -> Vec<&Node> {
    match node {
        Node::All(inner) => inner.iter().flat_map(members).collect(),
        other => vec![other],
    }
}

/// The same condition, wherever it stands.
fn same(left: &Node, right: &Node) -> bool {
    let all = |left: &[Node], right: &[Node]| {
        left.len() == right.len()
            && left
                .iter()
                .zip(right)
                .all(|(left, right)| same(left, right))
    };
    match (left, right) {
        (Node::All(left), Node::All(right)) | (Node::Any(left), Node::Any(right)) => {
            all(left, right)
        }
        (Node::Test(left), Node::Test(right)) => {
            (&left.key, left.op, &left.rhs) == (&right.key, right.op, &right.rhs)
        }
        (Node::All(_) | Node::Any(_) | Node::Test(_), _) => false,
    }
}

/// What a version made better, in words for its page: benefits, the end, rules that give.
pub fn favours(old: &RuleSet, new: &RuleSet) -> Vec<String> {
    let (Ok(was), Ok(will)) = (compile(old), compile(new)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut gift = |what: &str, was: Option<&NamedBenefit>, will: Option<&NamedBenefit>| {
        let words = |gift: &NamedBenefit| super::plain::whole_benefit(&gift.benefit);
        match (was, will) {
            (None, Some(will)) => found.push(format!("{what}:新增{}", words(will))),
            (Some(was), Some(will)) if was.benefit != will.benefit => {
                found.push(format!("{what}:{}改为{}", words(was), words(will)));
            }
            _ => {}
        }
    };
    for generation in 1..=3 {
        let what = format!("第 {generation} 代好友的权益");
        gift(&what, was.welcome(generation), will.welcome(generation));
    }
    gift(
        "给邀请人的答谢",
        was.inviter_thanks.as_ref(),
        will.inviter_thanks.as_ref(),
    );
    if let (Some(before), Some(after)) = (was.to, will.to)
        && after > before
    {
        found.push(format!("活动延长到 {after}"));
    }
    for rule in will.rules.iter().filter(|rule| gives(rule)) {
        if was.rules.iter().all(|before| before.id != rule.id) {
            found.push(format!("新增“{}”", short(&rule.title)));
        }
    }
    found
}

#[cfg(test)]
mod tests;
