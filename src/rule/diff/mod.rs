//! What one rule set changes of another, in plain Chinese: rules by their id, the order of rules aside where it decides
//! nothing. What gives people less than before is marked: a promise that is lowered needs a second look (REF-L33).

mod condition;
mod rule;
mod words;

#[cfg(test)]
mod tests;

use super::declared::{Channel, Template};
use super::document::{Benefit, BenefitSpec, Rule, RuleSet, Trigger};
use super::value::yuan;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use words::{caps_change, span_change};

/// Which part of a set differs.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Name or organiser.
    About,
    /// The first or last day.
    Period,
    /// A rule.
    Rule,
    /// The order of rules, where it decides.
    Order,
    /// The words of an invitation.
    Words,
    /// A benefit.
    Benefit,
    /// What the friends of a generation get.
    Generation,
    /// What the inviter gets.
    Thanks,
    /// Limits of welcome and thanks.
    Caps,
}

/// How it differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The new set has it, the old one has not.
    Added,
    /// The old set has it, the new one has not.
    Removed,
    /// Both have it, differently.
    Changed,
}

/// Whom a difference favours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Favours {
    /// People get more, sooner or longer than before.
    Customers,
    /// People get less, later or shorter than before: lowered.
    Company,
    /// Neither, or it cannot be said without knowing people.
    Neither,
}

impl Favours {
    /// Who gains when a number that people like grows.
    pub(crate) fn of<T: Ord>(old: &T, new: &T) -> Self {
        match new.cmp(old) {
            std::cmp::Ordering::Greater => Self::Customers,
            std::cmp::Ordering::Less => Self::Company,
            std::cmp::Ordering::Equal => Self::Neither,
        }
    }

