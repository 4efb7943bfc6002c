//! Welcomes and thanks within the programme's budget and the limits of each inviter, one after the other as they came. What does
//! not fit waits for the staff, as in the engine; here nobody releases it.

use super::limits::{Times, leaves};
use crate::{
    benefit::QUARTER,
    config::Referral,
    kernel::Span,
    rule::{Cap, CompiledRuleSet, NamedBenefit, PolicyPack},
};
use chrono::{DateTime, Utc};
use entity::ids::ReferralId;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// What is left of welcomes and thanks within limits, counted from the start of the span.
#[derive(Clone, Copy, Debug, Default, Serialize, utoipa::ToSchema)]
pub(super) struct ProgrammeWithinOut {
    /// Welcomes under the draft.
    welcomes: u64,
    /// Welcomes under the other set.
    welcomes_before: u64,
    /// Thanks under the draft.
    thanks: u64,
    /// Thanks under the other set.
    thanks_before: u64,
    /// What both cost under the draft, fen.
    cost_fen: i64,
    /// What both cost under the other set, fen.
    cost_before_fen: i64,
    /// Welcomes and thanks of the draft the programme's budget held back.
    held_by_budget: u64,
    /// Those of the other set.
    held_by_budget_before: u64,
    /// Thanks of the draft a limit of the inviter held back.
    held_by_inviter: u64,
    /// Those of the other set.
    held_by_inviter_before: u64,
}

/// When a friend came, and his link.
pub(super) type Friend = (DateTime<Utc>, ReferralId);

/// One side's promises.
pub(super) struct Promises {
    budget: Option<i64>,
    per_inviter: Vec<Cap>,
    /// What a thanks costs, fen: as much is kept for each friend who has not ordered yet.
    thanks_fen: i64,
    /// Friends who came within a quarter and have not ordered.
    awaited: BTreeSet<Friend>,
    given_fen: i64,
    thanked: HashMap<Uuid, Times>,
    kept: Kept,
}

#[derive(Clone, Copy, Default)]
struct Kept {
    welcomes: u64,
    thanks: u64,
    by_budget: u64,
    by_inviter: u64,
}

fn cost(gift: Option<&NamedBenefit>) -> i64 {
    gift.and_then(|gift| gift.benefit.cost_fen())
        .unwrap_or_default()
        .max(0)
}

impl Promises {
    /// Of a set, within the deployment's own limits of thanks.
    pub(super) fn new(set: &CompiledRuleSet, settings: &Referral) -> Self {
        let own = [
            (settings.thanks_per_month, 30),
            (settings.thanks_per_year, 365),
        ];
        let own = own.map(|(times, days)| Cap {
            times: u32::try_from(times).unwrap_or(u32::MAX),
            per: Span::days(days),
        });
        let caps = PolicyPack::shipped().programme_caps(&set.caps);
        Self {
            budget: caps.budget_fen,
            per_inviter: own.iter().chain(&caps.per_inviter).copied().collect(),
            thanks_fen: cost(set.inviter_thanks.as_ref()),
            awaited: BTreeSet::new(),
            given_fen: 0,
            thanked: HashMap::new(),
            kept: Kept::default(),
        }
    }

    /// A friend came: from now on his inviter's thanks is kept for him.
    pub(super) fn comes(&mut self, friend: Friend, welcome: Option<&NamedBenefit>) {
        let now = friend.0;
        self.awaited.insert(friend);
        while let Some(first) = self.awaited.first().filter(|one| now - one.0 >= QUARTER) {
            let first = *first;
            self.awaited.remove(&first);
        }
        let Some(welcome) = welcome else { return };
        let price = cost(Some(welcome));
        let awaited = i64::try_from(self.awaited.len()).unwrap_or(i64::MAX);
        let reserved = awaited.saturating_mul(self.thanks_fen);
        let promised = self.given_fen.saturating_add(reserved);
        if self.fits(promised.saturating_add(price)) {
            self.given_fen = self.given_fen.saturating_add(price);
            self.kept.welcomes += 1;
        } else {
            self.kept.by_budget += 1;
        }
    }

    /// A friend's order counted.
    pub(super) fn counts(
        &mut self,
        friend: Friend,
        (inviter, now): (Uuid, DateTime<Utc>),
        thanks: Option<&NamedBenefit>,
    ) {
        self.awaited.remove(&friend);
        let Some(thanks) = thanks else { return };
        let times = self.thanked.entry(inviter).or_default();
        if !leaves(Some(times), &self.per_inviter, now) {
            self.kept.by_inviter += 1;
            return;
        }
        let given = self.given_fen.saturating_add(cost(Some(thanks)));
        if !self.fits(given) {
            self.kept.by_budget += 1;
            return;
        }
        self.thanked.entry(inviter).or_default().push_back(now);
        self.given_fen = given;
        self.kept.thanks += 1;
    }

    fn fits(&self, fen: i64) -> bool {
        self.budget.is_none_or(|budget| fen <= budget)
    }
}

/// What both sides kept.
pub(super) fn out([draft, base]: &[Promises; 2]) -> ProgrammeWithinOut {
    ProgrammeWithinOut {
        welcomes: draft.kept.welcomes,
        welcomes_before: base.kept.welcomes,
        thanks: draft.kept.thanks,
        thanks_before: base.kept.thanks,
        cost_fen: draft.given_fen,
        cost_before_fen: base.given_fen,
        held_by_budget: draft.kept.by_budget,
        held_by_budget_before: base.kept.by_budget,
        held_by_inviter: draft.kept.by_inviter,
        held_by_inviter_before: base.kept.by_inviter,
    }
}
