//! Rewards that are worth something at the till: each has a voucher while it can be used.

use super::reward;
use crate::{
    kernel::Result,
    platform::Ctx,
    rule::{Benefit, benefit_words},
    wallet::{self, New},
};
use chrono::{DateTime, Duration, Utc};
use entity::{
    ids::{AccountId, BookingId, RewardId},
    values::{Fen, RewardStatus, VoucherStatus},
};
use sea_orm::DatabaseTransaction;

/// A reward whose voucher an unfinished booking holds does not run out under it; it is looked at again after this.
const LOOK_AGAIN: Duration = Duration::days(7);

/// A granted reward can be used: price benefits and coupons get their voucher.
pub(super) async fn open(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    (id, account_id): (RewardId, AccountId),
    benefit: &Benefit,
    expires_at: Option<DateTime<Utc>>,
) -> Result<()> {
    let value = match benefit {
        Benefit::PriceOff { fen, .. } | Benefit::Coupon { fen, .. } => Fen(*fen),
        Benefit::Goods { .. } | Benefit::Privilege { .. } => return Ok(()),
    };
    let new = New {
        account_id,
        source_id: id.0,
        label: benefit_words(benefit),
        value,
        expires_at,
    };
    wallet::issue(ctx, tx, new).await
}

/// A visit is completed: the rewards whose vouchers it held are used.
pub(super) async fn used(ctx: &Ctx, tx: &DatabaseTransaction, booking: BookingId) -> Result<()> {
    for (source, status) in wallet::fate(tx, booking).await? {
        if status == VoucherStatus::Used {
            let (id, to) = (RewardId(source), RewardStatus::Used);
            reward::step(ctx, tx, id, to, "已用于本次服务", Some(booking)).await?;
        }
    }
    Ok(())
}

/// A reward's time is over, unless a booking holds its voucher.
pub(super) async fn expire(ctx: &Ctx, tx: &DatabaseTransaction, id: RewardId) -> Result<()> {
    if wallet::is_held(tx, id.0).await? {
        let again = ctx.env.now() + LOOK_AGAIN;
        return crate::outbox::timer::schedule(tx, &ctx.env, reward::EXPIRY_DUE, id, again).await;
    }
    let to = RewardStatus::Expired;
    reward::step(ctx, tx, id, to, "已过有效期", None)
        .await
        .map(drop)
}
