//! When a friend's order counts: paid, completed, refund window over (REF-05). Then, and only then, the direct inviter
//! is thanked; nobody above him (REF-01, REF-14).

use super::{
    caps,
    events::Qualified,
    redeem::of_invitee,
    reward::{self, Gift},
};
use crate::{
    booking,
    consent::{self, ReferralLink},
    kernel::{AppError, Code, Result},
    outbox::{self, timer},
    platform::{Ctx, OneByKey, vault},
    referral as rules,
};
use chrono::{DateTime, Utc};
use entity::{
    ids::{AccountId, BookingId},
    referral,
    values::{BookingStatus, ReferralStatus, RewardCause, RewardStatus},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, EntityTrait, QuerySelect};

/// Timer: the refund window of a friend's order is over. Its subject is the booking.
pub(super) const WINDOW_DUE: &str = "referral.window_due.v1";

/// A visit was completed: if it is a friend's first that could count, its window begins.
pub(super) async fn completed(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    customer: AccountId,
    booking: BookingId,
    at: DateTime<Utc>,
) -> Result<()> {
    let Some(link) = of_invitee(tx, customer).await? else {
        return Ok(());
    };
    if link.status != ReferralStatus::Registered {
        return Ok(());
    }
    timer::schedule(
        tx,
        &ctx.env,
        WINDOW_DUE,
        booking,
        at + ctx.config.referral.refund_window.get(),
    )
    .await
}

/// The window is over: the link qualifies if the order still stands.
pub(super) async fn window_over(ctx: &Ctx, tx: &DatabaseTransaction, id: BookingId) -> Result<()> {
    let order = booking::lock(tx, id).await?;
    let stands = order.status == BookingStatus::Completed
        && order.prepaid_fen.0 > 0
        && order.refunded_fen.0 == 0;
    let Some(link) = of_invitee(tx, order.customer_id).await? else {
        return Ok(());
    };
    let link = referral::Entity::find_by_id(link.id)
        .lock_exclusive()
        .one_by_key(tx)
        .await?;
    let Some(link) = link.filter(|link| stands && link.status == ReferralStatus::Registered) else {
        return Ok(());
    };
    match consent::require::<ReferralLink>(ctx, tx, link.invitee_id, None).await {
        Ok(_) => qualify(ctx, tx, &link, id).await,
        // The friend has taken his consent back: the link is not used any more, for nobody's benefit (PIPL-05).
        Err(AppError {
            code: Code::ConsentRequired,
            ..
        }) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn qualify(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    link: &referral::Model,
    order: BookingId,
) -> Result<()> {
    referral::ActiveModel {
        id: Set(link.id),
        status: Set(ReferralStatus::Qualified),
        booking_id: Set(Some(order)),
        qualified_at: Set(Some(ctx.env.now())),
        ..Default::default()
    }
    .update(tx)
    .await?;
    thank(ctx, tx, link).await?;
    let event = Qualified {
        referral_id: link.id,
        inviter_id: link.inviter_id,
        invitee_id: link.invitee_id,
        booking_id: Some(order),
    };
    outbox::append(tx, &ctx.env, &event).await?;
    Ok(())
}

/// The inviter's fixed thank-you: once per friend, within his caps; beyond them it is held for staff, not lost.
async fn thank(ctx: &Ctx, tx: &DatabaseTransaction, link: &referral::Model) -> Result<()> {
    let live = rules::live(ctx, tx).await?;
    let Some(benefit) = &live.rules.inviter_thanks else {
        return Ok(());
    };
    let within = caps::admit_thanks(ctx, tx, link.inviter_id, &live.rules.caps.per_inviter).await?;
    let (status, reason) = if within {
        (RewardStatus::Granted, "好友的订单已完成并过了退款期")
    } else {
        (RewardStatus::Held, "超过本期感谢次数上限,待人工处理")
    };
    let gift = Gift {
        account_id: link.inviter_id,
        cause: RewardCause::Thanks,
        benefit,
        expires_after: None,
        status,
        reason: reason.into(),
        referral_id: Some(link.id),
        rule_id: None,
        effect_id: vault::sha256_hex(format!("thanks\n{}", link.id).as_bytes()),
    };
    reward::give(ctx, tx, gift).await?;
    Ok(())
}
