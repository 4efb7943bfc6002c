//! Judging cases together: consents, facts, decisions, effects and records of a whole batch in a fixed number of statements.

use super::{
    decision,
    engine::Case,
    evaluation::{self, Stood},
    facts::{self, About, Ask},
    live::LiveSet,
};
use crate::{
    benefit::{self, Applied, Cause},
    consent::{self, PartnerEvents, Purpose as _, ReferralLink, ReferralProfiling, Stands},
    kernel::Result,
    platform::{Ctx, Rows},
    rule::{
        self, BlockedBy, ConsentNeed, Decision, EventKind, FactRef, Facts, Outcome, ResolvedEffect,
        Whose,
    },
};
use entity::ids::{AccountId, EventId};
use sea_orm::DatabaseTransaction;
use std::collections::BTreeSet;

/// Cases of one kind, each about other people, under the consents the caller has locked. Every counter the fired effects need
/// comes before the effects: one order for all, so that two batches never wait for each other.
pub(super) async fn all(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    (live, stands): (&LiveSet, &Stands),
    cases: &[Case],
) -> Result<()> {
    let Some(kind) = cases.first().map(|case| case.event.kind) else {
        return Ok(());
    };
    let mut cases: Vec<&Case> = cases.iter().collect();
    if let EventKind::Partner(_) = kind {
        // What a third party tells rests on a consent of its own; without it the event never was (PIPL-13).
        cases.retain(|case| stands.record(case.customer, PartnerEvents::KEY).is_some());
    }
    let mut judged = read(ctx, tx, (live, kind), (&cases, stands)).await?;
    let binding = live.rules.matcher(kind).map(rule::Matcher::binding);
    let Some(mut binding) = binding else {
        return Ok(());
    };
    for one in &mut judged {
        one.decide(ctx, live, &mut binding);
    }
    // What was known, then the counters everything that fired needs: nobody waits for a counter while rows are written that
    // have nothing to do with it.
    let mut rows = Rows::default();
    remember(ctx, live, &judged, &mut rows)?;
    benefit::add_counters(&mut rows, &ctx.env, counters(live, &judged))?;
    rows.write(tx).await?;
    let mut rows = Rows::default();
    act(ctx, tx, (live, stands), &mut judged, &mut rows).await?;
    record(ctx, live, &judged, &mut rows)?;
    rows.write(tx).await
}

/// Purposes the people of the cases have granted, under locks that last as long as the transaction (CR-36): a withdrawal
/// that comes now waits until everything that rests on the consent is done.
pub(super) async fn lock(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    cases: impl Iterator<Item = &Case>,
) -> Result<Stands> {
    let people = cases.flat_map(|case| [Some(case.customer), case.told.invitee_id]);
    let people: BTreeSet<AccountId> = people.flatten().collect();
    let people: Vec<AccountId> = people.into_iter().collect();
    let purposes = [
        ReferralProfiling::KEY,
        ReferralLink::KEY,
        PartnerEvents::KEY,
    ];
    consent::stand(ctx, tx, &people, &purposes).await
}

/// A case with what is known and decided about it.
struct Judged<'a> {
    case: &'a Case,
    stood: Stood,
    facts: Facts,
    decisions: Vec<Made>,
}

/// Rules held for want of a consent that are written down one by one; a larger set says it once, by its evaluation, and the
/// decisions are made again from it when somebody asks.
const MOST_HELD: usize = 50;

/// A decision and what came of it.
struct Made {
    decision: Decision,
    done: Vec<String>,
}

impl Stood {
    fn of(case: &Case, stands: &Stands) -> Self {
        let friend = case.told.invitee_id;
        Self {
            profiling: stands
                .record(case.customer, ReferralProfiling::KEY)
                .is_some(),
            link: friend.is_some_and(|friend| stands.record(friend, ReferralLink::KEY).is_some()),
        }
    }

    fn holds(self, need: ConsentNeed) -> bool {
        match (need.purpose, need.of) {
            ("referral_profiling", Whose::Customer) => self.profiling,
            ("referral_link", Whose::Invitee) => self.link,
            _ => false,
        }
    }
}

/// The facts of every case, as far as its consents let them be read.
async fn read<'a>(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    (live, kind): (&LiveSet, EventKind),
    (cases, stands): (&[&'a Case], &Stands),
) -> Result<Vec<Judged<'a>>> {
    let wanted: BTreeSet<FactRef> = live.rules.facts_for(kind).cloned().collect();
    let stood: Vec<Stood> = cases.iter().map(|case| Stood::of(case, stands)).collect();
    let asks = cases.iter().zip(&stood).map(|(case, stood)| Ask {
        about: About {
            customer: case.customer,
            booking: case.told.booking_id,
            referral: case.told.referral_id,
            complaint: case.told.complaint_id,
            said: case.said(),
        },
        profiling: stood.profiling,
        link: stood.link,
    });
    let asks: Vec<Ask> = asks.collect();
    let facts = facts::read_batch(ctx, tx, &asks, &wanted).await?;
    let judged = cases.iter().zip(stood).zip(facts);
    Ok(judged
        .map(|((case, stood), facts)| Judged {
            case,
            stood,
            facts,
            decisions: Vec::new(),
        })
        .collect())
}

