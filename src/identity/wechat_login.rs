//! WeChat login: a code becomes an openid, an openid an account. Keyed by appid and openid (SEC-07).

use super::{account, events::Registered};
use crate::{
    kernel::{AppError, Code, Result},
    outbox,
    platform::{
        Ctx, OneByKey,
        sealed::{Column, seal},
        wechat::Session,
    },
};
use entity::{
    account::Model as Account,
    ids::{AccountId, WechatIdentityId},
    values::AccountKind,
    wechat_identity,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    EntityTrait, QueryFilter,
};

/// A login's outcome.
pub(super) struct LoggedIn {
    pub(super) account: AccountId,
    pub(super) is_new: bool,
}

/// Exchanges the code and finds or makes the account.
pub(super) async fn login(ctx: &Ctx, code: &str) -> Result<(DatabaseTransaction, LoggedIn)> {
    let session = ctx.wechat.code2session(code).await?;
    match find_or_make(ctx, &session).await {
        // Another device's first login was faster: its account is there now. The code is spent, the session is not.
        Err(AppError {
            code: Code::Conflict,
            ..
        }) => find_or_make(ctx, &session).await,
        done => done,
    }
}

async fn find_or_make(ctx: &Ctx, session: &Session) -> Result<(DatabaseTransaction, LoggedIn)> {
    let tx = ctx.db.begin_write().await?;
    let appid = ctx.wechat.appid().to_owned();
    let known = wechat_identity::Entity::find()
        .filter(wechat_identity::Column::Appid.eq(&appid))
        .filter(wechat_identity::Column::Openid.eq(&session.openid))
        .one_by_key(&tx)
        .await?;
    let now = ctx.env.now();
    let seal_key =
        |id: WechatIdentityId| seal(&ctx.vault, Column::SessionKey, id, &session.session_key);
    if let Some(known) = known {
        wechat_identity::ActiveModel {
            id: Set(known.id),
            session_key: Set(seal_key(known.id)?),
            seen_at: Set(now),
            ..Default::default()
        }
        .update(&tx)
        .await?;
        let login = LoggedIn {
            account: known.account_id,
            is_new: false,
        };
        return Ok((tx, login));
    }
    let account = register(ctx, &tx).await?;
    let id: WechatIdentityId = ctx.env.id();
    wechat_identity::ActiveModel {
        id: Set(id),
        appid: Set(appid),
        openid: Set(session.openid.clone()),
        account_id: Set(account.id),
        session_key: Set(seal_key(id)?),
        seen_at: Set(now),
        created_at: Set(now),
    }
    .insert(&tx)
    .await?;
    let login = LoggedIn {
        account: account.id,
        is_new: true,
    };
    Ok((tx, login))
}

async fn register(ctx: &Ctx, tx: &DatabaseTransaction) -> Result<Account> {
    let account = account::create(ctx, tx, AccountKind::Customer, "微信用户").await?;
    outbox::append(
        tx,
        &ctx.env,
        &Registered {
            account_id: account.id,
        },
    )
    .await?;
    Ok(account)
}

/// The openid of an account in our mini-program, for paying and for messages; never for clients or logs.
///
/// # Errors
/// A database fault.
pub async fn openid_of(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Option<String>> {
    let row = wechat_identity::Entity::find()
        .filter(wechat_identity::Column::AccountId.eq(account))
        .filter(wechat_identity::Column::Appid.eq(ctx.wechat.appid()))
        .all(db)
        .await?
        .pop();
    Ok(row.map(|row| row.openid))
}

/// The account of an openid in our mini-program.
///
/// # Errors
/// A database fault.
pub async fn account_of_openid(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    openid: &str,
) -> Result<Option<AccountId>> {
    let row = wechat_identity::Entity::find()
        .filter(wechat_identity::Column::Appid.eq(ctx.wechat.appid()))
        .filter(wechat_identity::Column::Openid.eq(openid))
        .one_by_key(db)
        .await?;
    Ok(row.map(|row| row.account_id))
}
