//! From a written rule set to one that may run: types checked, benefits looked up, `not` pushed inward, consents collected.

mod condition;
mod partition;
#[cfg(test)]
mod tests;

use super::decision::{Action, ConsentNeed, NamedBenefit};
use super::document::{
    BenefitSpec, Caps, EffectKind, EffectSpec, Hours, ProgrammeCaps, Recipient, Rule, RuleSet,
    Trigger,
};
use super::event::EventKind;
use super::finding::{Finding, at, short};
use super::reference::FactRef;
use super::tree::Node;
use chrono::NaiveDate;
use partition::{Partition, partition};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A rule set that may run: typed, lawful in its types, partitioned by event.
#[derive(Clone, Debug)]
pub struct CompiledRuleSet {
    /// What the campaign is called.
    pub name: String,
    /// Who stands behind it.
    pub organiser: Option<String>,
    /// First day it is valid, business date.
    pub from: Option<NaiveDate>,
    /// Last day it is valid, business date.
    pub to: Option<NaiveDate>,
    /// The direct inviter's benefit for a qualified friend.
    pub inviter_thanks: Option<NamedBenefit>,
    /// Limits of welcome and thanks benefits as written; see [`super::PolicyPack::programme_caps`].
    pub caps: ProgrammeCaps,
    generations: BTreeMap<u8, NamedBenefit>,
    pub(crate) rules: Vec<Arc<CompiledRule>>,
    partitions: BTreeMap<EventKind, Partition>,
}

/// One rule that may run.
#[derive(Clone, Debug)]
pub(crate) struct CompiledRule {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) pointer: String,
    pub(crate) place: usize,
    pub(crate) on: BTreeSet<EventKind>,
    pub(crate) when: Node,
    pub(crate) effects: Vec<Action>,
    pub(crate) purposes: Vec<ConsentNeed>,
    pub(crate) caps: Caps,
    pub(crate) hours: Option<Hours>,
    pub(crate) priority: i64,
    pub(crate) group: Option<String>,
    pub(crate) facts: BTreeSet<FactRef>,
}

impl CompiledRuleSet {
    /// The welcome benefit of a friend of this generation (1 to 3).
    pub fn welcome(&self, generation: u8) -> Option<&NamedBenefit> {
        self.generations.get(&generation)
    }

    /// The caps of a rule, if the set has it.
    pub fn caps_of(&self, rule: &str) -> Option<&Caps> {
        let found = self.rules.iter().find(|known| known.id == rule);
        found.map(|known| &known.caps)
    }

