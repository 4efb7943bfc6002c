//! The `worker` table.

use crate::{
    kernel::{AppError, Code, Result},
    platform::{
        Ctx, OneByKey,
        sealed::{Column, phone_index, seal, unseal},
    },
};
use entity::{
    account,
    ids::{AccountId, WorkerId},
    values::AccountKind,
    worker,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::json;

/// The worker an account belongs to.
///
/// # Errors
/// `forbidden` when the account is nobody's.
pub async fn of_account(db: &impl ConnectionTrait, account: AccountId) -> Result<worker::Model> {
    let row = worker::Entity::find()
        .filter(worker::Column::AccountId.eq(account))
        .one_by_key(db)
        .await?;
    row.ok_or_else(|| AppError::new(Code::Forbidden, "这个账号没有绑定家政员"))
}

/// A worker.
///
/// # Errors
/// `not_found`.
pub async fn by_id(db: &impl ConnectionTrait, id: WorkerId) -> Result<worker::Model> {
    worker::Entity::find_by_id(id)
        .one_by_key(db)
        .await?
        .ok_or_else(AppError::not_found)
}

/// A worker's name in clear.
///
/// # Errors
/// `internal` when the column does not open.
pub fn name_of(ctx: &Ctx, row: &worker::Model) -> Result<String> {
    unseal(&ctx.vault, Column::WorkerName, row.id, &row.name)
}

pub(super) fn phone_of(ctx: &Ctx, row: &worker::Model) -> Result<String> {
    unseal(&ctx.vault, Column::WorkerPhone, row.id, &row.phone)
}

/// Active workers with this skill who serve this area, by id.
///
/// # Errors
/// A database fault.
pub async fn able(
    db: &impl ConnectionTrait,
    skill: &str,
    area: &str,
) -> Result<Vec<worker::Model>> {
    let rows = worker::Entity::find()
        .filter(worker::Column::Active.eq(true))
        .order_by_asc(worker::Column::Id)
        .all(db)
        .await?;
    // A shop has tens of workers: reading their short lists here is portable, a JSON query is not.
    let has = |list: &serde_json::Value, word: &str| {
        list.as_array()
            .is_some_and(|items| items.iter().any(|item| item.as_str() == Some(word)))
    };
    Ok(rows
        .into_iter()
        .filter(|row| has(&row.skills, skill) && has(&row.areas, area))
        .collect())
}

/// A worker about to be recorded.
pub(super) struct New<'a> {
    pub(super) name: &'a str,
    pub(super) phone: &'a str,
    pub(super) skills: &'a [String],
    pub(super) areas: &'a [String],
    pub(super) account_id: Option<AccountId>,
}

pub(super) async fn insert(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    new: New<'_>,
) -> Result<worker::Model> {
    let id: WorkerId = ctx.env.id();
    let row = worker::ActiveModel {
        id: Set(id),
        account_id: Set(new.account_id),
        name: Set(seal(&ctx.vault, Column::WorkerName, id, new.name)?),
        phone: Set(seal(&ctx.vault, Column::WorkerPhone, id, new.phone)?),
        phone_index: Set(phone_index(&ctx.vault, new.phone)),
        skills: Set(json!(new.skills)),
        areas: Set(json!(new.areas)),
        active: Set(true),
        created_at: Set(ctx.env.now()),
    };
    Ok(row.insert(tx).await?)
}

/// The worker recorded with this phone.
pub(super) async fn by_phone(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    phone: &str,
) -> Result<Option<worker::Model>> {
    let index = phone_index(&ctx.vault, phone);
    Ok(worker::Entity::find()
        .filter(worker::Column::PhoneIndex.eq(index))
        .one_by_key(db)
        .await?)
}

pub(super) async fn bind(tx: &DatabaseTransaction, id: WorkerId, account: AccountId) -> Result<()> {
    worker::ActiveModel {
        id: Set(id),
        account_id: Set(Some(account)),
        ..Default::default()
    }
    .update(tx)
    .await?;
    Ok(())
}

/// Of these accounts, those a worker may be bound to: customers who are no worker yet, in the same order. A member of
/// staff stays staff, and nobody becomes two workers.
pub(super) async fn unbound_customers(
    tx: &DatabaseTransaction,
    accounts: &[AccountId],
) -> Result<Vec<AccountId>> {
    let rows = account::Entity::find()
        .filter(account::Column::Id.is_in(accounts.iter().copied()))
        .filter(account::Column::Kind.eq(AccountKind::Customer))
        .filter(account::Column::DisabledAt.is_null())
        .order_by_asc(account::Column::Id)
        .lock_exclusive()
        .all(tx)
        .await?;
    let bound = worker::Entity::find()
        .filter(worker::Column::AccountId.is_in(rows.iter().map(|row| row.id)))
        .all(tx)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| row.id)
        .filter(|id| bound.iter().all(|worker| worker.account_id != Some(*id)))
        .collect())
}
