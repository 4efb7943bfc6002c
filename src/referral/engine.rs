//! From an event to decisions and effects, in the consumer's transaction.

use super::{
    decision::{self, New},
    facts::{self, About, Said},
    live::{LiveSet, live},
};
use crate::{
    benefit::{self, Applied, Cause, Qualified, Redeemed, Reversed},
    booking::BookingCompleted,
    complaint::{ComplaintOpened, ComplaintResolved, ComplaintSlaBreached},
    consent::{
        self, ConsentGranted, ConsentWithdrawn, PartnerEvents, Purpose, ReferralLink,
        ReferralProfiling,
    },
    kernel::{AppError, Code, Result},
    outbox::{Consumer, Delivered, Event as OutboxEvent, Registry},
    payment::PaymentSucceeded,
    platform::Ctx,
    rating::RatingSubmitted,
    rule::{
        self, BlockedBy, ConsentNeed, Decision, Event, EventKind, FactRef, Facts, Outcome,
        PartnerKind, Whose,
    },
};
use entity::ids::{AccountId, BookingId, ComplaintId, ReferralId};
use sea_orm::DatabaseTransaction;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};

/// Registers the engine.
pub fn consumers(registry: Registry) -> Registry {
    registry.with(Engine).with(Forgetting)
}

/// What it listens to: the house's own events and the registered ones of third parties.
static KINDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let own = [
        RatingSubmitted::KIND,
        PaymentSucceeded::KIND,
        BookingCompleted::KIND,
        ComplaintOpened::KIND,
        ComplaintSlaBreached::KIND,
        ComplaintResolved::KIND,
        Redeemed::KIND,
        Qualified::KIND,
        Reversed::KIND,
        ConsentGranted::KIND,
    ];
    let partners = PartnerKind::all().map(PartnerKind::stream);
    own.into_iter().chain(partners).collect()
});

struct Engine;

/// What an event says, whatever its kind.
#[derive(serde::Deserialize)]
struct Told {
    customer_id: Option<AccountId>,
    account_id: Option<AccountId>,
    purpose: Option<String>,
    complaint_id: Option<ComplaintId>,
    inviter_id: Option<AccountId>,
    invitee_id: Option<AccountId>,
    booking_id: Option<BookingId>,
    referral_id: Option<ReferralId>,
    /// What a third party said.
    data: Option<Arc<serde_json::Map<String, Value>>>,
}

impl Told {
    /// Whom the decision is about. A yes counts only when it is to being asked: others have nothing to do with referrals.
    fn about(&self) -> Option<AccountId> {
        let consenting = self
            .account_id
            .filter(|_| self.purpose.as_deref() == Some("referral_profiling"));
        self.customer_id.or(self.inviter_id).or(consenting)
    }
}

#[async_trait::async_trait]
impl Consumer for Engine {
    fn name(&self) -> &'static str {
        "referral.engine"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &KINDS
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        let name = event.kind.strip_suffix(".v1").unwrap_or(&event.kind);
        let told: Told = event.read()?;
        let (Some(kind), Some(customer)) = (EventKind::parse(name), told.about()) else {
            return Ok(());
        };
        let live = live(ctx, tx).await?;
        if !live.rules.listens_to(kind) {
            return Ok(());
        }
        // What a third party tells rests on a consent of its own; without it the event never was (PIPL-13).
        if let EventKind::Partner(_) = kind
            && !stands(consent::require::<PartnerEvents>(ctx, tx, customer, None).await)?
        {
            return Ok(());
        }
        let case = Case {
            event: Event {
                id: event.id.0,
                kind,
                customer_id: customer.0,
            },
            customer,
            told,
        };
        Box::pin(decide(ctx, tx, &live, &case)).await
    }
}

/// One event about one person.
struct Case {
    event: Event,
    customer: AccountId,
    told: Told,
}

impl Case {
    fn said(&self) -> Option<Said> {
        match self.event.kind {
            EventKind::Partner(kind) => self.told.data.clone().map(|data| Said { kind, data }),
            _ => None,
        }
    }

    /// The visit, when it is the customer's own: on `referral.*` it is his friend's and stays out of what is kept about
    /// him.
    fn own_booking(&self) -> Option<BookingId> {
        self.told
            .booking_id
            .filter(|_| self.told.referral_id.is_none())
    }
}

/// Purposes the people of a case have granted, under locks that last as long as the transaction (CR-36): a withdrawal
/// that comes now waits until everything that rests on the consent is done.
struct Consents {
    customer: bool,
    invitee: bool,
}

impl Consents {
    /// The rows are locked in the order of the people's ids, so that two cases about the same two people never wait for
    /// each other.
    async fn lock(ctx: &Ctx, tx: &DatabaseTransaction, case: &Case) -> Result<Self> {
        let mut found = Self {
            customer: false,
            invitee: false,
        };
        let invitee = case.told.invitee_id;
        if let Some(friend) = invitee.filter(|friend| *friend < case.customer) {
            found.invitee = stands(consent::require::<ReferralLink>(ctx, tx, friend, None).await)?;
        }
        let own = consent::require::<ReferralProfiling>(ctx, tx, case.customer, None).await;
        found.customer = stands(own)?;
        if let Some(friend) = invitee.filter(|friend| *friend >= case.customer) {
            found.invitee = stands(consent::require::<ReferralLink>(ctx, tx, friend, None).await)?;
        }
        Ok(found)
    }