    const fn turned(self) -> Self {
        match self {
            Self::Customers => Self::Company,
            Self::Company => Self::Customers,
            Self::Neither => Self::Neither,
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Difference {
    /// Where.
    pub part: Part,
    /// Which rule, benefit or generation.
    pub id: Option<String>,
    /// How.
    pub change: Change,
    /// In words, zh-CN.
    pub text: String,
    /// Who gains.
    pub favours: Favours,
}

impl Difference {
    /// Whether people get less than before.
    pub fn lowers(&self) -> bool {
        self.favours == Favours::Company
    }

    /// One line for a terminal: what is lowered begins with `↓`, what is raised with `↑`.
    pub fn line(&self) -> String {
        let (mark, note) = match self.favours {
            Favours::Customers => ("↑", ""),
            Favours::Company => ("↓", "(对顾客变少)"),
            Favours::Neither => ("·", ""),
        };
        format!("{mark} {}{note}", self.text)
    }
}

/// Everything `new` changes of `old`; empty when both mean the same.
pub fn diff(old: &RuleSet, new: &RuleSet) -> Vec<Difference> {
    let mut out = Found::default();
    about(&mut out, old, new);
    period(&mut out, old, new);
    rules(&mut out, old, new);
    order(&mut out, old, new);
    templates(&mut out, old, new);
    benefits(&mut out, old, new);
    gifts(&mut out, old, new);
    let per_inviter = [old.caps.per_inviter.as_slice(), &new.caps.per_inviter];
    if let Some((text, favours)) = caps_change(per_inviter, "每位邀请人的感谢") {
        out.changed(Part::Caps, None, text, favours);
    }
    budget(&mut out, old.caps.budget_fen, new.caps.budget_fen);
    out.0
}

/// The differences found so far.
#[derive(Default)]
pub(super) struct Found(Vec<Difference>);

impl Found {
    fn add(
        &mut self,
        part: Part,
        id: Option<&str>,
        change: Change,
        (text, favours): (String, Favours),
    ) {
        self.0.push(Difference {
            part,
            id: id.map(str::to_owned),
            change,
            text,
            favours,
        });
    }

    fn changed(&mut self, part: Part, id: Option<&str>, text: String, favours: Favours) {
        self.add(part, id, Change::Changed, (text, favours));
    }
}

fn about(out: &mut Found, old: &RuleSet, new: &RuleSet) {
    if old.name != new.name {
        let text = format!("名称由“{}”改为“{}”", old.name, new.name);
        out.changed(Part::About, None, text, Favours::Neither);
    }
    if old.organiser != new.organiser {
        let show = |name: &Option<String>| {
            name.as_ref()
                .map_or_else(|| "未写".to_owned(), |name| format!("“{name}”"))
        };
        let text = format!(
            "主办方由{}改为{}",
            show(&old.organiser),
            show(&new.organiser)
        );
        out.changed(Part::About, None, text, Favours::Neither);
    }
}

fn period(out: &mut Found, old: &RuleSet, new: &RuleSet) {
    let show =
        |day: Option<NaiveDate>| day.map_or_else(|| "不限".to_owned(), |day| day.to_string());
    if old.from != new.from {
        let text = format!(
            "开始日由 {} 改为 {},预算从新的开始日算起",
            show(old.from),
            show(new.from)
        );
        // Sooner is more for people, but what was spent since then counts; later begins the budgets anew.
        out.changed(Part::Period, None, text, Favours::Neither);
    }
    if old.to != new.to {
        let text = format!("结束日由 {} 改为 {}", show(old.to), show(new.to));
        let last = |day: Option<NaiveDate>| day.unwrap_or(NaiveDate::MAX);
        out.changed(
            Part::Period,
            None,
            text,
            Favours::of(&last(old.to), &last(new.to)),
        );
    }
}

/// Words customers read: what they say is for people to judge.
fn templates(out: &mut Found, old: &RuleSet, new: &RuleSet) {
    let (before, after) = (&old.declared.templates, &new.declared.templates);
    for key in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        let words = |all: &BTreeMap<String, Template>| {
            let found = all.get(key);
            found.map(|template| (template.text.clone(), template.channel))
        };
        let (was, is) = (words(before), words(after));
        if was != is {
            let show = |words: Option<(String, Channel)>| {
                words.map_or_else(|| "默认文案".to_owned(), |(text, _)| format!("“{text}”"))
            };
            let text = format!("文案 {key} 由{}改为{}", show(was), show(is));
            out.changed(Part::Words, Some(key), text, Favours::Neither);
        }
    }
}

fn by_id(set: &RuleSet) -> BTreeMap<&str, &Rule> {
    set.rules
        .iter()
        .map(|rule| (rule.id.as_str(), rule))
        .collect()
}

fn rules(out: &mut Found, old: &RuleSet, new: &RuleSet) {
    let (before, after) = (by_id(old), by_id(new));
    for (id, gone) in &before {
        match after.get(id) {
            None => {
                let text = format!("删除规则“{}”({id})", gone.title);
                let favours = rule::boon(gone).turned();
                out.add(Part::Rule, Some(id), Change::Removed, (text, favours));
            }
            Some(kept) => rule::compare(out, (old, gone), (new, kept)),
        }
    }
    for (id, came) in &after {
        if !before.contains_key(id) {
            let text = format!(
                "新增规则“{}”({id}):{}",
                came.title,
                rule::summary(new, came)
            );
            out.add(
                Part::Rule,
                Some(id),
                Change::Added,
                (text, rule::boon(came)),
            );
        }
    }
}

/// Rules of one priority that listen to the same event are taken in the order of the document: one of a group per event,
/// and one invitation a week. Only there does the order say something.
fn order(out: &mut Found, old: &RuleSet, new: &RuleSet) {
    let (before, after) = (by_id(old), by_id(new));
    let stays = |rule: &Rule, trigger: &str| {
        [&before, &after].iter().all(|set| {
            set.get(rule.id.as_str()).is_some_and(|other| {
                other.priority == rule.priority && other.on.iter().any(|on| name_of(on) == trigger)
            })
        })
    };
    let ties = |set: &RuleSet| {
        let mut ties: BTreeMap<(String, i64), Vec<String>> = BTreeMap::new();
        for rule in &set.rules {
            for on in rule.on.iter().filter(|on| stays(rule, name_of(on))) {
                let key = (words::trigger(on), rule.priority);
                ties.entry(key).or_default().push(rule.id.clone());
            }
        }
        ties
    };
    let (mut told, now) = (BTreeSet::new(), ties(new));
    for ((event, priority), was) in ties(old) {
        let Some(is) = now.get(&(event.clone(), priority)).filter(|is| **is != was) else {
            continue;
        };
        if told.insert(is.clone()) {
            let shown: Vec<&str> = is.iter().take(5).map(String::as_str).collect();
            let more = if is.len() > shown.len() { "…" } else { "" };
            let text = format!(
                "{event}时优先级同为 {priority} 的规则先后次序变了,现在是:{}{more}",
                shown.join("、")
            );
            out.changed(Part::Order, None, text, Favours::Neither);
        }
    }
}

fn name_of(trigger: &Trigger) -> &str {
    match trigger {
        Trigger::Known(kind) => kind.name(),
        Trigger::Other(name) => name,
    }
}

fn shown(spec: &BenefitSpec) -> String {
    match spec {
        BenefitSpec::Lawful { benefit, .. } => words::benefit(benefit),
        BenefitSpec::Unlawful { kind, .. } => format!("“{kind}”"),
    }
}

fn benefits(out: &mut Found, old: &RuleSet, new: &RuleSet) {
    for (name, was) in &old.benefits {
        let Some(is) = new.benefits.get(name) else {
            let text = format!("删除权益 {name}({})", shown(was));
            out.add(
                Part::Benefit,
                Some(name),
                Change::Removed,
                (text, Favours::Neither),
            );
            continue;
        };
        let (Some(was_lawful), Some(is_lawful)) = (was.lawful(), is.lawful()) else {
            if shown(was) != shown(is) {
                let text = format!("权益 {name} 由{}改为{}", shown(was), shown(is));
                out.changed(Part::Benefit, Some(name), text, Favours::Neither);
            }
            continue;
        };
        if words::thing(was_lawful) != words::thing(is_lawful) {
            let text = format!(
                "权益 {name} 由{}改为{}",
                words::thing(was_lawful),
                words::thing(is_lawful)
            );
            out.changed(
                Part::Benefit,
                Some(name),
                text,
                worth(Some(was_lawful), Some(is_lawful)),
            );
        }
        let (was, is) = (was_lawful.expires_after(), is_lawful.expires_after());
        if let Some((text, favours)) = span_change(was, is, &format!("权益 {name} 的有效期"))
        {
            out.changed(Part::Benefit, Some(name), text, favours);
        }
    }
    for (name, spec) in &new.benefits {
        if !old.benefits.contains_key(name) {
            let text = format!("新增权益 {name}({})", shown(spec));
            out.add(
                Part::Benefit,
                Some(name),
                Change::Added,
                (text, Favours::Neither),
            );
        }
    }
}

/// Who gains when one benefit takes another's place. Kinds without a common measure compare by what they cost, and a
/// privilege not at all.
fn worth(old: Option<&Benefit>, new: Option<&Benefit>) -> Favours {
    let (Some(old), Some(new)) = (old, new) else {
        return Favours::of(&old.is_some(), &new.is_some());
    };
    let priced = |one: &Benefit| one.cost_fen().filter(|fen| *fen > 0);
    match (priced(old), priced(new)) {
        (Some(old), Some(new)) => Favours::of(&old, &new),
        _ => Favours::Neither,
    }
}

/// The benefit a name stands for.
fn lawful<'a>(set: &'a RuleSet, name: Option<&String>) -> Option<&'a Benefit> {
    set.benefits.get(name?).and_then(BenefitSpec::lawful)
}

