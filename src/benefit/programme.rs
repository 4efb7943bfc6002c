//! What the live rule set promises newcomers and inviters.

use super::budget::{self, Welcome};
use crate::{
    kernel::{Result, business_date},
    platform::Ctx,
    referral,
    rule::{CompiledRuleSet, NamedBenefit},
};
use chrono::{DateTime, Utc};
use entity::invitation;
use sea_orm::ConnectionTrait;

/// The newcomer's benefit of a generation, as published now; nothing outside the set's period.
pub(super) fn welcome(
    set: &CompiledRuleSet,
    generation: i32,
    now: DateTime<Utc>,
) -> Option<&NamedBenefit> {
    if !set.in_period(business_date(now)) {
        return None;
    }
    let generation = u8::try_from(generation).ok()?;
    set.welcome(generation)
}

/// What somebody who looks at a code is promised: nothing that the budget could not keep.
pub(super) async fn promise(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    invitation: &invitation::Model,
    generation: i32,
) -> Result<Option<NamedBenefit>> {
    let live = referral::live(ctx, db).await?;
    let Some(gift) = welcome(&live.rules, generation, ctx.env.now()) else {
        return Ok(None);
    };
    let wish = Welcome {
        invitation,
        gift,
        linked: false,
    };
    let fits = budget::fits_welcome(ctx, db, &live.rules, wish).await?;
    Ok(fits.then(|| gift.clone()))
}
