//! A friend uses a code: the only way a link between two people comes to be, and only by the friend's own act (PIPL-42).

use super::{
    budget::{self, Welcome},
    caps,
    events::Redeemed,
    programme,
    reward::{self, Gift},
    task,
};
use crate::{
    consent::{self, ReferralLink},
    kernel::{AppError, Code, Result},
    outbox,
    platform::{Ctx, OneByKey, vault},
    referral as rules,
    rule::NamedBenefit,
};
use entity::{
    account, booking as booking_table,
    ids::{AccountId, InvitationId, ReferralId},
    invitation, referral,
    values::{
        BookingStatus, InvitationSource, InvitationStatus, ReferralStatus, RewardCause,
        RewardStatus,
    },
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, sea_query::OnConflict,
};

/// Deepest generation that has a name (REF-07, REF-L12).
const DEEPEST: i32 = 3;

/// What redeeming made.
pub(super) struct Link {
    pub(super) id: ReferralId,
    pub(super) generation: i32,
    pub(super) benefit: Option<NamedBenefit>,
}

/// A person's generation: 0 for who came alone.
///
/// # Errors
/// A database fault.
pub async fn generation_of(db: &impl ConnectionTrait, account: AccountId) -> Result<i32> {
    let link = of_invitee(db, account).await?;
    Ok(link.map_or(0, |link| link.generation))
}

