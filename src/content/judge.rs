//! What a verdict does, WeChat's or a person's.

use super::events::SILENCE;
use crate::{
    kernel::Result,
    outbox::timer,
    photo,
    platform::{Ctx, wechat::Suggest},
    rating,
};
use entity::{
    content_check::{ActiveModel, Model},
    ids::{PhotoId, RatingId},
    values::{
        CommentStatus, ContentCause, ContentKind, ContentRuling, ContentState, ContentSuggest,
        PhotoStatus,
    },
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction};

/// Where a subject goes.
#[derive(Clone, Copy)]
enum Lot {
    Shown,
    Queued,
    Hidden,
}

/// Moves the subject; says whether it was still undecided.
async fn lay(tx: &DatabaseTransaction, row: &Model, lot: Lot) -> Result<bool> {
    match row.kind {
        ContentKind::Photo => {
            let status = match lot {
                Lot::Shown => PhotoStatus::Stored,
                Lot::Queued => PhotoStatus::Review,
                Lot::Hidden => PhotoStatus::Hidden,
            };
            photo::judge(tx, PhotoId(row.subject_id), status).await
        }
        ContentKind::Comment => {
            let status = match lot {
                Lot::Shown => CommentStatus::Pass,
                Lot::Queued => CommentStatus::Review,
                Lot::Hidden => CommentStatus::Hidden,
            };
            rating::judge_comment(tx, RatingId(row.subject_id), status).await
        }
    }
}

/// Takes WeChat's word about a locked, unsettled check.
///
/// # Errors
/// A database fault.
pub(super) async fn take(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    row: &Model,
    (suggest, label): (Suggest, Option<i64>),
) -> Result<()> {
    let (verdict, lot) = match suggest {
        Suggest::Pass => (ContentSuggest::Pass, Lot::Shown),
        Suggest::Review => (ContentSuggest::Review, Lot::Queued),
        Suggest::Risky => (ContentSuggest::Risky, Lot::Hidden),
    };
    let moved = lay(tx, row, lot).await?;
    let (state, cause) = match (moved, suggest) {
        (false, _) => (ContentState::Settled, Some(ContentCause::Withdrawn)),
        (true, Suggest::Review) => (ContentState::Open, Some(ContentCause::Review)),
        (true, Suggest::Pass | Suggest::Risky) => (ContentState::Settled, None),
    };
    let change = ActiveModel {
        id: Set(row.id),
        state: Set(state),
        cause: Set(cause),
        verdict: Set(Some(verdict)),
        label: Set(label.and_then(|label| i32::try_from(label).ok())),
        ..Default::default()
    };
    change.update(tx).await?;
    timer::cancel(tx, &ctx.env, SILENCE, row.id).await
}

/// Gives a locked, waiting check to staff: nothing passes because it was not checked (SEC-42).
///
/// # Errors
/// A database fault.
pub(super) async fn queue(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    row: &Model,
    cause: ContentCause,
) -> Result<()> {
    let moved = lay(tx, row, Lot::Queued).await?;
    let (state, cause) = if moved {
        (ContentState::Open, cause)
    } else {
        (ContentState::Settled, ContentCause::Withdrawn)
    };
    let change = ActiveModel {
        id: Set(row.id),
        state: Set(state),
        cause: Set(Some(cause)),
        ..Default::default()
    };
    change.update(tx).await?;
    timer::cancel(tx, &ctx.env, SILENCE, row.id).await
}

/// Takes a person's word about a locked, open check; says whether the subject was still undecided.
///
/// # Errors
/// A database fault.
pub(super) async fn rule(
    tx: &DatabaseTransaction,
    row: &Model,
    ruling: ContentRuling,
) -> Result<bool> {
    let lot = match ruling {
        ContentRuling::Pass => Lot::Shown,
        ContentRuling::Hidden => Lot::Hidden,
    };
    lay(tx, row, lot).await
}
