//! Asking a satisfied customer to recommend: the row, its code, its hour.

use crate::{
    kernel::Result,
    platform::{Ctx, vault},
    rule::Hours,
};
use chrono::{DateTime, Utc};
use entity::{
    ids::{AccountId, BookingId, ConsentRecordId, InvitationId},
    invitation,
    values::{InvitationSource, InvitationStatus},
};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, EntityTrait, sea_query::OnConflict};

/// Timer: an invitation's hour has come.
pub(super) const SEND_DUE: &str = "invitation.send_due.v1";
/// Timer: an invitation has run out.
pub(super) const EXPIRY_DUE: &str = "invitation.expiry_due.v1";
/// Letters of a code: 26 × 5 bits = 130 bits of randomness (SEC-26), and short enough for WeChat's scene.
pub(super) const CODE_LENGTH: usize = 26;

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

/// The row of a new invitation. A code of one's own needs no sending.
pub(super) fn row(ctx: &Ctx, id: InvitationId, new: New) -> invitation::ActiveModel {
    let now = ctx.env.now();
    let own = new.source == InvitationSource::Own;
    let (rule_id, ruleset_version) = new.rule.unzip();
    invitation::ActiveModel {
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
    }
}

/// Writes it; `None` when its effect id exists.
pub(super) async fn insert(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    new: New,
) -> Result<Option<InvitationId>> {
    let id: InvitationId = ctx.env.id();
    let made = invitation::Entity::insert(row(ctx, id, new))
        .on_conflict(
            OnConflict::column(invitation::Column::EffectId)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok((made == 1).then_some(id))
}
