//! When a friend's order counts: paid, completed, refund window over (REF-05). Then, and only then, the direct inviter
//! is thanked; nobody above him (REF-01, REF-14).

use super::{
    budget, caps,
    events::Qualified,
    redeem::of_invitee,
    reward::{self, Gift},
    task,
};
use crate::{
    booking,
    consent::{self, ReferralLink},
    kernel::{AppError, Code, Result, business_date},
    outbox::{self, timer},
    platform::{Ctx, OneByKey, vault},
    referral as rules,
    rule::PolicyPack,
};
use chrono::{DateTime, Utc};
use entity::{
    booking as booking_table,
    ids::{AccountId, BookingId},
    invitation, referral,
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

/// The window is over: the link qualifies if the order still stands. Consent first, then the counters, then the rows, as
/// everywhere, so that nobody waits in a circle.
pub(super) async fn window_over(ctx: &Ctx, tx: &DatabaseTransaction, id: BookingId) -> Result<()> {
    let order = booking_table::Entity::find_by_id(id).one_by_key(tx).await?;
    let Some(order) = order else { return Ok(()) };
    let Some(link) = of_invitee(tx, order.customer_id).await? else {
        return Ok(());
    };
    match consent::require::<ReferralLink>(ctx, tx, link.invitee_id, None).await {
        Ok(_) => {}
        // The friend has taken his consent back: the link is not used any more, for nobody's benefit (PIPL-05).
        Err(AppError {
            code: Code::ConsentRequired,
            ..
        }) => return Ok(()),
        Err(error) => return Err(error),
    }
    let rule = rule_of(tx, &link).await?;
    let mut keys = vec![
        caps::PROGRAMME.to_owned(),
        caps::of_customer(link.inviter_id),
    ];
    keys.extend(rule.as_deref().map(caps::of_rule));
    caps::hold_counters(tx, &ctx.env, keys).await?;
    let order = booking::lock(tx, id).await?;
    let stands = order.status == BookingStatus::Completed
        && order.prepaid_fen.0 > 0
        && order.refunded_fen.0 == 0;
    let link = referral::Entity::find_by_id(link.id)
        .lock_exclusive()
        .one_by_key(tx)
        .await?;
    match link.filter(|link| stands && link.status == ReferralStatus::Registered) {
        Some(link) => qualify(ctx, tx, &link, (id, rule.as_deref())).await,
        None => Ok(()),
    }
}

/// The rule whose invitation brought the friend, if one did.
pub(super) async fn rule_of(
    tx: &DatabaseTransaction,
    link: &referral::Model,
) -> Result<Option<String>> {
    let row = invitation::Entity::find_by_id(link.invitation_id)
        .one_by_key(tx)
        .await?;
    Ok(row.and_then(|row| row.rule_id))
}

async fn qualify(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    link: &referral::Model,
    (order, rule): (BookingId, Option<&str>),
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
    thank(ctx, tx, link, rule).await?;
    let event = Qualified {
        referral_id: link.id,
        inviter_id: link.inviter_id,
        invitee_id: link.invitee_id,
        booking_id: Some(order),
    };
    outbox::append(tx, &ctx.env, &event).await?;
    Ok(())
}

/// The inviter's fixed thank-you: once per friend who came while the set was valid, within caps and budget; beyond them it
/// is held for staff, not lost.
async fn thank(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    link: &referral::Model,
    rule: Option<&str>,
) -> Result<()> {
    // What was promised when the friend came is kept, whatever is promised to others since; the limits are today's.
    let then = rules::live_then(tx, link.created_at).await?;
    let promised = then.rules.in_period(business_date(link.created_at));
    let Some(benefit) = then.rules.inviter_thanks.as_ref().filter(|_| promised) else {
        return Ok(());
    };
    let live = rules::live(ctx, tx).await?;
    // A period that is still to come pays for nothing: until then the one does in which it was promised.
    let begun = budget::money_since(&live.rules) <= ctx.env.now();
    let payer = if begun { &live.rules } else { &then.rules };
    let programme = PolicyPack::shipped().programme_caps(&live.rules.caps);
    let held = if !caps::admit_thanks(ctx, tx, link.inviter_id, &programme.per_inviter).await? {
        Some("超过本期感谢次数上限,待人工处理")
    } else if !budget::fits_thanks(tx, payer, benefit, rule).await? {
        Some("活动预算已用完,待人工处理")
    } else {
        None
    };
    let gift = Gift {
        account_id: link.inviter_id,
        cause: RewardCause::Thanks,
        benefit,
        expires_after: None,
        status: if held.is_none() {
            RewardStatus::Granted
        } else {
            RewardStatus::Held
        },
        reason: held.unwrap_or("好友的订单已完成并过了退款期").into(),
        referral_id: Some(link.id),
        rule_id: None,
        effect_id: vault::sha256_hex(format!("thanks\n{}", link.id).as_bytes()),
    };
    let made = reward::give(ctx, tx, gift).await?;
    if let (Some(id), Some(why)) = (made, held) {
        task::hold(ctx, tx, id, link.id, format!("给邀请人的答谢:{why}")).await?;
    }
    Ok(())
}
