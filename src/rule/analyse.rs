//! What is wrong with a typed rule set as a whole: contradictions, rules that never act, generations, worst-case budget.
//!
//! Sound by over-approximation: each rule's conditions become one set of values per fact. A rule is called dead only when
//! some set is empty, shadowed only when a rule that goes first surely fires whenever it does.

use super::compile::{CompiledRule, CompiledRuleSet};
use super::decision::Action;
use super::document::{ProgrammeCaps, RuleSet};
use super::domain::Domain;
use super::event::EventKind;
use super::finding::{Finding, at, short};
use super::reference::FactRef;
use super::tree::Node;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most steps (intervals and words compared, facts looked up) of the shadow check; beyond it says that it stopped.
const MAX_STEPS: usize = 2_000_000;

/// What may happen at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct WorstCase {
    /// Everything together, fen; null when something is unbounded.
    pub fen: Option<i64>,
    /// Pointers of what has no bound.
    pub unbounded: Vec<String>,
}

/// The result of the analysis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Analysis {
    /// What was found.
    pub findings: Vec<Finding>,
    /// The most it can cost.
    pub worst_case: WorstCase,
}

/// Analyses a compiled set beside the document it came from. `programme` are the caps that hold for welcome and thanks.
pub fn analyse(set: &RuleSet, compiled: &CompiledRuleSet, programme: &ProgrammeCaps) -> Analysis {
    let mut findings = Vec::new();
    let regions: Vec<Region> = compiled
        .rules
        .iter()
        .map(|rule| Region::of(&rule.when))
        .collect();
    for (rule, region) in compiled.rules.iter().zip(&regions) {
        if let Some(fact) = &region.contradiction {
            findings.push(Finding::block(
                "RULE-CONTRADICTION",
                &at(&rule.pointer, "when"),
                format!(
                    "规则“{}”永远不会触发:“{}”的条件互相矛盾",
                    short(&rule.title),
                    label(fact)
                ),
                "改正互相矛盾的条件,或删掉这条规则",
            ));
        }
        overlap::dead(&mut findings, compiled.one_friend(), (rule, region));
    }
    stretches(&mut findings, compiled);
    shadows(&mut findings, compiled, &regions);
    overlap::check(&mut findings, compiled, &regions);
    generations(&mut findings, set);
    unused(&mut findings, set);
    findings.extend(ignored::check(set));
    findings.extend(spend::prices(set));
    let worst_case = spend::worst_case(compiled, programme);
    findings.extend(spend::budget(&worst_case));
    Analysis {
        findings,
        worst_case,
    }
}

/// Most stretches of history the rules of one event may look back over: each is a column of one statement, for every person of a
/// batch. PostgreSQL takes 1,664 columns, but people wait for the answer long before.
const MAX_STRETCHES: usize = 64;

/// Events whose rules look back over too many stretches of history; different folds of one stretch count once.
fn stretches(findings: &mut Vec<Finding>, compiled: &CompiledRuleSet) {
    for kind in EventKind::every() {
        let facts = compiled.facts_for(kind);
        let stretches: BTreeSet<_> = facts
            .filter_map(|fact| Some((&fact.name, fact.history?.window)))
            .collect();
        if stretches.len() > MAX_STRETCHES {
            findings.push(Finding::block(
                "RULE-SIZE",
                "/rules",
                format!(
                    "“{}”的规则一共回看 {} 段不同的历史,最多 {MAX_STRETCHES} 段",
                    kind.label(),
                    stretches.len()
                ),
                "把相近的 @last(n) 和 @within(…) 改成同样的几段",
            ));
        }
    }
}

/// What a fact is called, by its key.
fn label(key: &str) -> String {
    let meaning = key.parse::<FactRef>().map(|fact| fact.meaning());
    meaning.map_or_else(
        |_| short(key),
        |meaning| meaning.map_or_else(|_| short(key), |meaning| meaning.label.into_owned()),
    )
}

/// The values each fact may have when a condition holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Region {
    domains: BTreeMap<Arc<str>, Domain>,
    /// Whether the domains say all; otherwise they are an upper bound.
    exact: bool,
    /// The fact that makes it impossible.
    contradiction: Option<Arc<str>>,
}

