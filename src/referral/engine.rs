//! From an event to decisions and effects, in the consumer's transaction.

use super::{
    decision::{self, New},
    facts::{self, About},
    live::{LiveSet, live},
};
use crate::{
    benefit::{self, Applied, Cause, Qualified, Redeemed, Reversed},
    booking::BookingCompleted,
    complaint::{ComplaintOpened, ComplaintResolved, ComplaintSlaBreached},
    consent::{self, ConsentWithdrawn},
    kernel::Result,
    outbox::{Consumer, Delivered, Event as OutboxEvent, Registry},
    payment::PaymentSucceeded,
    platform::Ctx,
    rating::RatingSubmitted,
    rule::{
        self, BlockedBy, ConsentNeed, Decision, Event, EventKind, FactRef, Facts, Outcome, Whose,
    },
};
use entity::ids::{AccountId, BookingId, ReferralId};
use sea_orm::DatabaseTransaction;
use serde_json::Value;
use std::collections::BTreeSet;

/// Registers the engine.
pub fn consumers(registry: Registry) -> Registry {
    registry.with(Engine).with(Forgetting)
}

struct Engine;

/// What an event says, whatever its kind.
#[derive(serde::Deserialize)]
struct Told {
    customer_id: Option<AccountId>,
    inviter_id: Option<AccountId>,
    invitee_id: Option<AccountId>,
    booking_id: Option<BookingId>,
    referral_id: Option<ReferralId>,
}

#[async_trait::async_trait]
impl Consumer for Engine {
    fn name(&self) -> &'static str {
        "referral.engine"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[
            RatingSubmitted::KIND,
            PaymentSucceeded::KIND,
            BookingCompleted::KIND,
            ComplaintOpened::KIND,
            ComplaintSlaBreached::KIND,
            ComplaintResolved::KIND,
            Redeemed::KIND,
            Qualified::KIND,
            Reversed::KIND,
        ]
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
        let (Some(kind), Some(customer)) =
            (EventKind::parse(name), told.customer_id.or(told.inviter_id))
        else {
            return Ok(());
        };
        let live = live(ctx, tx).await?;
        if !live.rules.listens_to(kind) {
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

/// Purposes the people of a case have granted.
struct Consents {
    customer: bool,
    invitee: bool,
}

impl Consents {
    async fn read(ctx: &Ctx, tx: &DatabaseTransaction, case: &Case) -> Result<Self> {
        let customer = consent::holds(ctx, tx, case.customer, "referral_profiling", None).await?;
        let invitee = match case.told.invitee_id {
            Some(id) => consent::holds(ctx, tx, id, "referral_link", None).await?,
            None => false,
        };
        Ok(Self { customer, invitee })
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

async fn decide(ctx: &Ctx, tx: &DatabaseTransaction, live: &LiveSet, case: &Case) -> Result<()> {
    let consents = Consents::read(ctx, tx, case).await?;
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
    };
    let facts = facts::read(ctx, tx, about, &wanted).await?;
    let decisions = rule::evaluate(&live.rules, &case.event, &facts, ctx.env.now());
    let nothing = Facts::new();
    for mut one in decisions {
        let missing = one.purposes.iter().any(|need| !consents.holds(*need));
        if missing {
            // Nothing was evaluated from this person's profile; that is all there is to say.
            one.outcome = Outcome::Held;
            one.blocked_by = Some(BlockedBy::Consent);
            one.conditions.clear();
            one.effects.clear();
            one.reason = Some("没有所需的单独同意".into());
        }
        let effects = if one.outcome == Outcome::Fired {
            act(ctx, tx, live, case, &mut one).await?
        } else {
            Vec::new()
        };
        let seen = if missing { &nothing } else { &facts };
        let new = New {
            decision: &one,
            booking: case.told.booking_id,
            version: live.version,
            effects,
            facts: seen,
        };
        decision::record(ctx, tx, new).await?;
    }
    Ok(())
}

/// Carries out the effects of a fired rule. If something stands in the way of all of them, the decision is held.
async fn act(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    live: &LiveSet,
    case: &Case,
    one: &mut Decision,
) -> Result<Vec<String>> {
    let cause = Cause {
        event_id: entity::ids::EventId(case.event.id),
        customer_id: case.customer,
        invitee_id: case.told.invitee_id,
        referral_id: case.told.referral_id,
        booking_id: case.told.booking_id,
        rule_id: one.rule_id.clone(),
        ruleset_version: live.version,
        caps: one.caps.clone(),
    };
    let (mut done, mut blocked) = (Vec::new(), None);
    for effect in &one.effects {
        match benefit::apply(ctx, tx, &cause, effect).await? {
            Applied::Done(id) => done.push(id),
            Applied::Already => {}
            Applied::Blocked(by) => blocked = blocked.or(Some(by)),
        }
    }
    if done.is_empty() && blocked.is_some() {
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
        if withdrawn.purpose == "referral_profiling" {
            decision::forget_facts(tx, withdrawn.account_id).await?;
        }
        Ok(())
    }
}
