//! Sending: an invitation's hour has come. Consent is asked again, under lock (CR-36).

use super::{
    apply::missing,
    events::InvitationSent,
    invite::{self, SEND_DUE},
    schedule,
    suppression::{close, open_complaint, open_suppression},
    words,
};
use crate::{
    consent::{self, MktWechat, ReferralProfiling},
    kernel::{AppError, Code, Result, shanghai},
    notify::{self, Posted},
    outbox::{self, timer},
    platform::{Ctx, OneByKey},
};
use entity::{ids::InvitationId, invitation, values::InvitationStatus};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, EntityTrait, QuerySelect};

pub(super) async fn due(ctx: &Ctx, tx: &DatabaseTransaction, id: InvitationId) -> Result<()> {
    // The consent row comes first in every transaction that touches both, so that two never wait for each other.
    let Some(row) = invitation::Entity::find_by_id(id).one_by_key(tx).await? else {
        return Ok(());
    };
    let refused =
        missing(consent::require::<ReferralProfiling>(ctx, tx, row.customer_id, None).await)?
            .is_some();
    let row = invitation::Entity::find_by_id(id)
        .lock_exclusive()
        .one_by_key(tx)
        .await?;
    let Some(row) = row.filter(|row| row.status == InvitationStatus::Scheduled) else {
        return Ok(());
    };
    let now = ctx.env.now();
    // REF-09, REF-45: an unresolved complaint blocks marketing, whatever was decided before it came.
    if refused
        || open_suppression(tx, row.customer_id, now).await?
        || open_complaint(tx, row.customer_id).await?
    {
        return close(ctx, tx, id, InvitationStatus::Suppressed).await;
    }
    let earliest = schedule::next_allowed(now, invite::hours(&row), &ctx.config.referral);
    if earliest > now {
        invitation::ActiveModel {
            id: Set(id),
            scheduled_at: Set(earliest),
            ..Default::default()
        }
        .update(tx)
        .await?;
        return timer::schedule(tx, &ctx.env, SEND_DUE, id, earliest).await;
    }
    invitation::ActiveModel {
        id: Set(id),
        status: Set(InvitationStatus::Sent),
        sent_at: Set(Some(now)),
        ..Default::default()
    }
    .update(tx)
    .await?;
    outbox::append(
        tx,
        &ctx.env,
        &InvitationSent {
            invitation_id: id,
            customer_id: row.customer_id,
        },
    )
    .await?;
    Ok(())
}

/// Tells a person in WeChat that an invitation waits in the app. Only with consent to the channel, read under lock, and
/// only for a tick he gave; the words are a service notice's (WX-11).
pub(super) async fn tell(ctx: &Ctx, sent: &InvitationSent) -> Result<Option<Posted>> {
    let tx = ctx.db.begin_write().await?;
    let claimed = match consent::require::<MktWechat>(ctx, &tx, sent.customer_id, None).await {
        Ok(proof) => notify::claim(ctx, &tx, &proof, sent.invitation_id.0).await?,
        Err(AppError {
            code: Code::ConsentRequired,
            ..
        }) => None,
        Err(error) => return Err(error),
    };
    let Some(notice) = claimed else {
        return Ok(None);
    };
    ctx.commit(tx).await?;
    let at = ctx
        .env
        .now()
        .with_timezone(&shanghai())
        .format("%Y年%-m月%-d日 %H:%M")
        .to_string();
    let [title, time, note] = notify::FIELDS;
    let data = [
        (title, words::NOTICE_TITLE),
        (time, at.as_str()),
        (note, words::NOTICE_NOTE),
    ];
    notify::deliver(ctx, notice, "pages/invite/mine", &data)
        .await
        .map(Some)
}

/// The invitation has run out; a code that friends have used ends too.
pub(super) async fn expired(ctx: &Ctx, tx: &DatabaseTransaction, id: InvitationId) -> Result<()> {
    let row = invitation::Entity::find_by_id(id)
        .lock_exclusive()
        .one_by_key(tx)
        .await?;
    let Some(row) = row else { return Ok(()) };
    match row.status {
        InvitationStatus::Scheduled | InvitationStatus::Sent | InvitationStatus::Opened => {
            close(ctx, tx, id, InvitationStatus::Expired).await
        }
        InvitationStatus::Redeemed
        | InvitationStatus::Recalled
        | InvitationStatus::Expired
        | InvitationStatus::Suppressed => Ok(()),
    }
}