impl Region {
    pub(super) fn of(node: &Node) -> Self {
        match node {
            Node::Test(test) => {
                let (domain, exact) = Domain::of(test);
                let contradiction = domain.is_empty().then(|| test.key.clone());
                Self {
                    domains: BTreeMap::from([(test.key.clone(), domain)]),
                    exact,
                    contradiction,
                }
            }
            Node::All(inner) => inner.iter().map(Self::of).fold(
                Self {
                    exact: true,
                    ..Self::default()
                },
                Self::meet,
            ),
            Node::Any(inner) => {
                let all: Vec<_> = inner.iter().map(Self::of).collect();
                let contradiction = all.first().and_then(|first| first.contradiction.clone());
                let possible = all
                    .into_iter()
                    .filter(|region| region.contradiction.is_none());
                possible
                    .reduce(|left, right| left.join(&right))
                    .unwrap_or(Self {
                        contradiction,
                        exact: true,
                        ..Self::default()
                    })
            }
        }
    }

    fn meet(mut self, other: Self) -> Self {
        for (key, domain) in other.domains {
            let met = self
                .domains
                .get(&key)
                .map_or_else(|| domain.clone(), |mine| mine.meet(&domain));
            if met.is_empty() && self.contradiction.is_none() {
                self.contradiction = Some(key.clone());
            }
            self.domains.insert(key, met);
        }
        self.exact &= other.exact;
        self.contradiction = self.contradiction.or(other.contradiction);
        self
    }

    fn join(self, other: &Self) -> Self {
        let same_single = self.domains.len() == 1 && self.domains.keys().eq(other.domains.keys());
        let domains = self
            .domains
            .iter()
            .filter_map(|(key, mine)| Some((key.clone(), mine.join(other.domains.get(key)?))))
            .collect();
        Self {
            domains,
            exact: self.exact && other.exact && same_single,
            contradiction: None,
        }
    }

    /// How many steps comparing with this takes at most.
    fn size(&self) -> usize {
        let sizes = self.domains.values().map(Domain::size);
        sizes.fold(1, usize::saturating_add)
    }

    /// Whether one state of the facts may satisfy both: `false` is certain, `true` is not.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.contradiction.is_none()
            && other.contradiction.is_none()
            && self.domains.iter().all(|(key, mine)| {
                let theirs = other.domains.get(key);
                theirs.is_none_or(|theirs| !mine.meet(theirs).is_empty())
            })
    }

    /// Whether this surely holds wherever `other` holds.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.exact
            && self.contradiction.is_none()
            && self.domains.iter().all(|(key, mine)| {
                other
                    .domains
                    .get(key)
                    .is_some_and(|theirs| mine.covers(theirs))
            })
    }
}

/// Rules another rule always goes before: the same exclusive group, or a suppression of the same event.
fn shadows(findings: &mut Vec<Finding>, compiled: &CompiledRuleSet, regions: &[Region]) {
    let rules: Vec<(&CompiledRule, &Region)> = compiled
        .rules
        .iter()
        .map(AsRef::as_ref)
        .zip(regions)
        .collect();
    let mut groups: BTreeMap<&str, Vec<(&CompiledRule, &Region)>> = BTreeMap::new();
    let mut suppressing = Vec::new();
    for pair in rules
        .iter()
        .filter(|(_, region)| region.contradiction.is_none())
    {
        if let Some(group) = pair.0.group.as_deref() {
            groups.entry(group).or_default().push(*pair);
        }
        if pair.0.suppresses() && pair.0.group.is_none() {
            suppressing.push(*pair);
        }
    }
    let mut steps = MAX_STEPS;
    for members in groups.values_mut() {
        members.sort_by_key(|(rule, _)| (!rule.suppresses(), -rule.priority, rule.place));
        for (index, later) in members.iter().enumerate() {
            // Vetoed invitations give way, so a rule that invites is sure to go first only of invitations.
            let wins = |first: &CompiledRule| !first.invites() || only_invites(later.0);
            let earlier = members.iter().take(index);
            let first = earlier
                .take_while(|first| pay(&mut steps, first, later))
                .find(|first| wins(first.0) && goes_before(first, later));
            if let Some((first, _)) = first {
                findings.push(shadowed(later.0, &first.title, "同组且总是先命中"));
            }
        }
    }
    for invitation in rules
        .iter()
        .filter(|(rule, region)| only_invites(rule) && region.contradiction.is_none())
    {
        let first = suppressing
            .iter()
            .take_while(|first| pay(&mut steps, first, invitation))
            .find(|first| goes_before(first, invitation));
        if let Some((first, _)) = first {
            findings.push(shadowed(invitation.0, &first.title, "总会先停发邀约"));
        }
    }
    if steps == 0 {
        findings.push(Finding::warn(
            "RULE-SHADOW",
            "/rules",
            "规则太多,没有逐对检查谁被谁挡住",
            "拆成几个规则集,或减少同组的规则",
        ));
    }
}

