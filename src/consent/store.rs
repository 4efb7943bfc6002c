//! The tables of consent.

use crate::{
    kernel::Result,
    platform::{OneByKey, filled},
};
use chrono::{DateTime, Utc};
use entity::{
    account, consent_record, consent_state,
    ids::{AccountId, ConsentRecordId},
    notice,
    values::ConsentState,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{LockType, OnConflict},
};
use std::collections::HashMap;

/// The row that says where a purpose of a person stands.
pub(super) type Grant = consent_state::Model;

/// What a row says by itself; whether its notice still stands is [`super::notice`]'s to say.
pub(super) trait Standing {
    /// Granted, or on the way there.
    fn is_open(&self) -> bool;
    /// Whether its time is over.
    fn has_ended(&self, now: DateTime<Utc>) -> bool;
}

impl Standing for Grant {
    fn is_open(&self) -> bool {
        matches!(self.state, ConsentState::Granted | ConsentState::Requested)
    }

    fn has_ended(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// Puts a person's decisions in order. A first decision has no row to lock, so the account's is taken, in the mode that
/// lets others go on referring to the account; always before the person's rows, so that no two wait for each other.
pub(super) async fn hold(tx: &DatabaseTransaction, subject: AccountId) -> Result<()> {
    let account = account::Entity::find_by_id(subject).lock(LockType::NoKeyUpdate);
    account.one_by_key(tx).await?;
    Ok(())
}

/// Some rows that are open under this text.
pub(super) async fn open_under(db: &impl ConnectionTrait, sha256: &str) -> Result<Vec<Grant>> {
    let rows = consent_state::Entity::find()
        .filter(consent_state::Column::NoticeSha256.eq(sha256))
        .filter(
            consent_state::Column::State.is_in([ConsentState::Granted, ConsentState::Requested]),
        )
        .limit(500);
    Ok(rows.all(db).await?)
}

/// The versions of these texts, by their addresses.
pub(super) async fn versions(
    db: &impl ConnectionTrait,
    texts: impl IntoIterator<Item = String>,
) -> Result<HashMap<String, String>> {
    let rows = notice::Entity::find()
        .filter(notice::Column::Sha256.is_in(texts))
        .all(db)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.sha256, row.version))
        .collect())
}

fn key(subject: AccountId, purpose: &str, scope: &str) -> (AccountId, String, String) {
    (subject, purpose.to_owned(), scope.to_owned())
}

pub(super) async fn find(
    db: &impl ConnectionTrait,
    subject: AccountId,
    purpose: &str,
    scope: &str,
) -> Result<Option<Grant>> {
    Ok(
        consent_state::Entity::find_by_id(key(subject, purpose, scope))
            .one_by_key(db)
            .await?,
    )
}

pub(super) async fn lock(
    tx: &DatabaseTransaction,
    subject: AccountId,
    purpose: &str,
    scope: &str,
) -> Result<Option<Grant>> {
    let row = consent_state::Entity::find_by_id(key(subject, purpose, scope)).lock_exclusive();
    Ok(row.one_by_key(tx).await?)
}

/// Unscoped consents of several people, locked in the order of their ids, so that two that lock the same people never wait
/// for each other.
pub(super) async fn lock_people(
    tx: &DatabaseTransaction,
    subjects: &[AccountId],
    purposes: &[&str],
) -> Result<Vec<Grant>> {
    let rows = consent_state::Entity::find()
        .filter(consent_state::Column::SubjectId.is_in(filled(subjects.iter().copied())))
        .filter(consent_state::Column::Purpose.is_in(purposes.iter().copied()))
        .filter(consent_state::Column::ScopeKey.eq(""))
        .order_by_asc(consent_state::Column::SubjectId)
        .order_by_asc(consent_state::Column::Purpose)
        .lock_exclusive();
    Ok(rows.all(tx).await?)
}

/// Which of several people closed an unscoped purpose themselves.
pub(super) async fn closed(
    db: &impl ConnectionTrait,
    subjects: &[AccountId],
    purpose: &str,
) -> Result<Vec<AccountId>> {
    let closed = [ConsentState::Withdrawn, ConsentState::Refused];
    let rows = consent_state::Entity::find()
        .select_only()
        .column(consent_state::Column::SubjectId)
        .filter(consent_state::Column::SubjectId.is_in(filled(subjects.iter().copied())))
        .filter(consent_state::Column::Purpose.eq(purpose))
        .filter(consent_state::Column::ScopeKey.eq(""))
        .filter(consent_state::Column::State.is_in(closed))
        .into_tuple();
    Ok(rows.all(db).await?)
}

/// Every scope of a purpose, locked.
pub(super) async fn lock_all(
    tx: &DatabaseTransaction,
    subject: AccountId,
    purpose: &str,
) -> Result<Vec<Grant>> {
    let rows = consent_state::Entity::find()
        .filter(consent_state::Column::SubjectId.eq(subject))
        .filter(consent_state::Column::Purpose.eq(purpose))
        .order_by_asc(consent_state::Column::ScopeKey)
        .lock_exclusive();
    Ok(rows.all(tx).await?)
}

pub(super) async fn save(tx: &DatabaseTransaction, row: consent_state::ActiveModel) -> Result<()> {
    use consent_state::Column::{
        Acts, ExpiresAt, NoticeSha256, Purpose, RecordId, ScopeKey, State, SubjectId, UpdatedAt,
    };
    let again = OnConflict::columns([SubjectId, Purpose, ScopeKey])
        .update_columns([State, RecordId, Acts, NoticeSha256, ExpiresAt, UpdatedAt])
        .to_owned();
    consent_state::Entity::insert(row)
        .on_conflict(again)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Where all purposes of a person stand.
pub(super) async fn of_subject(
    db: &impl ConnectionTrait,
    subject: AccountId,
) -> Result<Vec<Grant>> {
    let rows = consent_state::Entity::find()
        .filter(consent_state::Column::SubjectId.eq(subject))
        .order_by_asc(consent_state::Column::Purpose)
        .order_by_asc(consent_state::Column::ScopeKey);
    Ok(rows.all(db).await?)
}

/// A person's acts, newest first.
pub(super) async fn history(
    db: &impl ConnectionTrait,
    subject: AccountId,
    limit: u64,
) -> Result<Vec<consent_record::Model>> {
    let rows = consent_record::Entity::find()
        .filter(consent_record::Column::SubjectId.eq(subject))
        .order_by_desc(consent_record::Column::Seq)
        .limit(limit);
    Ok(rows.all(db).await?)
}

pub(super) async fn record_of(
    db: &impl ConnectionTrait,
    subject: AccountId,
    id: ConsentRecordId,
) -> Result<Option<consent_record::Model>> {
    let row = consent_record::Entity::find_by_id(id)
        .filter(consent_record::Column::SubjectId.eq(subject));
    Ok(row.one_by_key(db).await?)
}
