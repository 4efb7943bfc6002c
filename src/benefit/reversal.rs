//! Undoing: a full refund takes back what the order had earned, once.

use super::{events::Reversed, reward, suppression::close, task};
use crate::{kernel::Result, outbox, platform::Ctx};
use entity::{
    customer_tag,
    ids::BookingId,
    invitation, referral,
    reward::{Column, Entity},
    values::{InvitationSource, InvitationStatus, ReferralStatus, RewardStatus},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
};

/// All that was paid for `booking` is back: the referral it qualified is reversed, its unused rewards are revoked, and what the
/// customer was to be asked because of it is recalled.
pub(super) async fn refunded(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    booking: BookingId,
) -> Result<()> {
    // Invitations before links, as everywhere.
    recall(ctx, tx, booking).await?;
    let links = referral::Entity::find()
        .filter(referral::Column::BookingId.eq(booking))
        .filter(referral::Column::Status.eq(ReferralStatus::Qualified))
        .lock_exclusive()
        .all(tx)
        .await?;
    for link in links {
        referral::ActiveModel {
            id: Set(link.id),
            status: Set(ReferralStatus::Reversed),
            reversed_at: Set(Some(ctx.env.now())),
            ..Default::default()
        }
        .update(tx)
        .await?;
        revoke_of(ctx, tx, &link).await?;
        untag(tx, &link).await?;
        task::undo(ctx, tx, link.id).await?;
        let event = Reversed {
            referral_id: link.id,
            inviter_id: link.inviter_id,
            invitee_id: link.invitee_id,
            booking_id: Some(booking),
        };
        outbox::append(tx, &ctx.env, &event).await?;
    }
    Ok(())
}

/// Invitations rules made because of the visit, and nobody has sent yet.
async fn recall(ctx: &Ctx, tx: &DatabaseTransaction, booking: BookingId) -> Result<()> {
    let waiting = invitation::Entity::find()
        .filter(invitation::Column::BookingId.eq(booking))
        .filter(invitation::Column::Source.eq(InvitationSource::Rule))
        .filter(invitation::Column::Status.eq(InvitationStatus::Scheduled))
        .order_by_asc(invitation::Column::Id)
        .lock_exclusive()
        .all(tx)
        .await?;
    for row in waiting {
        close(ctx, tx, row.id, InvitationStatus::Recalled).await?;
    }
    Ok(())
}

/// Tags rules gave because the link had qualified rest on nothing now.
async fn untag(tx: &DatabaseTransaction, link: &referral::Model) -> Result<()> {
    customer_tag::Entity::delete_many()
        .filter(customer_tag::Column::ReferralId.eq(link.id))
        .exec(tx)
        .await?;
    Ok(())
}

async fn revoke_of(ctx: &Ctx, tx: &DatabaseTransaction, link: &referral::Model) -> Result<()> {
    let rewards = Entity::find()
        .filter(Column::ReferralId.eq(link.id))
        .all(tx)
        .await?;
    for reward in rewards {
        // What was used stays used: the visit it paid for is over.
        reward::step(
            ctx,
            tx,
            reward.id,
            RewardStatus::Revoked,
            "好友的订单已全额退款",
            None,
        )
        .await?;
    }
    Ok(())
}
