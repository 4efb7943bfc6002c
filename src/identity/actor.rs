//! Roles as extractors: a handler that names `Actor<R>` runs for that role alone.

use super::token::TokenKey;
use crate::{
    http::Recognising,
    kernel::{AppError, Code, Result},
    platform::{Ctx, OneByKey, limiter::Limit},
};
use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web};
use entity::{
    account,
    ids::{AccountId, SessionId},
    session, staff,
    values::{AccountKind, StaffRole},
};
use sea_orm::EntityTrait;
use std::{future::Future, marker::PhantomData, pin::Pin};

/// A proven caller of role `R`. Only the extractor makes one.
pub struct Actor<R> {
    /// Whose account.
    pub id: AccountId,
    /// Through which session.
    pub session: SessionId,
    /// What kind.
    pub kind: AccountKind,
    /// Roles, for staff.
    pub roles: Vec<StaffRole>,
    role: PhantomData<fn() -> R>,
}

/// Decides whom an [`Actor`] of this role admits.
pub trait Role: 'static {
    /// Whether an account of `kind` with `roles` may pass.
    fn admits(kind: AccountKind, roles: &[StaffRole]) -> bool;
}

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident => |$kind:ident, $roles:ident| $test:expr;)+) => {$(
        $(#[$doc])*
        pub struct $name;
        impl Role for $name {
            fn admits($kind: AccountKind, $roles: &[StaffRole]) -> bool { $test }
        }
    )+};
}

fn staff_with(kind: AccountKind, roles: &[StaffRole], wanted: &[StaffRole]) -> bool {
    kind == AccountKind::Staff && roles.iter().any(|role| wanted.contains(role))
}

roles! {
    /// Any account that is logged in.
    Anyone => |_kind, _roles| true;
    /// A customer.
    Customer => |kind, _roles| kind == AccountKind::Customer;
    /// A worker.
    Worker => |kind, _roles| kind == AccountKind::Worker;
    /// Any member of staff.
    Staff => |kind, _roles| kind == AccountKind::Staff;
    /// Marketing.
    Marketing => |kind, roles| staff_with(kind, roles, &[StaffRole::Marketing]);
    /// Customer service.
    Service => |kind, roles| staff_with(kind, roles, &[StaffRole::Service]);
    /// Managers.
    Manager => |kind, roles| staff_with(kind, roles, &[StaffRole::Manager]);
    /// The personal-information officer.
    Pipo => |kind, roles| staff_with(kind, roles, &[StaffRole::Pipo]);
    /// Customer service or managers: operations.
    Operations => |kind, roles| staff_with(kind, roles, &[StaffRole::Service, StaffRole::Manager]);
    /// The officer or marketing: what may be published here.
    PipoOrMarketing => |kind, roles| staff_with(kind, roles, &[StaffRole::Pipo, StaffRole::Marketing]);
    /// The officer or customer service.
    PipoOrService => |kind, roles| staff_with(kind, roles, &[StaffRole::Pipo, StaffRole::Service]);
}

pub(super) struct Known {
    pub(super) id: AccountId,
    pub(super) session: SessionId,
    pub(super) kind: AccountKind,
    pub(super) roles: Vec<StaffRole>,
}

pub(super) fn bearer(req: &HttpRequest) -> Option<String> {
    let value = req.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(str::to_owned)
}

/// Reads token, session and account: logout, disabling and a change of roles act on the very next request (SEC-09).
pub(super) async fn know(ctx: &Ctx, key: &TokenKey, token: Option<String>) -> Result<Known> {
    let refused = || AppError::new(Code::Unauthenticated, "请先登录");
    let token = token.ok_or_else(refused)?;
    let now = ctx.env.now();
    let (id, session) = key.read(&token, now)?;
    let db = ctx.db.read();
    let session = session::Entity::find_by_id(session)
        .one_by_key(db)
        .await?
        .ok_or_else(refused)?;
    if session.account_id != id || session.revoked_at.is_some() || session.expires_at <= now {
        return Err(refused());
    }
    let account = account::Entity::find_by_id(id)
        .one_by_key(db)
        .await?
        .ok_or_else(refused)?;
    if account.disabled_at.is_some() {
        return Err(refused());
    }
    let roles = if account.kind == AccountKind::Staff {
        let row = staff::Entity::find_by_id(id)
            .one_by_key(db)
            .await?
            .ok_or_else(refused)?;
        serde_json::from_value(row.roles)?
    } else {
        Vec::new()
    };
    Ok(Known {
        id,
        session: session.id,
        kind: account.kind,
        roles,
    })
}

impl<R: Role> FromRequest for Actor<R> {
    type Error = AppError;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let ctx = req.app_data::<web::Data<Ctx>>().cloned();
        let key = req.app_data::<web::Data<TokenKey>>().cloned();
        let token = bearer(req);
        let recognising = Recognising::begin(req);
        Box::pin(async move {
            // Until this is dropped the other extractors wait: 401 and 403 come before 422.
            let _recognising = recognising;
            let (Some(ctx), Some(key)) = (ctx, key) else {
                return Err(AppError::internal("the app was built without its context"));
            };
            let known = know(&ctx, &key, token).await?;
            ctx.limits.check(Limit::Account, &known.id.to_string())?;
            if !R::admits(known.kind, &known.roles) {
                return Err(AppError::new(Code::Forbidden, "您的身份不能进行这个操作"));
            }
            Ok(Self {
                id: known.id,
                session: known.session,
                kind: known.kind,
                roles: known.roles,
                role: PhantomData,
            })
        })
    }
}
