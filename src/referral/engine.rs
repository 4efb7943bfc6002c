//! From events to cases: which ones the rules are asked about, and which may be judged together.

use super::{
    facts::Said,
    forgetting::Forgetting,
    judge,
    live::{LiveSet, live_at, settled_at},
    retention::Retention,
    schedule,
};
use crate::{
    benefit::{Qualified, Redeemed, Reversed},
    booking::BookingCompleted,
    complaint::{ComplaintOpened, ComplaintResolved, ComplaintSlaBreached},
    consent::ConsentGranted,
    kernel::{AppError, Result},
    outbox::{Consumer, Delivered, Event as OutboxEvent, Registry},
    payment::PaymentSucceeded,
    platform::Ctx,
    rating::RatingSubmitted,
    rule::{Event, EventKind, PartnerKind},
};
use chrono::{DateTime, Utc};
use entity::ids::{AccountId, BookingId, ComplaintId, ReferralId};
use sea_orm::DatabaseTransaction;
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

/// Registers the engine.
pub fn consumers(registry: Registry) -> Registry {
    registry
        .with(Engine)
        .with(Forgetting)
        .with(Retention)
        .with(schedule::Switching)
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
pub(super) struct Told {
    customer_id: Option<AccountId>,
    account_id: Option<AccountId>,
    purpose: Option<String>,
    pub(super) complaint_id: Option<ComplaintId>,
    inviter_id: Option<AccountId>,
    pub(super) invitee_id: Option<AccountId>,
    pub(super) booking_id: Option<BookingId>,
    pub(super) referral_id: Option<ReferralId>,
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
        self.handle_all(ctx, tx, &[event]).await
    }

    fn shares(&self) -> bool {
        true
    }

    fn groups<'a>(&self, events: &[&'a Delivered]) -> Vec<Vec<&'a Delivered>> {
        rounds(events)
    }

    async fn handle_all(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        events: &[&Delivered],
    ) -> Result<()> {
        let mut cases = Vec::with_capacity(events.len());
        for event in events {
            cases.extend(case(event)?);
        }
        // Before every other lock: until the transaction ends nobody changes versions.
        let Some(live) = in_force(ctx, tx, &cases).await? else {
            return Ok(());
        };
        // Consents of everybody next, then counters: whoever takes both takes them in this order.
        let stands = judge::lock(ctx, tx, cases.iter()).await?;
        cases.retain(|case| live.rules.listens_to(case.event.kind));
        Box::pin(judge::all(ctx, tx, (&live, &stands), &cases)).await?;
        Ok(())
    }
}

/// The set that was in force when the cases happened. Several cases with a switch between them are not judged here: each would
/// take its counters by itself, in no common order, so they go one by one.
async fn in_force(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    cases: &[Case],
) -> Result<Option<Arc<LiveSet>>> {
    let moments = || cases.iter().map(|case| case.occurred_at);
    let (Some(first), Some(last)) = (moments().min(), moments().max()) else {
        return Ok(None);
    };
    if cases.len() == 1 {
        // Whoever judges a single event puts a set in force whose moment has come.
        return Ok(Some(live_at(ctx, tx, last).await?));
    }
    let (live, since) = settled_at(tx, last).await?;
    // A rollback may bring the same set back within them: what counts is whether a span began in between.
    if first < since && since <= last {
        return Err(AppError::internal("the rule set was switched in between"));
    }
    Ok(Some(live))
}

/// The case an event makes, if it is about somebody the rules decide about.
fn case(event: &Delivered) -> Result<Option<Case>> {
    let name = event.kind.strip_suffix(".v1").unwrap_or(&event.kind);
    let told: Told = event.read()?;
    let (Some(kind), Some(customer)) = (EventKind::parse(name), told.about()) else {
        return Ok(None);
    };
    Ok(Some(Case {
        event: Event {
            id: event.id.0,
            kind,
            customer_id: customer.0,
        },
        customer,
        told,
        occurred_at: event.occurred_at,
    }))
}

