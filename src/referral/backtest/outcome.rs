//! What a back-test says: who gains, who loses, through which rule, at what cost, and why in some cases.

use super::coverage::{Coverage, Listened, NotRecordedOut};
use super::gift::Receiver;
use super::limits::{BothLimits, WithinLimitsOut};
use super::programme::{Programme, ProgrammeOut};
use super::shard::{Case, PerRule, SAMPLE, Shard, Sides};
use crate::rule::{self, CompiledRuleSet, ConsentNeed, Event, Outcome};
use chrono::{DateTime, Utc};
use entity::ids::{AccountId, EventId};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What of the limits is in the figures and what is not.
const LIMITS: &str = "触发、邀约、多得、少得和费用都没有计入上限;“计入上限后”一项按事件的先后计入了规则的每人上限、整条规则的上限和预算、\
    “只给一次”、规则的暂停邀约、两次邀约的间隔和每季度上限,都从这段时间的开头算起(此前用掉的不算)。一次邀约在到期前按一位好友的首单礼和感谢\
    占用规则的预算;好友有没有来无法重演。首单礼和感谢另按活动预算和每位邀请人的上限计了一遍(“计入上限后”),它们不占用规则的预算。发出前被撤下的邀约(暂停、投诉、撤回同意、退款)和规则发放后因退款收回的权益,在这里仍算给过;关联被撤销或已撤回同意的好友不在首单礼和感谢之内";

/// What a draft would have done.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub(in crate::referral) struct BacktestOut {
    /// Recorded events replayed.
    events: u64,
    /// Events left out because their facts are forgotten (withdrawn consent, end of keeping).
    forgotten: u64,
    /// Events left out because this version cannot read them.
    unreadable: u64,
    /// Events outside the draft's period: no rule of it fires then. A campaign of next month has to be tried with the period of
    /// the past it is tried on.
    outside_period: u64,
    /// Events outside the other set's period.
    outside_period_before: u64,
    /// Rules that would have fired.
    fired: u64,
    /// Invitations it would have asked for, before caps.
    would_invite: u64,
    /// What people get less: invitations, benefits and features only the other set gives for an event, benefits of which the
    /// draft gives less money or, for no less money, a shorter time, and pauses of invitations only the draft makes or makes
    /// longer. Whichever rule it comes from: a rule under another name that gives the same takes nothing from anybody.
    lost: u64,
    /// What people get more, likewise.
    gained: u64,
    /// Tags and notices to the staff that only one of the sets makes for an event: nobody has more or less of them.
    other_changes: u64,
    /// People who get more for at least one event; of a benefit for the friend it is the friend.
    people_gaining: u64,
    /// People who get less for at least one event.
    people_losing: u64,
    /// Times a rule of the draft is held for want of a consent, by the consents that stood when the events were recorded.
    blocked_by_consent: u64,
    /// The same for the other set.
    blocked_by_consent_before: u64,
    /// Decisions recorded then, by whatever set was live, as held by a cap or because the person was asked lately.
    pub(super) blocked_by_caps: u64,
    /// All causes recorded then, by whatever set was live, with how often.
    pub(super) blocked: BTreeMap<String, u64>,
    /// Most the draft's grants, welcomes and thanks would have cost, before caps and budgets, fen.
    cost_fen: i64,
    /// Most the other set's grants, welcomes and thanks would have cost, fen.
    cost_before_fen: i64,
    /// Of that, welcomes and thanks. `lost`, `gained` and the people count them too.
    programme: ProgrammeOut,
    /// Grants, welcomes and thanks of either side that are goods nobody wrote a worth of: they count as costing nothing.
    unpriced: u64,
    /// What is left of what rules give within their limits and those of each person. All other figures are before limits.
    within_limits: WithinLimitsOut,
    /// What the draft looks at and history does not hold: there its silence says nothing about it.
    pub(super) not_recorded: NotRecordedOut,
    /// What has to be known to read the figures, zh-CN sentences.
    notes: Vec<String>,
    /// By rule of either set, those that never acted included.
    rules: Vec<RuleOut>,
    /// Some of the differences, with the reason the other side had.
    sample: Vec<SampleOut>,
}

