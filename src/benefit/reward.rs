//! Rewards: given once, moved along their states, with a history.

use super::till;
use crate::{
    kernel::{AppError, Result, Span},
    outbox::timer,
    platform::{Ctx, OneByKey},
    rule::{Benefit, NamedBenefit},
    wallet,
};
use entity::{
    ids::{AccountId, BookingId, ReferralId, RewardEventId, RewardId},
    reward, reward_event,
    values::{Fen, RewardCause, RewardStatus},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, EntityTrait, QuerySelect,
    sea_query::OnConflict,
};

/// Timer: a reward has run out.
pub(super) const EXPIRY_DUE: &str = "reward.expiry_due.v1";

/// A reward about to be given.
pub(super) struct Gift<'a> {
    pub(super) account_id: AccountId,
    pub(super) cause: RewardCause,
    pub(super) benefit: &'a NamedBenefit,
    pub(super) expires_after: Option<Span>,
    pub(super) status: RewardStatus,
    pub(super) reason: String,
    pub(super) referral_id: Option<ReferralId>,
    pub(super) rule_id: Option<String>,
    pub(super) effect_id: String,
}

/// The kind as stored and answered.
fn kind(benefit: &Benefit) -> &'static str {
    match benefit {
        Benefit::PriceOff { .. } => "price_off",
        Benefit::Coupon { .. } => "coupon",
        Benefit::Goods { .. } => "goods",
        Benefit::Privilege { .. } => "privilege",
    }
}

/// Whether a reward may step from one state to another.
pub(super) fn may(from: RewardStatus, to: RewardStatus) -> bool {
    use RewardStatus::{Expired, Granted, Held, Pending, Qualified, Revoked, Used};
    match from {
        Pending => matches!(to, Qualified | Held | Revoked | Expired),
        Qualified => matches!(to, Granted | Held | Revoked | Expired),
        Held => matches!(to, Granted | Revoked | Expired),
        Granted => matches!(to, Used | Revoked | Expired),
        Used | Expired | Revoked => false,
    }
}