    /// Whether a business date lies in the set's period; what it promises, it promises only then (REF-08).
    pub fn in_period(&self, day: NaiveDate) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }

    /// The last business date of the set's period, when it has one.
    pub fn last_day(&self) -> Option<NaiveDate> {
        self.to
    }

    /// The dearest welcome of any generation, fen.
    pub fn dearest_welcome(&self) -> i64 {
        let costs = self.generations.values();
        costs
            .filter_map(|gift| gift.benefit.cost_fen())
            .max()
            .unwrap_or_default()
    }

    /// What one friend through an invitation may cost at most, fen: his welcome, and the thanks behind it.
    pub fn one_friend(&self) -> i64 {
        let thanks = self.inviter_thanks.as_ref();
        let thanks = thanks.and_then(|gift| gift.benefit.cost_fen());
        let thanks = thanks.unwrap_or_default().max(0);
        self.dearest_welcome().saturating_add(thanks)
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

impl CompiledRule {
    pub(crate) fn suppresses(&self) -> bool {
        self.effects
            .iter()
            .any(|effect| matches!(effect, Action::SuppressInvitations { .. }))
    }

    pub(crate) fn invites(&self) -> bool {
        self.effects
            .iter()
            .any(|effect| matches!(effect, Action::Invite { .. }))
    }

    /// Whether nothing is left of it when asking is vetoed.
    pub(crate) fn only_invites(&self) -> bool {
        self.effects
            .iter()
            .all(|effect| matches!(effect, Action::Invite { .. }))
    }

    /// Whether every consent it needs stands.
    pub(crate) fn allowed(&self, granted: &dyn Fn(ConsentNeed) -> bool) -> bool {
        self.purposes.iter().all(|need| granted(*need))
    }
}

/// Types, resolves and partitions a rule set. Every fault is reported, each with its pointer; an unlawful form
/// (cash, a recipient further up) carries the id of its lint and never compiles (REF-01, REF-02).
pub fn compile(set: &RuleSet) -> Result<CompiledRuleSet, Vec<Finding>> {
    let mut findings = super::declared::refuse(set);
    for spec in set.benefits.values() {
        lawful(&mut findings, spec);
    }
    let rules = compile_rules(&mut findings, set);
    let generations = generations(&mut findings, set);
    let inviter_thanks = set
        .inviter_thanks
        .as_ref()
        .and_then(|name| named(&mut findings, set, "/inviter_thanks", name));
    if !findings.is_empty() {
        return Err(findings);
    }
    Ok(CompiledRuleSet {
        name: set.name.clone(),
        organiser: set.organiser.clone(),
        from: set.from,
        to: set.to,
        inviter_thanks,
        caps: set.caps.clone(),
        generations,
        partitions: partition(&rules),
        rules,
    })
}

/// All rules, in document order.
fn compile_rules(findings: &mut Vec<Finding>, set: &RuleSet) -> Vec<Arc<CompiledRule>> {
    let rules = set.rules.iter().enumerate();
    rules
        .filter_map(|(place, rule)| compile_rule(findings, set, place, rule).map(Arc::new))
        .collect()
}

fn compile_rule(
    findings: &mut Vec<Finding>,
    set: &RuleSet,
    place: usize,
    rule: &Rule,
) -> Option<CompiledRule> {
    let before = findings.len();
    let on = triggers(findings, rule);
    let mut nodes: Vec<Node> = rule
        .audience
        .iter()
        .filter_map(|segment| condition::segment(findings, segment))
        .collect();
    nodes.extend(
        rule.when
            .as_ref()
            .and_then(|when| condition::build(findings, &set.parameters, when, false)),
    );
    let effects: Vec<_> = rule
        .then
        .iter()
        .filter_map(|effect| action(findings, set, effect))
        .collect();
    if findings.len() > before {
        return None;
    }
    let when = Node::All(nodes);
    let (facts, purposes) = needs(&when, &effects);
    Some(CompiledRule {
        id: rule.id.clone(),
        title: rule.title.clone(),
        pointer: rule.pointer.clone(),
        place,
        on,
        when,
        effects,
        purposes,
        caps: rule.caps.clone(),
        hours: rule.schedule,
        priority: rule.priority,
        group: rule.exclusive_group.clone(),
        facts,
    })
}

fn triggers(findings: &mut Vec<Finding>, rule: &Rule) -> BTreeSet<EventKind> {
    let mut on = BTreeSet::new();
    for (index, trigger) in rule.on.iter().enumerate() {
        match trigger {
            Trigger::Known(kind) => {
                on.insert(*kind);
            }
            Trigger::Other(name) => {
                let names: Vec<_> = EventKind::every().map(EventKind::name).collect();
                findings.push(Finding::block(
                    "RULE-EVENT",
                    &at(&at(&rule.pointer, "on"), index),
                    format!("没有“{name}”这个事件"),
                    format!("可用:“{}”", names.join("”“")),
                ));
            }
        }
    }
    on
}

/// Facts read and consents needed. Invitations also read what may never be overruled: open complaints (REF-09), minors.
fn needs(when: &Node, effects: &[Action]) -> (BTreeSet<FactRef>, Vec<ConsentNeed>) {
    let mut facts = BTreeSet::new();
    when.each(&mut |test| {
        facts.insert(test.fact.clone());
        if let super::tree::Rhs::Fact(other) = &test.rhs {
            facts.extend(other.parse::<FactRef>());
        }
    });
    let of_facts = facts
        .iter()
        .filter_map(|fact| fact.meaning().ok()?.consent)
        .map(|(purpose, of)| ConsentNeed { purpose, of });
    let purposes: BTreeSet<_> = of_facts
        .chain(effects.iter().filter_map(Action::consent))
        .collect();
    let purposes = purposes.into_iter().collect();
    if facts
        .iter()
        .any(|fact| &*fact.name == super::explain::RATIO)
    {
        let named = super::explain::PAID.into_iter();
        facts.extend(named.filter_map(|name| name.parse::<FactRef>().ok()));
    }
    if effects
        .iter()
        .any(|effect| matches!(effect, Action::Invite { .. }))
    {
        facts.extend(
            super::evaluate::GUARDS
                .into_iter()
                .filter_map(|name| name.parse::<FactRef>().ok()),
        );
    }
    (facts, purposes)
}

fn action(findings: &mut Vec<Finding>, set: &RuleSet, spec: &EffectSpec) -> Option<Action> {
    Some(match &spec.kind {
        EffectKind::Invite {
            template,
            send,
            expires_after,
        } => Action::Invite {
            template: template.clone(),
            send: *send,
            expires_after: *expires_after,
            words: set.declared.words(template).map(str::to_owned),
        },
        EffectKind::Grant {
            to,
            benefit,
            once,
            expires_after,
            hop,
            basis,
        } => {
            let place = at(&spec.pointer, "benefit");
            let found = named(findings, set, &place, benefit);
            refuse_lint_only(findings, spec, *hop, basis.as_deref());
            let Recipient::Known(to) = to else {
                findings.push(Finding::block(
                    "REF-L01",
                    &at(&spec.pointer, "to"),
                    "奖励只能给好友本人(“invitee”)或直接邀请他的人(“inviter”)",
                    "改成“invitee”或“inviter”",
                ));
                return None;
            };
            let benefit = found?;
            let expires_after = expires_after.or(benefit.benefit.expires_after());
            Action::Grant {
                to: *to,
                benefit,
                once: *once,
                expires_after,
            }
        }
        EffectKind::SuppressInvitations { lasts, appeal } => Action::SuppressInvitations {
            lasts: *lasts,
            appeal: *appeal,
        },
        EffectKind::Tag { tag } => Action::Tag { tag: tag.clone() },
        EffectKind::NotifyStaff { text, role } => Action::NotifyStaff {
            text: text.clone(),
            role: role.clone(),
        },
        EffectKind::Unlock { feature } => Action::Unlock {
            feature: feature.clone(),
        },
        EffectKind::Never { name, .. } => {
            findings.push(Finding::block(
                "RULE-EFFECT",
                &at(&spec.pointer, "effect"),
                format!("系统不做“{name}”这件事"),
                "删掉这个效果",
            ));
            return None;
        }
    })
}

fn refuse_lint_only(
    findings: &mut Vec<Finding>,
    spec: &EffectSpec,
    hop: Option<i64>,
    basis: Option<&str>,
) {
    if hop.is_some_and(|hop| hop != 1) {
        findings.push(Finding::block(
            "REF-L01",
            &at(&spec.pointer, "hop"),
            "奖励只能发给好友本人或直接邀请人,不能再往上",
            "删掉“hop”",
        ));
    }
    if let Some(basis) = basis.filter(|basis| *basis != "fixed") {
        findings.push(Finding::block(
            "RULE-BASIS",
            &at(&spec.pointer, "basis"),
            format!("奖励数额不能取决于“{basis}”"),
            "奖励只能是固定的(删掉“basis”)",
        ));
    }
}

fn lawful(findings: &mut Vec<Finding>, spec: &BenefitSpec) {
    match spec {
        BenefitSpec::Unlawful { pointer, kind, .. } => findings.push(Finding::block(
            "RULE-BENEFIT",
            &at(pointer, "kind"),
            format!("系统不发放“{kind}”这种权益"),
            "改用“price_off”“coupon”“goods”或“privilege”",
        )),
        BenefitSpec::Lawful {
            pointer,
            transferable: true,
            ..
        } => findings.push(Finding::block(
            "REF-L06",
            pointer,
            "权益只能本人使用,不能转让或提现",
            "删掉“transferable”和“withdrawable”",
        )),
        BenefitSpec::Lawful { .. } => {}
    }
}

fn named(
    findings: &mut Vec<Finding>,
    set: &RuleSet,
    pointer: &str,
    name: &str,
) -> Option<NamedBenefit> {
    let Some(spec) = set.benefits.get(name) else {
        findings.push(Finding::block(
            "RULE-BENEFIT",
            pointer,
            format!("“benefits”里没有“{}”", short(name)),
            "先在“benefits”里写明这个权益",
        ));
        return None;
    };
    spec.lawful().map(|benefit| NamedBenefit {
        name: name.to_owned(),
        benefit: benefit.clone(),
    })
}

fn generations(findings: &mut Vec<Finding>, set: &RuleSet) -> BTreeMap<u8, NamedBenefit> {
    let mut found = BTreeMap::new();
    for (key, name) in &set.generations {
        let pointer = at("/generations", key);
        let Some(generation) = ["1", "2", "3"].iter().position(|known| known == key) else {
            findings.push(Finding::block(
                "REF-L12",
                &pointer,
                format!("代际只有 1、2、3,没有“{key}”"),
                "最多写到第 3 代",
            ));
            continue;
        };
        if let Some(benefit) = named(findings, set, &pointer, name) {
            found.insert(u8::try_from(generation + 1).unwrap_or(u8::MAX), benefit);
        }
    }
    found
}
