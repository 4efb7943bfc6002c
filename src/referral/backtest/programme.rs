//! Welcomes and thanks as either set would have given them. They are read from the referrals themselves, which say when a friend
//! came, in which generation, and when his order counted, whether or not a rule listened then.

use super::{
    gift::{Gift, Receiver, Turn, changes},
    promises::{self, ProgrammeWithinOut, Promises},
    shard::Sides,
};
use crate::{
    consent::{self, Purpose as _, ReferralLink},
    kernel::{Result, business_date},
    platform::Ctx,
    rule::NamedBenefit,
};
use chrono::{DateTime, Utc};
use entity::{
    ids::{AccountId, ReferralId},
    referral,
    values::ReferralStatus,
};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use std::collections::HashSet;
use uuid::Uuid;

/// Referrals read at once.
const PAGE: u64 = 1_000;

/// What the two sets' welcomes and thanks would have cost, before caps and budgets and within them.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub(super) struct ProgrammeOut {
    /// Friends who used a code in the span; a welcome each, where the set of the side promises one to his generation then.
    welcomes: u64,
    /// Friends' orders that counted in the span; a thanks each, where the set of the side promised one when the friend came.
    thanks: u64,
    /// Most the draft's welcomes would have cost, fen.
    welcome_fen: i64,
    /// Most the other set's welcomes would have cost, fen.
    welcome_before_fen: i64,
    /// Most the draft's thanks would have cost, fen.
    thanks_fen: i64,
    /// Most the other set's thanks would have cost, fen.
    thanks_before_fen: i64,
    /// Welcomes and thanks that are more under the draft.
    pub(super) gained: u64,
    /// Welcomes and thanks that are less under the draft.
    pub(super) lost: u64,
    /// Referrals left out because the friend has taken back his consent to the link since.
    pub(super) forgotten: u64,
    /// Referrals left out because they were undone, by a refund or by review: what they brought was taken back.
    reversed: u64,
    /// What is left of them within the programme's budget and the limits of each inviter. All other figures are before limits.
    within_limits: ProgrammeWithinOut,
}

impl ProgrammeOut {
    /// Costs of the draft and of the other set, fen.
    pub(super) fn costs(&self) -> [i64; 2] {
        [
            self.welcome_fen.saturating_add(self.thanks_fen),
            self.welcome_before_fen
                .saturating_add(self.thanks_before_fen),
        ]
    }
}

/// What was counted, with the people who are better or worse off.
#[derive(Default)]
pub(super) struct Programme {
    pub(super) out: ProgrammeOut,
    /// Those of either side that are goods nobody wrote a worth of.
    pub(super) unpriced: u64,
    pub(super) gainers: HashSet<Uuid>,
    pub(super) losers: HashSet<Uuid>,
    moments: Vec<Moment>,
}

/// A friend who came, or whose order counted. They are read by referral and given in the order they happened.
struct Moment {
    at: DateTime<Utc>,
    referral: ReferralId,
    inviter: AccountId,
    generation: u8,
    came: DateTime<Utc>,
    ordered: bool,
}

/// Counts the referrals of a span.
///
/// # Errors
/// A database fault.
pub(super) async fn count(
    ctx: &Ctx,
    span: (DateTime<Utc>, DateTime<Utc>),
    sides: &Sides,
) -> Result<Programme> {
    let mut counted = Programme::default();
    let mut after = ReferralId(Uuid::nil());
    loop {
        let page = page(ctx, span, after).await?;
        let Some(last) = page.last() else {
            counted.keep_limits(ctx, sides);
            return Ok(counted);
        };
        after = last.id;
        let friends: Vec<AccountId> = page.iter().map(|link| link.invitee_id).collect();
        let gone = consent::all_taken_back(ctx.db.read(), &friends, ReferralLink::KEY).await?;
        for link in &page {
            if gone.contains(&link.invitee_id) {
                counted.out.forgotten += 1;
            } else if link.status == ReferralStatus::Reversed {
                counted.out.reversed += 1;
            } else {
                counted.add(link, span, sides);
            }
        }
    }
}

