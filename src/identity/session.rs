//! Sessions: tokens out, refresh tokens rotated, reuse punished.

use super::{http::Tokens, token::TokenKey};
use crate::{
    kernel::{AppError, Code, Result},
    platform::{Ctx, OneByKey, vault},
};
use entity::{
    account,
    ids::{AccountId, RefreshTokenId, SessionId},
    refresh_token, session,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QuerySelect,
};

fn refused() -> AppError {
    AppError::new(Code::Unauthenticated, "登录已失效,请重新登录")
}

/// Opens a session for an account and answers its first tokens.
pub(super) async fn open(
    ctx: &Ctx,
    key: &TokenKey,
    tx: &DatabaseTransaction,
    account: AccountId,
) -> Result<Tokens> {
    let now = ctx.env.now();
    let id: SessionId = ctx.env.id();
    session::ActiveModel {
        id: Set(id),
        account_id: Set(account),
        created_at: Set(now),
        expires_at: Set(now + ctx.config.auth.session_ttl.get()),
        revoked_at: Set(None),
    }
    .insert(tx)
    .await?;
    tokens(ctx, key, tx, account, id).await
}

async fn tokens(
    ctx: &Ctx,
    key: &TokenKey,
    tx: &DatabaseTransaction,
    account: AccountId,
    session: SessionId,
) -> Result<Tokens> {
    let now = ctx.env.now();
    let refresh = vault::random_token(32);
    refresh_token::ActiveModel {
        id: Set(ctx.env.id::<RefreshTokenId>()),
        session_id: Set(session),
        token_hash: Set(vault::sha256_hex(refresh.as_bytes())),
        used_at: Set(None),
        expires_at: Set(now + ctx.config.auth.refresh_ttl.get()),
        created_at: Set(now),
    }
    .insert(tx)
    .await?;
    let ttl = ctx.config.auth.access_ttl.get();
    Ok(Tokens {
        access_token: key.issue(account, session, now, ttl)?,
        refresh_token: refresh,
        expires_in: ttl.num_seconds(),
    })
}

/// Exchanges a refresh token. A token that was used before ends the whole session: one of two holders is a thief.
pub(super) async fn refresh(ctx: &Ctx, key: &TokenKey, presented: &str) -> Result<Tokens> {
    let now = ctx.env.now();
    let tx = ctx.db.begin_write().await?;
    let row = refresh_token::Entity::find()
        .filter(refresh_token::Column::TokenHash.eq(vault::sha256_hex(presented.as_bytes())))
        .lock_exclusive()
        .one_by_key(&tx)
        .await?
        .ok_or_else(refused)?;
    let session = session::Entity::find_by_id(row.session_id)
        .one_by_key(&tx)
        .await?
        .ok_or_else(refused)?;
    if row.used_at.is_some() {
        revoke(ctx, &tx, session.id).await?;
        ctx.commit(tx).await?;
        tracing::warn!(session.id = %session.id, "a used refresh token came back; the session is ended");
        return Err(refused());
    }
    let account = account::Entity::find_by_id(session.account_id)
        .one_by_key(&tx)
        .await?
        .ok_or_else(refused)?;
    let open = session.revoked_at.is_none() && session.expires_at > now && row.expires_at > now;
    if !open || account.disabled_at.is_some() {
        return Err(refused());
    }
    refresh_token::ActiveModel {
        id: Set(row.id),
        used_at: Set(Some(now)),
        ..Default::default()
    }
    .update(&tx)
    .await?;
    let fresh = tokens(ctx, key, &tx, session.account_id, session.id).await?;
    ctx.commit(tx).await?;
    Ok(fresh)
}

/// The session a refresh token belongs to, used or not.
pub(super) async fn of_refresh_token(ctx: &Ctx, presented: &str) -> Result<SessionId> {
    let row = refresh_token::Entity::find()
        .filter(refresh_token::Column::TokenHash.eq(vault::sha256_hex(presented.as_bytes())))
        .one_by_key(ctx.db.read())
        .await?;
    row.map(|row| row.session_id).ok_or_else(refused)
}

pub(super) async fn revoke(ctx: &Ctx, tx: &DatabaseTransaction, id: SessionId) -> Result<()> {
    session::ActiveModel {
        id: Set(id),
        revoked_at: Set(Some(ctx.env.now())),
        ..Default::default()
    }
    .update(tx)
    .await?;
    Ok(())
}