/// One rule under both sets.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct RuleOut {
    rule_id: String,
    title: String,
    /// Records replayed of the kinds the draft's rule listens to; 0 when the draft has no such rule.
    events: u64,
    /// The same under the other set.
    events_before: u64,
    /// Of `events`, those where the draft's rule is neither true nor false because a fact it needs is not in the record.
    unknown: u64,
    /// The same under the other set.
    unknown_before: u64,
    /// Firings under the draft.
    fired: u64,
    /// Firings under the other set.
    fired_before: u64,
    /// What this rule of the draft gives more than people get now; of the other set, pauses of invitations no longer made.
    gained: u64,
    /// What this rule of the draft gives less than people get now, or this rule of the other set gave and they get no longer.
    lost: u64,
    /// Times the draft's rule was held for want of a consent.
    lacked_consent: u64,
    /// Times the other set's rule was.
    lacked_consent_before: u64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct SampleOut {
    event_id: EventId,
    customer_id: AccountId,
    /// The rule that gives `what`.
    rule_id: String,
    /// `gained` or `lost`.
    change: &'static str,
    /// Who gets it: the customer, or his friend.
    receiver: Receiver,
    /// What is given, by the draft unless only the other set gives it, zh-CN.
    what: String,
    /// What the other set gives instead, where it gives another amount of it, zh-CN.
    instead_of: Option<String>,
    /// Why the set that does not give it does not, or what became of what, zh-CN.
    reasons: Vec<String>,
    at: DateTime<Utc>,
}

/// Everything the threads counted.
pub(super) fn sum_up(
    shards: Vec<Shard>,
    limits: &BothLimits,
    programme: Programme,
    sides: &Arc<Sides>,
) -> (BacktestOut, Coverage) {
    let [cost_fen, cost_before_fen] = programme.out.costs();
    let mut out = BacktestOut {
        cost_fen,
        cost_before_fen,
        gained: programme.out.gained,
        lost: programme.out.lost,
        unpriced: programme.unpriced,
        programme: programme.out,
        within_limits: limits.out(),
        ..BacktestOut::default()
    };
    let mut coverage = Coverage::default();
    let (mut gainers, mut losers) = (programme.gainers, programme.losers);
    let mut rules: BTreeMap<String, PerRule> = BTreeMap::new();
    let mut sample = BTreeMap::new();
    for shard in shards {
        out.events += shard.events;
        out.forgotten += shard.forgotten;
        out.unreadable += shard.unreadable;
        let [draft, base] = shard.outside;
        out.outside_period += draft;
        out.outside_period_before += base;
        out.unpriced += shard.unpriced;
        out.other_changes += shard.other_changes;
        out.would_invite += shard.invitations;
        out.cost_fen = out.cost_fen.saturating_add(shard.cost_fen);
        out.cost_before_fen = out.cost_before_fen.saturating_add(shard.cost_before_fen);
        gainers.extend(shard.gainers);
        losers.extend(shard.losers);
        sample.extend(shard.sample);
        coverage.merge(shard.coverage);
        for (id, counts) in shard.rules {
            rules.entry(id).or_default().add(counts);
        }
    }
    out.people_gaining = u64::try_from(gainers.len()).unwrap_or(u64::MAX);
    out.people_losing = u64::try_from(losers.len()).unwrap_or(u64::MAX);
    for counts in rules.values() {
        out.fired += counts.fired;
        out.gained += counts.gained;
        out.lost += counts.lost;
        out.blocked_by_consent += counts.lacked_consent;
        out.blocked_by_consent_before += counts.lacked_consent_before;
    }
    let [draft, base] = coverage.of_rules(sides);
    for one in draft {
        rules.entry(one.id.to_owned()).or_default().shown(&one);
    }
    for one in base {
        rules
            .entry(one.id.to_owned())
            .or_default()
            .shown_before(&one);
    }
    out.rules = rules.into_iter().map(RuleOut::from).collect();
    let shown = sample.into_values().take(SAMPLE);
    out.sample = shown.map(|case| told(&case, sides)).collect();
    (out, coverage)
}