/// The next referrals that began or counted within a span.
async fn page(
    ctx: &Ctx,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    after: ReferralId,
) -> Result<Vec<referral::Model>> {
    let within =
        |column: referral::Column| Condition::all().add(column.gte(from)).add(column.lt(to));
    let either = Condition::any()
        .add(within(referral::Column::CreatedAt))
        .add(within(referral::Column::QualifiedAt));
    let rows = referral::Entity::find()
        .filter(either)
        .filter(referral::Column::Id.gt(after))
        .order_by_asc(referral::Column::Id)
        .limit(PAGE)
        .all(ctx.db.read());
    Ok(rows.await?)
}

impl Programme {
    fn add(
        &mut self,
        link: &referral::Model,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        sides: &Sides,
    ) {
        let within = |at: DateTime<Utc>| from <= at && at < to;
        let generation = u8::try_from(link.generation).unwrap_or_default();
        let moment = |at: DateTime<Utc>, ordered: bool| Moment {
            at,
            referral: link.id,
            inviter: link.inviter_id,
            generation,
            came: link.created_at,
            ordered,
        };
        if within(link.created_at) {
            self.out.welcomes += 1;
            let moment = moment(link.created_at, false);
            let costs = self.given((Receiver::Friend, link.invitee_id), moment.promised(sides));
            add(
                &mut self.out.welcome_fen,
                &mut self.out.welcome_before_fen,
                costs,
            );
            self.moments.push(moment);
        }
        if let Some(at) = link.qualified_at.filter(|at| within(*at)) {
            self.out.thanks += 1;
            let moment = moment(at, true);
            let costs = self.given(
                (Receiver::Customer, link.inviter_id),
                moment.promised(sides),
            );
            add(
                &mut self.out.thanks_fen,
                &mut self.out.thanks_before_fen,
                costs,
            );
            self.moments.push(moment);
        }
    }

    /// Gives everything once more, in order and within limits.
    fn keep_limits(&mut self, ctx: &Ctx, sides: &Sides) {
        let mut kept = sides
            .each()
            .map(|set| Promises::new(set, &ctx.config.referral));
        let mut moments = std::mem::take(&mut self.moments);
        moments.sort_by_key(|one| (one.at, one.referral, one.ordered));
        for moment in &moments {
            let promised = moment.promised(sides);
            for (kept, gift) in kept.iter_mut().zip(promised) {
                let friend = (moment.came, moment.referral);
                if moment.ordered {
                    kept.counts(friend, (moment.inviter.0, moment.at), gift);
                } else {
                    kept.comes(friend, gift);
                }
            }
        }
        self.out.within_limits = promises::out(&kept);
    }

    /// Compares what both sides give a person; what it costs each, fen.
    fn given(
        &mut self,
        (to, person): (Receiver, AccountId),
        promised: [Option<&NamedBenefit>; 2],
    ) -> [i64; 2] {
        let costs = promised.map(|gift| {
            let cost = gift.map(|gift| gift.benefit.cost_fen());
            self.unpriced += u64::from(cost == Some(None));
            cost.flatten().unwrap_or_default()
        });
        let [mut draft, mut base] = promised.map(|gift| {
            gift.map(|gift| Gift::benefit(to, gift))
                .into_iter()
                .collect::<Vec<_>>()
        });
        for change in changes(&mut draft, &mut base) {
            match change.turn {
                Turn::Gained => {
                    self.out.gained += 1;
                    self.gainers.insert(person.0);
                }
                Turn::Lost => {
                    self.out.lost += 1;
                    self.losers.insert(person.0);
                }
                Turn::Neither => {}
            }
        }
        costs
    }
}

impl Moment {
    /// What both sides promise for it. Welcome and thanks are promised on the day the friend comes; the thanks is kept whatever is
    /// promised to others since.
    fn promised<'a>(&self, sides: &'a Sides) -> [Option<&'a NamedBenefit>; 2] {
        let day = business_date(self.came);
        sides.each().map(|set| {
            let gift = if self.ordered {
                set.inviter_thanks.as_ref()
            } else {
                set.welcome(self.generation)
            };
            gift.filter(|_| set.in_period(day))
        })
    }
}

fn add(draft: &mut i64, base: &mut i64, [of_draft, of_base]: [i64; 2]) {
    *draft = draft.saturating_add(of_draft);
    *base = base.saturating_add(of_base);
}
