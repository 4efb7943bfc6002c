//! Asking a satisfied customer to recommend: the row, its code, its hour.

use super::{
    apply::{Applied, Cause, missing},
    caps, schedule,
    suppression::open_suppression,
    words,
};
use crate::{
    consent::{self, ReferralProfiling},
    identity,
    kernel::{Result, Span},
    outbox::timer,
    platform::{Ctx, vault},
    rule::{BlockedBy, Hours, SendAt},
};
use chrono::{DateTime, Utc};
use entity::{
    ids::{AccountId, BookingId, ConsentRecordId, InvitationId},
    invitation,
    values::{InvitationSource, InvitationStatus},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter,
    sea_query::OnConflict,
};

/// Timer: an invitation's hour has come.
pub(super) const SEND_DUE: &str = "invitation.send_due.v1";
/// Timer: an invitation has run out.
pub(super) const EXPIRY_DUE: &str = "invitation.expiry_due.v1";
/// Letters of a code: 26 × 5 bits = 130 bits of randomness (SEC-26), and short enough for WeChat's scene.
pub(super) const CODE_LENGTH: usize = 26;

/// What the rule wishes.
pub(super) struct Wish<'a> {
    pub(super) template: &'a str,
    /// The set's own words.
    pub(super) words: Option<&'a str>,
    pub(super) send: SendAt,
    pub(super) not_before: DateTime<Utc>,
    pub(super) hours: Option<Hours>,
    pub(super) expires_after: Option<Span>,
    pub(super) effect_id: String,
}

/// Consent under lock, then suppression, then caps, then the row: in this order, so that nothing is counted or looked
/// up about a person who said no.
pub(super) async fn apply(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    cause: &Cause,
    wish: Wish<'_>,
) -> Result<Applied> {
    let done = invitation::Entity::find()
        .filter(invitation::Column::EffectId.eq(&wish.effect_id))
        .count(tx)
        .await?;
    if done > 0 {
        return Ok(Applied::Already);
    }
    let proof = consent::require::<ReferralProfiling>(ctx, tx, cause.customer_id, None).await;
    let record = match proof {
        Ok(granted) => granted.record_id(),
        Err(error) => {
            return missing::<()>(Err(error)).map(|blocked| blocked.unwrap_or(Applied::Already));
        }
    };
    if open_suppression(tx, cause.customer_id, ctx.env.now()).await? {
        return Ok(Applied::Blocked(BlockedBy::Suppression));
    }
    if let Some(blocked) = caps::admit_invitation(ctx, tx, cause).await? {
        return Ok(Applied::Blocked(blocked));
    }
    let scheduled_at = schedule::send_at(
        wish.not_before.max(ctx.env.now()),
        wish.send,
        wish.hours,
        &ctx.config.referral,
    );
    let name = if words::names_customer(wish.words) {
        Some(identity::person(ctx, tx, cause.customer_id).await?.name)
    } else {
        None
    };
    let controller = &ctx.config.controller;
    let message = words::invitation(controller, wish.template, wish.words, name.as_deref());
    let lasts = wish.expires_after.unwrap_or_else(|| Span::days(14));
    let row = New {
        customer_id: cause.customer_id,
        source: InvitationSource::Rule,
        rule: Some((cause.rule_id.clone(), cause.ruleset_version)),
        booking_id: cause.booking_id,
        effect_id: wish.effect_id,
        message,
        consent_record_id: Some(record),
        hours: wish.hours,
        scheduled_at,
        expires_at: Some(scheduled_at + lasts.get()),
    };
    let Some(id) = insert(ctx, tx, row).await? else {
        return Ok(Applied::Already);
    };
    timer::schedule(tx, &ctx.env, SEND_DUE, id, scheduled_at).await?;
    timer::schedule(tx, &ctx.env, EXPIRY_DUE, id, scheduled_at + lasts.get()).await?;
    Ok(Applied::Done(id.to_string()))
}

/// An invitation about to be written.
pub(super) struct New {
    pub(super) customer_id: AccountId,
    pub(super) source: InvitationSource,
    pub(super) rule: Option<(String, i32)>,
    pub(super) booking_id: Option<BookingId>,
    pub(super) effect_id: String,
    pub(super) message: String,
    pub(super) consent_record_id: Option<ConsentRecordId>,
    pub(super) hours: Option<Hours>,
    pub(super) scheduled_at: DateTime<Utc>,
    pub(super) expires_at: Option<DateTime<Utc>>,
}

fn minute(of_day: Option<u32>) -> Option<i32> {
    of_day.and_then(|minute| i32::try_from(minute).ok())
}

/// The hours an invitation was written with.
pub(super) fn hours(row: &invitation::Model) -> Option<Hours> {
    let minute = |column: Option<i32>| column.and_then(|minute| u32::try_from(minute).ok());
    Some(Hours {
        from: minute(row.send_from)?,
        to: minute(row.send_to)?,
    })
}

/// Writes it; `None` when its effect id exists. A code of one's own needs no sending.
pub(super) async fn insert(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    new: New,
) -> Result<Option<InvitationId>> {
    let id: InvitationId = ctx.env.id();
    let now = ctx.env.now();
    let own = new.source == InvitationSource::Own;
    let (rule_id, ruleset_version) = new.rule.unzip();
    let row = invitation::ActiveModel {
        id: Set(id),
        customer_id: Set(new.customer_id),
        code: Set(vault::random_code(CODE_LENGTH)),
        source: Set(new.source),
        rule_id: Set(rule_id),
        ruleset_version: Set(ruleset_version),
        booking_id: Set(new.booking_id),
        effect_id: Set(new.effect_id),
        status: Set(if own {
            InvitationStatus::Sent
        } else {
            InvitationStatus::Scheduled
        }),
        message: Set(new.message),
        consent_record_id: Set(new.consent_record_id),
        send_from: Set(minute(new.hours.map(|hours| hours.from))),
        send_to: Set(minute(new.hours.map(|hours| hours.to))),
        scheduled_at: Set(new.scheduled_at),
        sent_at: Set(own.then_some(now)),
        opened_at: Set(None),
        redeemed_at: Set(None),
        closed_at: Set(None),
        expires_at: Set(new.expires_at),
        created_at: Set(now),
    };
    let made = invitation::Entity::insert(row)
        .on_conflict(
            OnConflict::column(invitation::Column::EffectId)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok((made == 1).then_some(id))
}
