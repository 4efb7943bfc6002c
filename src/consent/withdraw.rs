//! Taking a consent back, and closing one for another reason.

use super::{
    decide,
    gate::Scope,
    ledger::{self, Act, Expression, Terms},
    notice,
    store::{self, Grant},
};
use crate::{
    kernel::{AppError, Result},
    platform::Ctx,
};
use entity::{
    consent_record,
    ids::{AccountId, BookingId, ConsentRecordId},
    values::ConsentState,
};
use sea_orm::DatabaseTransaction;
use serde_json::json;

/// Withdraws a purpose in every scope, or in one. Nobody is asked why; doing it twice answers the same record. Works for
/// a purpose the binary no longer carries: a grant outlives the feature it was for.
///
/// # Errors
/// `not_found` for an unknown purpose; `invalid_state` when it was never granted or asked.
pub(super) async fn withdraw(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    subject: AccountId,
    purpose: &str,
    booking: Option<BookingId>,
    how: &Expression<'_>,
) -> Result<consent_record::Model> {
    // No purpose ever had another name, and not every database can look for one.
    if !purpose
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    {
        return Err(AppError::not_found());
    }
    let only = booking.map(|id| Scope::key(Some(&Scope::booking(id))));
    store::hold(tx, subject).await?;
    let rows = store::lock_all(tx, subject, purpose).await?;
    let rows = rows
        .into_iter()
        .filter(|row| only.as_ref().is_none_or(|key| *key == row.scope_key));
    let (mut written, mut before): (Option<consent_record::Model>, Option<ConsentRecordId>) =
        (None, None);
    for row in rows {
        match row.state {
            ConsentState::Granted
            | ConsentState::Requested
            | ConsentState::Expired
            | ConsentState::Invalidated => {
                written = Some(close(ctx, tx, &row, ConsentState::Withdrawn, how).await?);
            }
            // What was taken back before answers before what was never given.
            ConsentState::Withdrawn => before = Some(row.record_id),
            ConsentState::Refused => before = before.or(Some(row.record_id)),
        }
    }
    if let Some(record) = written {
        return Ok(record);
    }
    if let Some(id) = before {
        let record = store::record_of(tx, subject, id).await?;
        return record.ok_or_else(AppError::not_found);
    }
    notice::of_purpose(&ctx.config.controller, purpose)?.ok_or_else(AppError::not_found)?;
    Err(AppError::invalid_state("您没有同意过这个用途,无需撤回"))
}

/// Closes one row with an act of its own, under the terms it was opened with.
pub(super) async fn close(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    row: &Grant,
    state: ConsentState,
    how: &Expression<'_>,
) -> Result<consent_record::Model> {
    let opened = store::record_of(tx, row.subject_id, row.record_id).await?;
    let opened = opened.ok_or_else(|| AppError::internal("a consent without its record"))?;
    let scope = Scope::of_key(&row.scope_key);
    let act = Act {
        id: ctx.env.id(),
        subject: row.subject_id,
        terms: Terms::of_record(&opened),
        state,
        scope: scope.as_ref(),
        expires_at: None,
        supersedes: Some(row.record_id),
        how,
    };
    let record = ledger::append(ctx, tx, act).await?;
    decide::save(ctx, tx, &record, json!({})).await?;
    decide::announce(ctx, tx, &record, Some(row)).await?;
    Ok(record)
}
