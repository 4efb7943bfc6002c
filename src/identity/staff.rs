//! Staff accounts: made from the command line, logged in by password.

use super::{account, password};
use crate::{
    kernel::{AppError, Code, Result},
    platform::{Ctx, OneByKey, vault},
};
use entity::{
    ids::AccountId,
    staff,
    values::{AccountKind, StaffRole},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

/// What `linjian staff add` asks for.
pub struct NewStaff {
    /// Login name, 2 to 64 characters.
    pub username: String,
    /// At least one.
    pub roles: Vec<StaffRole>,
    /// At least 8 characters (SEC-03); `None` makes a random one.
    pub password: Option<String>,
}

/// Adds a member of staff; answers the password that was made, if one was.
///
/// # Errors
/// `validation` for a weak password or no role, `conflict` when the username exists.
pub async fn add_staff(ctx: &Ctx, new: NewStaff) -> Result<(AccountId, Option<String>)> {
    let named = (2..=64).contains(&new.username.chars().count())
        && !new
            .username
            .contains(|c: char| c.is_whitespace() || c.is_control());
    if !named {
        return Err(AppError::field(
            "/username",
            "length",
            "用户名应为 2 到 64 个字符,不含空白",
        ));
    }
    if new.roles.is_empty() {
        return Err(AppError::field("/roles", "length", "至少需要一个角色"));
    }
    let made = new.password.is_none().then(|| vault::random_token(18));
    let secret = new.password.or_else(|| made.clone()).unwrap_or_default();
    if secret.chars().count() < 8 {
        return Err(AppError::field("/password", "length", "密码至少 8 个字符"));
    }
    let hash = password::hash(&secret)?;
    let tx = ctx.db.begin_write().await?;
    let taken = staff::Entity::find()
        .filter(staff::Column::Username.eq(&new.username))
        .one_by_key(&tx)
        .await?;
    if taken.is_some() {
        return Err(AppError::new(Code::Conflict, "这个用户名已经存在"));
    }
    let account = account::create(ctx, &tx, AccountKind::Staff, &new.username).await?;
    staff::ActiveModel {
        account_id: Set(account.id),
        username: Set(new.username),
        password_hash: Set(hash),
        roles: Set(serde_json::to_value(&new.roles)?),
        created_at: Set(ctx.env.now()),
    }
    .insert(&tx)
    .await?;
    ctx.commit(tx).await?;
    Ok((account.id, made))
}

/// The account of a login name, if it has this role: for whoever works at the command line.
///
/// # Errors
/// `forbidden` when there is no such login, or it has not.
pub async fn staff_named(ctx: &Ctx, username: &str, role: StaffRole) -> Result<AccountId> {
    let row = staff::Entity::find()
        .filter(staff::Column::Username.eq(username))
        .one_by_key(ctx.db.read())
        .await?;
    let may = |row: &staff::Model| {
        serde_json::from_value::<Vec<StaffRole>>(row.roles.clone())
            .is_ok_and(|roles| roles.contains(&role))
    };
    row.filter(may).map(|row| row.account_id).ok_or_else(|| {
        AppError::new(
            Code::Forbidden,
            format!("没有叫“{username}”的员工,或他没有 {} 的身份", role.word()),
        )
    })
}

/// What a presented name and password proved.
pub(super) struct Presented {
    /// The account of that name, if there is one.
    pub(super) named: Option<AccountId>,
    /// Who it is, when the password fits.
    pub(super) proven: Option<(AccountId, Vec<StaffRole>)>,
}

/// Checks a login. A wrong name costs the same work as a wrong password.
pub(super) async fn check(ctx: &Ctx, username: &str, secret: String) -> Result<Presented> {
    // No login name has control characters, and PostgreSQL cannot even look for a NUL.
    let row = if username.chars().any(char::is_control) {
        None
    } else {
        staff::Entity::find()
            .filter(staff::Column::Username.eq(username))
            .one_by_key(ctx.db.read())
            .await?
    };
    let named = row.as_ref().map(|row| row.account_id);
    let stored = row.as_ref().map(|row| row.password_hash.clone());
    let fits = password::fits(stored, secret).await?;
    let proven = match row.filter(|_| fits) {
        Some(row) => Some((row.account_id, serde_json::from_value(row.roles)?)),
        None => None,
    };
    Ok(Presented { named, proven })
}