/// Writes the reward unless its effect id exists; `None` then.
pub(super) async fn give(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    gift: Gift<'_>,
) -> Result<Option<RewardId>> {
    let id: RewardId = ctx.env.id();
    let now = ctx.env.now();
    let granted = gift.status == RewardStatus::Granted;
    let lasts = gift
        .expires_after
        .or_else(|| gift.benefit.benefit.expires_after());
    // What is held does not run out: its time begins when it is released.
    let held = gift.status == RewardStatus::Held;
    let expires_at = lasts.filter(|_| !held).map(|span| now + span.get());
    let row = reward::ActiveModel {
        id: Set(id),
        account_id: Set(gift.account_id),
        kind: Set(kind(&gift.benefit.benefit).to_owned()),
        cause: Set(gift.cause),
        benefit: Set(gift.benefit.name.clone()),
        value: Set(serde_json::to_value(&gift.benefit.benefit)?),
        status: Set(gift.status),
        reason: Set(gift.reason.clone()),
        referral_id: Set(gift.referral_id),
        rule_id: Set(gift.rule_id),
        effect_id: Set(gift.effect_id),
        cost_fen: Set(Fen(gift
            .benefit
            .benefit
            .cost_fen()
            .unwrap_or_default()
            .max(0))),
        used_booking_id: Set(None),
        qualified_at: Set(granted.then_some(now)),
        granted_at: Set(granted.then_some(now)),
        used_at: Set(None),
        revoked_at: Set(None),
        expires_at: Set(expires_at),
        created_at: Set(now),
    };
    let made = reward::Entity::insert(row)
        .on_conflict(
            OnConflict::column(reward::Column::EffectId)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    if made == 0 {
        return Ok(None);
    }
    note(ctx, tx, id, None, gift.status, &gift.reason).await?;
    if granted {
        let whose = (id, gift.account_id);
        till::open(ctx, tx, whose, &gift.benefit.benefit, expires_at).await?;
    }
    if let Some(at) = expires_at {
        timer::schedule(tx, &ctx.env, EXPIRY_DUE, id, at).await?;
    }
    Ok(Some(id))
}

async fn note(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: RewardId,
    from: Option<RewardStatus>,
    to: RewardStatus,
    reason: &str,
) -> Result<()> {
    let row = reward_event::ActiveModel {
        id: Set(ctx.env.id::<RewardEventId>()),
        reward_id: Set(id),
        from_status: Set(from.map(|status| status.word().to_owned())),
        to_status: Set(to.word().to_owned()),
        reason: Set(reason.to_owned()),
        at: Set(ctx.env.now()),
    };
    reward_event::Entity::insert(row)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Moves a reward along; `false` when its state does not allow the step (then nothing is written).
pub(super) async fn step(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: RewardId,
    to: RewardStatus,
    reason: &str,
    booking: Option<BookingId>,
) -> Result<bool> {
    let row = reward::Entity::find_by_id(id)
        .lock_exclusive()
        .one_by_key(tx)
        .await?
        .ok_or_else(AppError::not_found)?;
    if !may(row.status, to) {
        return Ok(false);
    }
    let now = ctx.env.now();
    let mut change = reward::ActiveModel {
        id: Set(id),
        status: Set(to),
        reason: Set(reason.into()),
        ..Default::default()
    };
    match to {
        RewardStatus::Granted => change.granted_at = Set(Some(now)),
        RewardStatus::Used => {
            change.used_at = Set(Some(now));
            change.used_booking_id = Set(booking);
        }
        RewardStatus::Revoked => change.revoked_at = Set(Some(now)),
        RewardStatus::Pending
        | RewardStatus::Qualified
        | RewardStatus::Expired
        | RewardStatus::Held => {}
    }
    change.update(tx).await?;
    note(ctx, tx, id, Some(row.status), to, reason).await?;
    if matches!(to, RewardStatus::Revoked | RewardStatus::Expired) {
        // A visit that is booked already keeps the price it was booked at.
        wallet::cancel(tx, id.0).await?;
    }
    if to != RewardStatus::Granted {
        timer::cancel(tx, &ctx.env, EXPIRY_DUE, id).await?;
    }
    Ok(true)
}

/// Gives a held reward; its time begins now. `false` when it is not held.
pub(super) async fn release(ctx: &Ctx, tx: &DatabaseTransaction, id: RewardId) -> Result<bool> {
    if !step(ctx, tx, id, RewardStatus::Granted, "人工核准发放", None).await? {
        return Ok(false);
    }
    let row = reward::Entity::find_by_id(id)
        .one_by_key(tx)
        .await?
        .ok_or_else(AppError::not_found)?;
    let now = ctx.env.now();
    let benefit: Benefit = serde_json::from_value(row.value)?;
    let expires_at = benefit.expires_after().map(|span| now + span.get());
    reward::ActiveModel {
        id: Set(id),
        qualified_at: Set(Some(row.qualified_at.unwrap_or(now))),
        expires_at: Set(expires_at),
        ..Default::default()
    }
    .update(tx)
    .await?;
    till::open(ctx, tx, (id, row.account_id), &benefit, expires_at).await?;
    if let Some(at) = expires_at {
        timer::schedule(tx, &ctx.env, EXPIRY_DUE, id, at).await?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::Iterable;

    #[test]
    fn what_is_used_expired_or_revoked_stays_so() {
        for end in [
            RewardStatus::Used,
            RewardStatus::Expired,
            RewardStatus::Revoked,
        ] {
            for to in RewardStatus::iter() {
                assert!(!may(end, to), "{end:?} → {to:?}");
            }
        }
    }

    #[test]
    fn nothing_becomes_usable_twice() {
        for from in RewardStatus::iter() {
            assert!(!may(from, from), "{from:?}");
        }
        assert!(may(RewardStatus::Granted, RewardStatus::Used));
        assert!(!may(RewardStatus::Held, RewardStatus::Used));
    }
}