pub(super) async fn of_invitee(
    db: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Option<referral::Model>> {
    Ok(referral::Entity::find()
        .filter(referral::Column::InviteeId.eq(account))
        .one_by_key(db)
        .await?)
}

/// The generation after `inviter`'s.
pub(super) fn next_generation(inviter: i32) -> i32 {
    inviter.saturating_add(1).clamp(1, DEEPEST)
}

/// Links `invitee` to the code's owner and gives the welcome benefit.
///
/// # Errors
/// `not_found`, `invitation_invalid`, `self_invite`, `already_invited`, `existing_customer`, `consent_required`.
pub(super) async fn redeem(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    invitee: AccountId,
    code: &str,
) -> Result<Link> {
    let found = by_code(tx, code).await?.ok_or_else(AppError::not_found)?;
    refuse(ctx, tx, &found, invitee).await?;
    let proof = consent::require::<ReferralLink>(ctx, tx, invitee, None).await?;
    // Two who redeem each other's codes at once would both see no circle: the counters put redemptions in order, and
    // everything is looked at again behind them.
    hold(ctx, tx, &found, invitee).await?;
    let found = invitation::Entity::find_by_id(found.id)
        .lock_exclusive()
        .one_by_key(tx)
        .await?
        .ok_or_else(AppError::not_found)?;
    refuse(ctx, tx, &found, invitee).await?;
    let owner = found.customer_id;
    let generation = next_generation(generation_of(tx, owner).await?);
    let id: ReferralId = ctx.env.id();
    let row = referral::ActiveModel {
        id: Set(id),
        invitee_id: Set(invitee),
        inviter_id: Set(owner),
        invitation_id: Set(found.id),
        generation: Set(generation),
        status: Set(ReferralStatus::Registered),
        consent_record_id: Set(proof.record_id()),
        booking_id: Set(None),
        qualified_at: Set(None),
        reversed_at: Set(None),
        created_at: Set(ctx.env.now()),
    };
    // A twin request of the same friend waits here on PostgreSQL and then finds the link made.
    let made = referral::Entity::insert(row)
        .on_conflict(
            OnConflict::column(referral::Column::InviteeId)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    if made == 0 {
        return Err(already());
    }
    mark_redeemed(ctx, tx, &found).await?;
    let new = Newcomer {
        referral: id,
        invitee,
        generation,
    };
    let benefit = welcome(ctx, tx, &found, new).await?;
    let event = Redeemed {
        referral_id: id,
        inviter_id: owner,
        invitee_id: invitee,
        booking_id: None,
    };
    outbox::append(tx, &ctx.env, &event).await?;
    Ok(Link {
        id,
        generation,
        benefit,
    })
}

/// Why `invitee` may not use this code, if he may not.
async fn refuse(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    found: &invitation::Model,
    invitee: AccountId,
) -> Result<()> {
    let owner = found.customer_id;
    if owner == invitee || descends(tx, owner, invitee).await? {
        return Err(AppError::new(
            Code::SelfInvite,
            "这是您自己的邀请码,或来自您邀请过的人",
        ));
    }
    if !usable(found, ctx.env.now()) {
        return Err(AppError::new(Code::InvitationInvalid, "这个邀请码已失效"));
    }
    if of_invitee(tx, invitee).await?.is_some() {
        return Err(already());
    }
    if is_customer(ctx, tx, invitee).await? {
        return Err(AppError::new(
            Code::ExistingCustomer,
            "邀请权益只给第一次来的朋友",
        ));
    }
    Ok(())
}

async fn hold(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    found: &invitation::Model,
    invitee: AccountId,
) -> Result<()> {
    let mut keys = vec![
        caps::PROGRAMME.to_owned(),
        caps::of_customer(found.customer_id),
        caps::of_customer(invitee),
    ];
    keys.extend(found.rule_id.as_deref().map(caps::of_rule));
    caps::hold_counters(tx, &ctx.env, keys).await
}

fn already() -> AppError {
    AppError::new(Code::AlreadyInvited, "您已经绑定过邀请人")
}

pub(super) async fn by_code(
    db: &impl ConnectionTrait,
    code: &str,
) -> Result<Option<invitation::Model>> {
    // Posters print it in groups.
    let code: String = code
        .chars()
        .filter(|letter| !matches!(letter, ' ' | '-'))
        .map(|letter| letter.to_ascii_uppercase())
        .collect();
    // Codes are letters and digits; anything else (a NUL is a fault to PostgreSQL) is nobody's.
    if !code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(None);
    }
    Ok(invitation::Entity::find()
        .filter(invitation::Column::Code.eq(code))
        .one_by_key(db)
        .await?)
}

/// A code works from its sending to its end; several friends may use it.
pub(super) fn usable(row: &invitation::Model, now: chrono::DateTime<chrono::Utc>) -> bool {
    let open = match row.status {
        InvitationStatus::Sent | InvitationStatus::Opened | InvitationStatus::Redeemed => true,
        InvitationStatus::Scheduled
        | InvitationStatus::Recalled
        | InvitationStatus::Expired
        | InvitationStatus::Suppressed => false,
    };
    open && row.expires_at.is_none_or(|end| end > now)
}

/// Whether `person` came through `ancestor`, up to three steps: circles would let people invite themselves. The walk
/// answers yes or no and hands no list to anybody (REF-01, REF-07).
async fn descends(
    tx: &DatabaseTransaction,
    person: AccountId,
    ancestor: AccountId,
) -> Result<bool> {
    let mut current = person;
    for _ in 0..DEEPEST {
        let Some(link) = of_invitee(tx, current).await? else {
            return Ok(false);
        };
        if link.inviter_id == ancestor {
            return Ok(true);
        }
        current = link.inviter_id;
    }
    Ok(false)
}

/// A customer before: he, or an account with his phone, has had a booking confirmed (REF-15).
async fn is_customer(ctx: &Ctx, tx: &DatabaseTransaction, invitee: AccountId) -> Result<bool> {
    let own = account::Entity::find_by_id(invitee)
        .one_by_key(tx)
        .await?
        .ok_or_else(AppError::not_found)?;
    let mut people = vec![invitee];
    if let Some(index) = own.phone_index {
        let same = account::Entity::find()
            .filter(account::Column::PhoneIndex.eq(index))
            .all(tx)
            .await?;
        people.extend(same.into_iter().map(|row| row.id));
    }
    let bought = booking_table::Entity::find()
        .filter(booking_table::Column::CustomerId.is_in(people))
        .filter(booking_table::Column::ConfirmedAt.is_not_null())
        .filter(booking_table::Column::Status.ne(BookingStatus::Cancelled))
        .filter(booking_table::Column::CreatedAt.lte(ctx.env.now()))
        .count(tx)
        .await?;
    Ok(bought > 0)
}

async fn mark_redeemed(ctx: &Ctx, tx: &DatabaseTransaction, row: &invitation::Model) -> Result<()> {
    if row.redeemed_at.is_some() {
        return Ok(());
    }
    let now = ctx.env.now();
    invitation::ActiveModel {
        id: Set(row.id),
        status: Set(InvitationStatus::Redeemed),
        opened_at: Set(row.opened_at.or(Some(now))),
        redeemed_at: Set(Some(now)),
        ..Default::default()
    }
    .update(tx)
    .await?;
    Ok(())
}

/// Who has just come, and how.
#[derive(Clone, Copy)]
struct Newcomer {
    referral: ReferralId,
    invitee: AccountId,
    generation: i32,
}

/// The welcome, if the set promises one now. What the budget cannot pay waits for staff and is not promised.
async fn welcome(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    invitation: &invitation::Model,
    new: Newcomer,
) -> Result<Option<NamedBenefit>> {
    let live = rules::live(ctx, tx).await?;
    let Some(benefit) = programme::welcome(&live.rules, new.generation, ctx.env.now()) else {
        return Ok(None);
    };
    let wish = Welcome {
        invitation,
        gift: benefit,
        linked: true,
    };
    let fits = budget::fits_welcome(ctx, tx, &live.rules, wish).await?;
    let gift = Gift {
        account_id: new.invitee,
        cause: RewardCause::Welcome,
        benefit,
        expires_after: None,
        status: if fits {
            RewardStatus::Granted
        } else {
            RewardStatus::Held
        },
        reason: if fits {
            format!("第 {} 代新客礼遇", new.generation)
        } else {
            "活动预算已用完,待人工处理".into()
        },
        referral_id: Some(new.referral),
        rule_id: None,
        effect_id: vault::sha256_hex(format!("welcome\n{}", new.invitee).as_bytes()),
    };
    let made = reward::give(ctx, tx, gift).await?;
    if let Some(id) = made.filter(|_| !fits) {
        let text = "新客礼遇超出活动预算,请核准或联系客户".to_owned();
        task::hold(ctx, tx, id, new.referral, text).await?;
    }
    Ok(fits.then(|| benefit.clone()))
}

/// The code somebody asked for himself: one per person, open for ever (REF-04).
pub(super) async fn own_code(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    owner: AccountId,
) -> Result<invitation::Model> {
    use super::{invite, words};
    let now = ctx.env.now();
    let new = invite::New {
        customer_id: owner,
        source: InvitationSource::Own,
        rule: None,
        booking_id: None,
        effect_id: vault::sha256_hex(format!("own\n{owner}").as_bytes()),
        message: words::own_code(&ctx.config.controller),
        consent_record_id: None,
        hours: None,
        scheduled_at: now,
        expires_at: None,
    };
    invite::insert(ctx, tx, new).await?;
    let row = invitation::Entity::find()
        .filter(invitation::Column::CustomerId.eq(owner))
        .filter(invitation::Column::Source.eq(InvitationSource::Own))
        .one_by_key(tx)
        .await?;
    row.ok_or_else(|| AppError::internal("the own code was written and is gone"))
}

/// The invitation of an id, locked, if it is this person's.
pub(super) async fn lock_own(
    tx: &DatabaseTransaction,
    owner: AccountId,
    id: InvitationId,
) -> Result<invitation::Model> {
    invitation::Entity::find_by_id(id)
        .filter(invitation::Column::CustomerId.eq(owner))
        .lock_exclusive()
        .one_by_key(tx)
        .await?
        .ok_or_else(AppError::not_found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn a_generation_is_one_more_than_the_inviters_and_never_beyond_three(inviter in 0_i32..100) {
            let next = next_generation(inviter);
            prop_assert!((1..=3).contains(&next));
            prop_assert_eq!(next, (inviter + 1).min(3));
        }
    }
}
