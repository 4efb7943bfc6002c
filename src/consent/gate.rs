//! Consent as a proof: what needs it takes it as a parameter.

use super::{
    notice,
    purpose::Purpose,
    store::{self, Grant, Standing},
};
use crate::{
    kernel::{AppError, Result},
    platform::Ctx,
};
use entity::{
    ids::{AccountId, BookingId, ConsentRecordId},
    values::ConsentState,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    marker::PhantomData,
};

/// What a consent is limited to, e.g. one order (CR-24).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub(super) name: String,
    pub(super) id: String,
}

impl Scope {
    /// One order.
    pub fn booking(id: BookingId) -> Self {
        Self {
            name: "booking_id".into(),
            id: id.to_string(),
        }
    }

    /// What a stored key says.
    pub(super) fn of_key(key: &str) -> Option<Self> {
        key.split_once('=').map(|(name, id)| Self {
            name: name.into(),
            id: id.into(),
        })
    }

    pub(super) fn key(scope: Option<&Self>) -> String {
        scope.map_or_else(String::new, |scope| format!("{}={}", scope.name, scope.id))
    }

    pub(super) fn json(scope: Option<&Self>) -> Value {
        scope.map_or(Value::Null, |scope| json!({ scope.name.clone(): scope.id }))
    }
}

/// Proof that a person's consent to `P` stands, for as long as the transaction that locked it. Cannot be made, cloned
/// or kept elsewhere.
pub struct Granted<'tx, P: Purpose> {
    subject: AccountId,
    record: ConsentRecordId,
    transaction: PhantomData<&'tx DatabaseTransaction>,
    purpose: PhantomData<fn() -> P>,
}

impl<P: Purpose> Granted<'_, P> {
    /// The record, to be stored with whatever rests on it.
    pub fn record_id(&self) -> ConsentRecordId {
        self.record
    }

    /// Whose consent.
    pub fn subject(&self) -> AccountId {
        self.subject
    }
}

/// Reads the grant under a lock that lasts as long as `tx`: a withdrawal that comes now waits, one that came before is
/// seen.
///
/// # Errors
/// `consent_required` with the purpose when there is no live grant.
pub async fn require<'tx, P: Purpose>(
    ctx: &Ctx,
    tx: &'tx DatabaseTransaction,
    subject: AccountId,
    scope: Option<Scope>,
) -> Result<Granted<'tx, P>> {
    let row = store::lock(tx, subject, P::KEY, &Scope::key(scope.as_ref())).await?;
    let row = row.ok_or_else(|| AppError::consent_required(P::KEY))?;
    if !live(ctx, tx, &row).await? {
        return Err(AppError::consent_required(P::KEY));
    }
    Ok(Granted {
        subject,
        record: row.record_id,
        transaction: PhantomData,
        purpose: PhantomData,
    })
}

/// Which unscoped consents of several people stand, under locks as [`require`] takes them, in one statement.
pub struct Stands(HashMap<(AccountId, String), ConsentRecordId>);

impl Stands {
    /// The record of a consent that stands.
    pub fn record(&self, subject: AccountId, purpose: &str) -> Option<ConsentRecordId> {
        self.0.get(&(subject, purpose.to_owned())).copied()
    }
}

/// Locks and reads the consents of several people to several purposes at once.
///
/// # Errors
/// A database fault.
pub async fn stand(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    subjects: &[AccountId],
    purposes: &[&str],
) -> Result<Stands> {
    let mut standing = HashMap::new();
    // Many people agreed to the same text: it is looked at once.
    let mut texts: HashMap<(String, String), bool> = HashMap::new();
    for row in store::lock_people(tx, subjects, purposes).await? {
        if row.state != ConsentState::Granted || row.has_ended(ctx.env.now()) {
            continue;
        }
        let text = (row.purpose.clone(), row.notice_sha256.clone());
        let admits = if let Some(known) = texts.get(&text) {
            *known
        } else {
            let admits = notice::still_admits(ctx, tx, &row.purpose, &row.notice_sha256).await?;
            texts.insert(text, admits);
            admits
        };
        if admits {
            standing.insert((row.subject_id, row.purpose), row.record_id);
        }
    }
    Ok(Stands(standing))
}

/// Whether a consent stands, without a lock: for showing, never for acting.
///
/// # Errors
/// A database fault.
pub async fn holds(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    subject: AccountId,
    purpose: &str,
    scope: Option<Scope>,
) -> Result<bool> {
    match store::find(db, subject, purpose, &Scope::key(scope.as_ref())).await? {
        Some(row) => live(ctx, db, &row).await,
        None => Ok(false),
    }
}

/// Whether a person closed this purpose himself, by taking it back or by a later no. A text that changed closes too, but
/// says nothing about what was done under the old one.
///
/// # Errors
/// A database fault.
pub async fn taken_back(
    db: &impl ConnectionTrait,
    subject: AccountId,
    purpose: &str,
    scope: Option<Scope>,
) -> Result<bool> {
    let row = store::find(db, subject, purpose, &Scope::key(scope.as_ref())).await?;
    Ok(row.is_some_and(|row| matches!(row.state, ConsentState::Withdrawn | ConsentState::Refused)))
}

/// As [`taken_back`], of several people and a purpose without a scope: who of them did.
///
/// # Errors
/// A database fault.
pub async fn all_taken_back(
    db: &impl ConnectionTrait,
    subjects: &[AccountId],
    purpose: &str,
) -> Result<HashSet<AccountId>> {
    Ok(store::closed(db, subjects, purpose)
        .await?
        .into_iter()
        .collect())
}

/// Granted, not over, and under a text that still stands (PIPL-03).
async fn live(ctx: &Ctx, db: &impl ConnectionTrait, row: &Grant) -> Result<bool> {
    if row.state != ConsentState::Granted || row.has_ended(ctx.env.now()) {
        return Ok(false);
    }
    notice::still_admits(ctx, db, &row.purpose, &row.notice_sha256).await
}