impl BacktestOut {
    /// Says in words what the figures do not hold.
    pub(super) fn note(&mut self) {
        self.notes.push(LIMITS.to_owned());
        if !self.not_recorded.events.is_empty() {
            let events = self.not_recorded.events.iter();
            let names: Vec<_> = events.map(|one| format!("“{}”", one.label)).collect();
            self.notes.push(format!(
                "这段时间没有{}的记录(当时的规则不看这种事件,或没有发生),草稿里看它的规则在这里无从试起",
                names.join("、")
            ));
        }
        for one in &self.not_recorded.facts {
            self.notes.push(format!(
                "“{}”的 {} 条记录里只有 {} 条读过“{}”(当时的规则不读它):其余的按“不知道”处理,要它的规则在这里不触发,不等于以后不触发",
                one.event_label, one.records, one.recorded, one.label
            ));
        }
        if self.unpriced > 0 {
            self.notes.push(format!(
                "有 {} 份礼品没有写明价值(value_fen),费用按 0 计,实际更高",
                self.unpriced
            ));
        }
    }
}

impl PerRule {
    fn shown(&mut self, by: &Listened<'_>) {
        by.title.clone_into(&mut self.title);
        (self.events, self.unknown) = (by.events, by.unknown);
    }

    fn shown_before(&mut self, by: &Listened<'_>) {
        if self.title.is_empty() {
            by.title.clone_into(&mut self.title);
        }
        (self.events_before, self.unknown_before) = (by.events, by.unknown);
    }

    fn add(&mut self, other: Self) {
        if self.title.is_empty() {
            self.title = other.title;
        }
        self.fired += other.fired;
        self.fired_before += other.fired_before;
        self.gained += other.gained;
        self.lost += other.lost;
        self.lacked_consent += other.lacked_consent;
        self.lacked_consent_before += other.lacked_consent_before;
    }
}

impl From<(String, PerRule)> for RuleOut {
    fn from((rule_id, counts): (String, PerRule)) -> Self {
        Self {
            rule_id,
            title: counts.title,
            events: counts.events,
            events_before: counts.events_before,
            unknown: counts.unknown,
            unknown_before: counts.unknown_before,
            fired: counts.fired,
            fired_before: counts.fired_before,
            gained: counts.gained,
            lost: counts.lost,
            lacked_consent: counts.lacked_consent,
            lacked_consent_before: counts.lacked_consent_before,
        }
    }
}

fn told(case: &Case, sides: &Sides) -> SampleOut {
    let silent = if case.by_draft {
        &sides.base
    } else {
        &sides.draft
    };
    SampleOut {
        event_id: EventId(case.event_id),
        customer_id: AccountId(case.customer_id),
        rule_id: case.rule_id.clone(),
        change: if case.gained { "gained" } else { "lost" },
        receiver: case.receiver,
        what: case.what.clone(),
        instead_of: case.instead_of.clone(),
        reasons: match &case.instead_of {
            Some(before) => vec![format!("由“{before}”变为“{}”", case.what)],
            None => reasons(silent, case),
        },
        at: case.at,
    }
}

/// Why a rule did not fire, in the engine's own words.
fn reasons(set: &CompiledRuleSet, case: &Case) -> Vec<String> {
    let event = Event {
        id: case.event_id,
        kind: case.alike.kind,
        customer_id: case.customer_id,
    };
    let granted = |need: ConsentNeed| case.alike.holds(need);
    let all = rule::evaluate_with(set, &event, &case.facts, case.at, &granted);
    let Some(one) = all.iter().find(|one| one.rule_id == case.rule_id) else {
        return vec!["这个规则集里没有这条规则,或它不看这种事件".to_owned()];
    };
    let why = rule::why(one, &case.facts);
    match (why.sentences.is_empty(), one.outcome) {
        (false, _) => why.sentences,
        (true, Outcome::Fired) => vec!["这条规则在那边也触发,但不给这个".to_owned()],
        (true, _) => vec!["没有所需的单独同意".to_owned()],
    }
}
