//! The tables of consent.

use crate::{kernel::Result, platform::OneByKey};
use entity::{
    consent_record, consent_state,
    ids::{AccountId, ConsentRecordId},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, sea_query::OnConflict,
};

/// The row that says where a purpose of a person stands.
pub(super) type Grant = consent_state::Model;

fn key(subject: AccountId, purpose: &str, scope: &str) -> (AccountId, String, String) {
    (subject, purpose.to_owned(), scope.to_owned())
}

pub(super) async fn find(
    db: &(impl ConnectionTrait + Sync),
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
    db: &(impl ConnectionTrait + Sync),
    subject: AccountId,
    id: ConsentRecordId,
) -> Result<Option<consent_record::Model>> {
    let row = consent_record::Entity::find_by_id(id)
        .filter(consent_record::Column::SubjectId.eq(subject));
    Ok(row.one_by_key(db).await?)
}