    fn holds(&self, need: ConsentNeed) -> bool {
        match (need.purpose, need.of) {
            ("referral_profiling", Whose::Customer) => self.customer,
            ("referral_link", Whose::Invitee) => self.invitee,
            _ => false,
        }
    }

    /// Whether a fact may be read at all.
    fn allows(&self, fact: &FactRef) -> bool {
        let Ok(meaning) = fact.meaning() else {
            return false;
        };
        meaning
            .consent
            .is_none_or(|(purpose, of)| self.holds(ConsentNeed { purpose, of }))
    }
}

fn stands<T>(proof: Result<T>) -> Result<bool> {
    match proof {
        Ok(_) => Ok(true),
        Err(AppError {
            code: Code::ConsentRequired,
            ..
        }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Consents first, then every counter the fired effects need, then the effects: one order for all, so that two events
/// never wait for each other.
async fn decide(ctx: &Ctx, tx: &DatabaseTransaction, live: &LiveSet, case: &Case) -> Result<()> {
    let consents = Consents::lock(ctx, tx, case).await?;
    let wanted: BTreeSet<FactRef> = live
        .rules
        .facts_for(case.event.kind)
        .filter(|fact| consents.allows(fact))
        .cloned()
        .collect();
    let about = About {
        customer: case.customer,
        booking: case.told.booking_id,
        referral: case.told.referral_id,
        complaint: case.told.complaint_id,
        said: case.said(),
    };
    let facts = facts::read(ctx, tx, about, &wanted).await?;
    let granted = |need: ConsentNeed| consents.holds(need);
    let now = ctx.env.now();
    let decisions = rule::evaluate_with(&live.rules, &case.event, &facts, now, &granted);
    let keys = decisions.iter().flat_map(|one| {
        let why = cause(live, case, one);
        let effects = one.effects.iter();
        effects
            .flat_map(|effect| benefit::counters(&why, effect))
            .collect::<Vec<_>>()
    });
    benefit::hold_counters(tx, &ctx.env, keys.collect()).await?;
    let nothing = Facts::new();
    for mut one in decisions {
        let effects = if one.outcome == Outcome::Fired {
            act(ctx, tx, live, case, &mut one).await?
        } else {
            Vec::new()
        };
        // Where a consent is missing nothing of this person was looked at, and that is all there is to say.
        let missing = one.blocked_by == Some(BlockedBy::Consent);
        if missing {
            one.conditions.clear();
            one.reason = Some(without(&one, &consents).into());
        }
        let new = New {
            decision: &one,
            booking: case.own_booking(),
            version: live.version,
            effects,
            facts: if missing { &nothing } else { &facts },
        };
        decision::record(ctx, tx, new).await?;
    }
    Ok(())
}

/// Which consent is missing, to be read by the person the decision is about. Of his friend it says no more than the law
/// makes of every friend.
fn without(one: &Decision, consents: &Consents) -> &'static str {
    let own = one.purposes.iter().any(|need| need.of == Whose::Customer);
    if own && !consents.customer {
        "您没有同意“转介绍邀约的个性化判断”,所以我们没有读取您的资料,也没有作出判断。"
    } else {
        "这项权益要以好友自己的单独同意为前提,现在没有这个前提,所以没有作出判断。"
    }
}

fn cause(live: &LiveSet, case: &Case, one: &Decision) -> Cause {
    Cause {
        event_id: entity::ids::EventId(case.event.id),
        event: case.event.kind,
        customer_id: case.customer,
        invitee_id: case.told.invitee_id,
        referral_id: case.told.referral_id,
        booking_id: case.own_booking(),
        rule_id: one.rule_id.clone(),
        ruleset_version: live.version,
        caps: one.caps.clone(),
    }
}

/// Carries out the effects of a fired rule. If something stands in the way of all of them, the decision is held; if their
/// cause is gone, nothing follows.
async fn act(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    live: &LiveSet,
    case: &Case,
    one: &mut Decision,
) -> Result<Vec<String>> {
    let why = cause(live, case, one);
    let (mut done, mut blocked, mut undone) = (Vec::new(), None, false);
    for effect in &one.effects {
        match benefit::apply(ctx, tx, &why, effect).await? {
            Applied::Done(id) => done.push(id),
            Applied::Already => {}
            Applied::Blocked(by) => blocked = blocked.or(Some(by)),
            Applied::Undone => undone = true,
        }
    }
    if !done.is_empty() {
        return Ok(done);
    }
    if undone {
        one.outcome = Outcome::Not;
        one.reason = Some("好友的订单已全额退款,不再发放".into());
    } else if blocked.is_some() {
        one.outcome = Outcome::Held;
        one.blocked_by = blocked;
    }
    Ok(done)
}

/// What was read of a person goes when his consent does.
struct Forgetting;

#[async_trait::async_trait]
impl Consumer for Forgetting {
    fn name(&self) -> &'static str {
        "referral.forgetting"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[ConsentWithdrawn::KIND]
    }

    async fn handle(
        &self,
        _: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        let withdrawn: ConsentWithdrawn = event.read()?;
        if ["referral_profiling", PartnerEvents::KEY].contains(&withdrawn.purpose.as_str()) {
            decision::forget_facts(tx, withdrawn.account_id).await?;
        }
        Ok(())
    }
}