fn named(set: &RuleSet, name: &str) -> String {
    match set.benefits.get(name) {
        Some(spec) => format!("{name}({})", shown(spec)),
        None => name.to_owned(),
    }
}

/// Who is given what: the friends of each generation, and the inviter.
fn gifts(out: &mut Found, old: &RuleSet, new: &RuleSet) {
    let keys: BTreeSet<&String> = old
        .generations
        .keys()
        .chain(new.generations.keys())
        .collect();
    for key in keys {
        let what = format!("第 {key} 代新朋友的礼遇");
        let names = (old.generations.get(key), new.generations.get(key));
        gift(out, (Part::Generation, Some(key)), &what, (old, new), names);
    }
    let names = (old.inviter_thanks.as_ref(), new.inviter_thanks.as_ref());
    gift(
        out,
        (Part::Thanks, None),
        "给邀请人的感谢",
        (old, new),
        names,
    );
}

fn gift(
    out: &mut Found,
    (part, id): (Part, Option<&String>),
    what: &str,
    (old, new): (&RuleSet, &RuleSet),
    (was, is): (Option<&String>, Option<&String>),
) {
    if was == is {
        return;
    }
    let favours = worth(lawful(old, was), lawful(new, is));
    let (change, text) = match (was, is) {
        (None, Some(is)) => (Change::Added, format!("新增{what}:{}", named(new, is))),
        (Some(was), None) => (Change::Removed, format!("取消{what}:{}", named(old, was))),
        (Some(was), Some(is)) => {
            let text = format!("{what}由 {} 改为 {}", named(old, was), named(new, is));
            (Change::Changed, text)
        }
        (None, None) => return,
    };
    out.add(part, id.map(String::as_str), change, (text, favours));
}

fn budget(out: &mut Found, old: Option<i64>, new: Option<i64>) {
    if let Some((text, favours)) = words::budget_change(old, new, "活动总预算") {
        out.changed(Part::Caps, None, text, favours);
    }
}

/// Fen in yuan, or that there is no limit.
pub(super) fn money(fen: Option<i64>) -> String {
    fen.map_or_else(|| "不限".to_owned(), yuan)
}