impl Judged<'_> {
    fn decide(&mut self, ctx: &Ctx, live: &LiveSet, binding: &mut rule::Binding) {
        let (event, at) = (&self.case.event, self.case.occurred_at);
        let granted = |need: ConsentNeed| self.stood.holds(need);
        // Of some events all decisions are kept, also of rules that did not fire, for as long as decisions are.
        let decisions = if sampled(event.id, ctx.config.referral.sample_not_fired) {
            rule::evaluate_with(&live.rules, event, &self.facts, at, &granted)
        } else {
            rule::decide(&live.rules, event, &self.facts, at, (&granted, binding))
        };
        let looked = decisions.is_empty()
            || decisions
                .iter()
                .any(|one| one.blocked_by != Some(BlockedBy::Consent));
        if !looked && live.rules.listening_len(event.kind) == decisions.len() {
            // Every rule lacks a consent: nothing of this person was looked at, and nothing is kept.
            self.facts = Facts::new();
            if decisions.len() > MOST_HELD {
                return;
            }
        }
        self.decisions = decisions
            .into_iter()
            .map(|decision| self.made(decision))
            .collect();
    }

    fn made(&self, mut decision: Decision) -> Made {
        // Where a consent is missing that is all there is to say.
        if decision.blocked_by == Some(BlockedBy::Consent) {
            decision.conditions.clear();
            decision.reason = Some(without(&decision, self.stood).into());
        }
        Made {
            decision,
            done: Vec::new(),
        }
    }
}

/// Whether an event is one of every so many; ids are drawn at random.
fn sampled(event: uuid::Uuid, every: u32) -> bool {
    let (_, tail) = event.as_u64_pair();
    every > 0 && tail % u64::from(every) == 0
}

/// Which consent is missing, to be read by the person the decision is about. Of his friend it says no more than the law
/// makes of every friend.
pub(super) fn without(one: &Decision, stood: Stood) -> &'static str {
    let own = one.purposes.iter().any(|need| need.of == Whose::Customer);
    if own && !stood.profiling {
        "您没有同意“转介绍邀约的个性化判断”,所以我们没有读取您的资料,也没有作出判断。"
    } else {
        "这项权益要以好友自己的单独同意为前提,现在没有这个前提,所以没有作出判断。"
    }
}

fn cause(live: &LiveSet, case: &Case, one: &Decision) -> Cause {
    Cause {
        event_id: EventId(case.event.id),
        event: case.event.kind,
        customer_id: case.customer,
        invitee_id: case.told.invitee_id,
        referral_id: case.told.referral_id,
        booking_id: case.own_booking(),
        rule_id: one.rule_id.clone(),
        ruleset_version: live.version,
        caps: one.caps.clone(),
        money_since: benefit::money_since(&live.rules),
    }
}

/// The counters the effects of what fired look at.
fn counters(live: &LiveSet, judged: &[Judged<'_>]) -> Vec<String> {
    let mut keys = Vec::new();
    for one in judged {
        for made in one.decisions.iter().filter(|made| made.fired()) {
            let cause = cause(live, one.case, &made.decision);
            let effects = made.decision.effects.iter();
            keys.extend(effects.flat_map(|effect| benefit::counters(&cause, effect)));
        }
    }
    keys
}

/// Carries out the effects of what fired. If something stands in the way of all effects of a decision, it is held; if their
/// cause is gone, nothing follows.
async fn act(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    (live, stands): (&LiveSet, &Stands),
    judged: &mut [Judged<'_>],
    rows: &mut Rows,
) -> Result<()> {
    let mut fired: Vec<(Cause, &mut Made)> = Vec::new();
    for one in judged {
        for made in one.decisions.iter_mut().filter(|made| made.fired()) {
            fired.push((cause(live, one.case, &made.decision), made));
        }
    }
    let effects: Vec<(&Cause, &ResolvedEffect)> = fired
        .iter()
        .flat_map(|(cause, made)| made.decision.effects.iter().map(move |one| (cause, one)))
        .collect();
    let applied = benefit::apply_all(ctx, tx, (&live.rules, stands), &effects, rows).await?;
    let mut applied = applied.into_iter();
    for (_, made) in &mut fired {
        let many = made.decision.effects.len();
        made.settle(applied.by_ref().take(many));
    }
    Ok(())
}

impl Made {
    fn fired(&self) -> bool {
        self.decision.outcome == Outcome::Fired
    }

    fn settle(&mut self, applied: impl Iterator<Item = Applied>) {
        let (mut blocked, mut undone) = (None, false);
        for one in applied {
            match one {
                Applied::Done(id) => self.done.push(id),
                Applied::Already => {}
                Applied::Blocked(by) => blocked = blocked.or(Some(by)),
                Applied::Undone => undone = true,
            }
        }
        if !self.done.is_empty() {
            return;
        }
        if undone {
            self.decision.outcome = Outcome::Not;
            self.decision.reason = Some("好友的订单已全额退款,不再发放".into());
        } else if blocked.is_some() {
            self.decision.outcome = Outcome::Held;
            self.decision.blocked_by = blocked;
        }
    }
}

/// What was known about everybody when he was judged.
fn remember(ctx: &Ctx, live: &LiveSet, judged: &[Judged<'_>], rows: &mut Rows) -> Result<()> {
    let evaluations: Vec<_> = judged
        .iter()
        .map(|one| evaluation::New {
            event: &one.case.event,
            booking: one.case.own_booking(),
            friend: one.case.told.invitee_id,
            version: live.version,
            stood: one.stood,
            facts: &one.facts,
            occurred_at: one.case.occurred_at,
        })
        .collect();
    evaluation::add(ctx, rows, &evaluations)
}

fn record(ctx: &Ctx, live: &LiveSet, judged: &[Judged<'_>], rows: &mut Rows) -> Result<()> {
    let mut decisions = Vec::new();
    for one in judged {
        decisions.extend(one.decisions.iter().map(|made| decision::New {
            decision: &made.decision,
            booking: one.case.own_booking(),
            version: live.version,
            effects: made.done.clone(),
        }));
    }
    decision::add(ctx, rows, &decisions)
}