/// Pays for one comparison; `false` when the budget is used up.
fn pay(
    steps: &mut usize,
    first: &(&CompiledRule, &Region),
    later: &(&CompiledRule, &Region),
) -> bool {
    *steps = steps.saturating_sub(first.1.size().saturating_add(later.1.size()));
    *steps > 0
}

fn only_invites(rule: &CompiledRule) -> bool {
    rule.effects
        .iter()
        .all(|effect| matches!(effect, Action::Invite { .. }))
}

/// Whether `first` has its turn wherever `later` could have one; a rule that lacks a consent takes none.
fn goes_before(first: &(&CompiledRule, &Region), later: &(&CompiledRule, &Region)) -> bool {
    let mut needs = first.0.purposes.iter();
    later.0.on.is_subset(&first.0.on)
        && needs.all(|need| later.0.purposes.contains(need))
        && first.1.covers(later.1)
}

fn shadowed(rule: &CompiledRule, first: &str, how: &str) -> Finding {
    Finding::warn(
        "RULE-SHADOW",
        &rule.pointer,
        format!(
            "规则“{}”轮不到:规则“{}”{how}",
            short(&rule.title),
            short(first)
        ),
        "调整优先级或条件,或删掉这条规则",
    )
}

/// A generation is min(inviter's + 1, 3), so beyond 3 nobody is; a gap leaves a generation with nothing.
fn generations(findings: &mut Vec<Finding>, set: &RuleSet) {
    let highest = ["3", "2", "1"]
        .into_iter()
        .position(|key| set.generations.contains_key(key))
        .map_or(0, |at| 3 - at);
    for generation in 1..highest {
        if !set.generations.contains_key(&generation.to_string()) {
            findings.push(Finding::warn(
                "RULE-GENERATION",
                "/generations",
                format!("第 {generation} 代好友什么也得不到,而后面的代有权益"),
                format!("补上第 {generation} 代"),
            ));
        }
    }
    for key in set
        .generations
        .keys()
        .filter(|key| !["1", "2", "3"].contains(&key.as_str()))
    {
        findings.push(Finding::block(
            "RULE-GENERATION",
            &at("/generations", key),
            format!("没有人会是第“{key}”代:代际最多到 3"),
            "删掉这一项",
        ));
    }
}

/// The names of the benefits somebody may get: as a welcome, as thanks, or from a rule.
fn given(set: &RuleSet) -> BTreeSet<&str> {
    let mut names: BTreeSet<&str> = set.generations.values().map(String::as_str).collect();
    names.extend(set.inviter_thanks.as_deref());
    for effect in set.rules.iter().flat_map(|rule| &rule.then) {
        if let super::document::EffectKind::Grant { benefit, .. } = &effect.kind {
            names.insert(benefit);
        }
    }
    names
}

fn unused(findings: &mut Vec<Finding>, set: &RuleSet) {
    let used = given(set);
    for name in set
        .benefits
        .keys()
        .filter(|name| !used.contains(name.as_str()))
    {
        findings.push(Finding::warn(
            "RULE-UNUSED",
            &at("/benefits", name),
            format!("权益“{name}”没有被用到"),
            "用上它,或删掉",
        ));
    }
}

mod ignored;
mod overlap;
#[cfg(test)]
mod sound;
mod spend;
#[cfg(test)]
mod tests;