/// Events that may be judged together: of one kind, because a kind has its own facts, and each about other people than the
/// rest, because what is done for one changes what the next one about the same people finds. Their order stays.
fn rounds<'a>(events: &[&'a Delivered]) -> Vec<Vec<&'a Delivered>> {
    let mut rounds: Vec<Vec<&Delivered>> = Vec::new();
    let mut last: HashMap<AccountId, usize> = HashMap::new();
    for event in events {
        // One that cannot be read is about nobody here, and fails where it is handled.
        let case = case(event).ok().flatten();
        let people = case.map_or([None; 2], |case| {
            [Some(case.customer), case.told.invitee_id]
        });
        let after = people.iter().flatten().filter_map(|one| last.get(one));
        let from = after.max().map_or(0, |round| round + 1);
        let fits =
            |round: &Vec<&Delivered>| round.first().is_some_and(|one| one.kind == event.kind);
        let found = rounds.iter().skip(from).position(fits);
        let place = found.map_or(rounds.len(), |place| from + place);
        if place == rounds.len() {
            rounds.push(Vec::new());
        }
        for one in people.into_iter().flatten() {
            last.insert(one, place);
        }
        if let Some(round) = rounds.get_mut(place) {
            round.push(event);
        }
    }
    rounds
}

/// One event about one person.
pub(super) struct Case {
    pub(super) event: Event,
    pub(super) customer: AccountId,
    pub(super) told: Told,
    pub(super) occurred_at: DateTime<Utc>,
}

impl Case {
    /// What a third party said, on its own events.
    pub(super) fn said(&self) -> Option<Said> {
        match self.event.kind {
            EventKind::Partner(kind) => self.told.data.clone().map(|data| Said { kind, data }),
            _ => None,
        }
    }

    /// The visit, when it is the customer's own: on `referral.*` it is his friend's and stays out of what is kept about
    /// him.
    pub(super) fn own_booking(&self) -> Option<BookingId> {
        self.told
            .booking_id
            .filter(|_| self.told.referral_id.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    fn event(number: u128, kind: &str, customer: u128, friend: Option<u128>) -> Delivered {
        let person = |number| Uuid::from_u128(number).to_string();
        Delivered {
            id: entity::ids::EventId(Uuid::from_u128(number)),
            kind: format!("{kind}.v1"),
            subject: None,
            payload: json!({ "customer_id": person(customer), "invitee_id": friend.map(person) }),
            occurred_at: DateTime::UNIX_EPOCH,
        }
    }

    fn grouped(events: &[Delivered]) -> Vec<Vec<u128>> {
        let events: Vec<&Delivered> = events.iter().collect();
        let number = |event: &&Delivered| event.id.0.as_u128();
        rounds(&events)
            .iter()
            .map(|round| round.iter().map(number).collect())
            .collect()
    }

    #[test]
    fn events_of_one_kind_about_different_people_are_judged_together() {
        let events = [1, 2, 3].map(|one| event(one, "rating.submitted", one, None));
        assert_eq!(grouped(&events), [[1, 2, 3]]);
    }

    #[test]
    fn events_about_one_person_keep_their_order_also_when_he_is_the_friend() {
        let events = [
            event(1, "rating.submitted", 7, None),
            event(2, "referral.redeemed", 8, Some(7)),
            event(3, "rating.submitted", 8, None),
            event(4, "rating.submitted", 9, None),
        ];
        assert_eq!(grouped(&events), [vec![1, 4], vec![2], vec![3]]);
    }

    #[test]
    fn an_event_that_cannot_be_read_holds_up_nobody() {
        let mut events = [1, 2].map(|one| event(one, "rating.submitted", one, None));
        events[0].payload = json!({ "customer_id": 5 });
        assert_eq!(grouped(&events), [[1, 2]]);
    }
}
