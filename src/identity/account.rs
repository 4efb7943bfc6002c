//! Accounts: their names and phones, sealed.

use crate::{
    kernel::{AppError, Result, mask_phone},
    platform::{
        Ctx, OneByKey,
        sealed::{Column, phone_index, seal, unseal},
    },
};
use chrono::{DateTime, Utc};
use entity::{account, ids::AccountId, values::AccountKind};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    EntityTrait, QueryFilter, QueryOrder,
};

/// A person as other rooms may know him.
pub struct Person {
    /// The account.
    pub id: AccountId,
    /// Customer, worker or staff.
    pub kind: AccountKind,
    /// Display name in clear: show it to the person himself, masked to others.
    pub name: String,
    /// Masked phone, if one is bound.
    pub phone_masked: Option<String>,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// Reads a person.
///
/// # Errors
/// `not_found`, or `internal` when a column does not open.
pub async fn person(ctx: &Ctx, db: &impl ConnectionTrait, id: AccountId) -> Result<Person> {
    let row = account::Entity::find_by_id(id)
        .one_by_key(db)
        .await?
        .ok_or_else(AppError::not_found)?;
    let phone = row
        .phone
        .as_ref()
        .map(|phone| unseal(&ctx.vault, Column::AccountPhone, id, phone))
        .transpose()?;
    Ok(Person {
        id,
        kind: row.kind,
        name: unseal(&ctx.vault, Column::AccountName, id, &row.name)?,
        phone_masked: phone.as_deref().map(mask_phone),
        created_at: row.created_at,
    })
}

pub(super) async fn create(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    kind: AccountKind,
    name: &str,
) -> Result<account::Model> {
    let id: AccountId = ctx.env.id();
    let row = account::ActiveModel {
        id: Set(id),
        kind: Set(kind),
        name: Set(seal(&ctx.vault, Column::AccountName, id, name)?),
        phone: Set(None),
        phone_index: Set(None),
        disabled_at: Set(None),
        created_at: Set(ctx.env.now()),
    };
    Ok(row.insert(tx).await?)
}

/// Sets the display name.
///
/// # Errors
/// A database fault.
pub async fn rename(ctx: &Ctx, tx: &DatabaseTransaction, id: AccountId, name: &str) -> Result<()> {
    let name = seal(&ctx.vault, Column::AccountName, id, name)?;
    account::ActiveModel {
        id: Set(id),
        name: Set(name),
        ..Default::default()
    }
    .update(tx)
    .await?;
    Ok(())
}

/// Binds a normalised phone number to an account.
///
/// # Errors
/// A database fault.
pub async fn bind_phone(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: AccountId,
    phone: &str,
) -> Result<()> {
    account::ActiveModel {
        id: Set(id),
        phone: Set(Some(seal(&ctx.vault, Column::AccountPhone, id, phone)?)),
        phone_index: Set(Some(phone_index(&ctx.vault, phone))),
        ..Default::default()
    }
    .update(tx)
    .await?;
    Ok(())
}

/// Turns a customer's account into a worker's, as staff recorded his phone. The name is the one staff gave.
///
/// # Errors
/// A database fault.
pub async fn become_worker(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: AccountId,
    name: &str,
) -> Result<()> {
    account::ActiveModel {
        id: Set(id),
        kind: Set(AccountKind::Worker),
        ..Default::default()
    }
    .update(tx)
    .await?;
    rename(ctx, tx, id, name).await
}

/// Accounts with this normalised phone, oldest first.
///
/// # Errors
/// A database fault.
pub async fn find_by_phone(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    phone: &str,
) -> Result<Vec<AccountId>> {
    let rows = account::Entity::find()
        .filter(account::Column::PhoneIndex.eq(phone_index(&ctx.vault, phone)))
        .order_by_asc(account::Column::Id)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
