//! The identity calls of the API.

use super::{
    account::person,
    actor::{Actor, Anyone},
    session,
    staff::{self, Presented},
    token::TokenKey,
    wechat_login,
};
use crate::{
    audit::{self, Entry},
    http::{Problem, RequestMeta, Valid, address_of},
    kernel::{AppError, Code, Result},
    platform::{Ctx, limiter::Limit},
};
use actix_web::{HttpRequest, HttpResponse, post, web};
use entity::{
    ids::AccountId,
    values::{AccountKind, StaffRole},
};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::net::{IpAddr, Ipv6Addr};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// What a login or refresh answers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Tokens {
    /// JWT for `Authorization: Bearer`.
    pub access_token: String,
    /// Single use; exchange it before the access token ends.
    pub refresh_token: String,
    /// Seconds the access token lives, at most 900.
    pub expires_in: i64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct AccountOut {
    id: AccountId,
    kind: AccountKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<StaffRole>>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct LoginOut {
    #[serde(flatten)]
    tokens: Tokens,
    account: AccountOut,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_new: Option<bool>,
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct CodeIn {
    /// From `wx.login`; in the sandbox `sandbox-<name>`.
    #[validate(length(min = 1, max = 256))]
    code: String,
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct StaffIn {
    #[validate(length(min = 1, max = 64))]
    username: String,
    #[validate(length(min = 1, max = 256))]
    password: String,
    /// Reserved for the second factor; refused until one is enrolled.
    totp: Option<String>,
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct RefreshIn {
    #[validate(length(min = 1, max = 256))]
    refresh_token: String,
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct LogoutIn {
    /// Any refresh token of the session; may be left out when the bearer is sent.
    #[validate(length(min = 1, max = 256))]
    refresh_token: Option<String>,
}

/// Registers the calls.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(wechat)
        .service(staff_login)
        .service(refresh)
        .service(logout);
}

fn from(req: &HttpRequest) -> String {
    address_of(req).map_or_else(|| "unknown".into(), network)
}

/// What counts as one place for logins: whoever has one IPv6 address has the whole /64.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let network = u128::from(v6) & !u128::from(u64::MAX);
            format!("{}/64", Ipv6Addr::from(network))
        }
    }
}

/// Log in with a WeChat code.
#[utoipa::path(tag = "identity", request_body = CodeIn,
    responses((status = 200, body = LoginOut), (status = 401, body = Problem)))]
#[post("/auth/wechat")]
async fn wechat(
    ctx: web::Data<Ctx>,
    key: web::Data<TokenKey>,
    req: HttpRequest,
    body: Valid<CodeIn>,
) -> Result<HttpResponse> {
    ctx.limits.check(Limit::Login, &from(&req))?;
    let (tx, login) = wechat_login::login(&ctx, &body.value.code).await?;
    let tokens = session::open(&ctx, &key, &tx, login.account).await?;
    let person = person(&ctx, &tx, login.account).await?;
    ctx.commit(tx).await?;
    let account = AccountOut {
        id: person.id,
        kind: person.kind,
        name: Some(person.name),
        roles: None,
    };
    Ok(HttpResponse::Ok().json(LoginOut {
        tokens,
        account,
        is_new: Some(login.is_new),
    }))
}

/// Log in as staff.
#[utoipa::path(tag = "identity", request_body = StaffIn,
    responses((status = 200, body = LoginOut), (status = 401, body = Problem)))]
#[post("/auth/staff")]
async fn staff_login(
    ctx: web::Data<Ctx>,
    key: web::Data<TokenKey>,
    req: HttpRequest,
    meta: RequestMeta,
    body: Valid<StaffIn>,
) -> Result<HttpResponse> {
    let StaffIn {
        username,
        password,
        totp,
    } = body.value;
    let place = from(&req);
    // By address too, so that one place cannot try a password on every name.
    ctx.limits.check(Limit::Login, &place)?;
    // By name and address together: a stranger's guesses do not lock the owner out (SEC-01).
    ctx.limits
        .check(Limit::StaffLogin, &format!("{username} {place}"))?;
    if totp.is_some() {
        return Err(AppError::field(
            "/totp",
            "not_enrolled",
            "这个账号没有登记动态口令",
        ));
    }
    let presented = staff::check(&ctx, &username, password).await?;
    let tx = ctx.db.begin_write().await?;
    audit_login(&ctx, &tx, &presented, &meta).await?;
    let Some((id, roles)) = presented.proven else {
        ctx.commit(tx).await?;
        return Err(AppError::new(Code::Unauthenticated, "用户名或密码不正确"));
    };
    let tokens = session::open(&ctx, &key, &tx, id).await?;
    ctx.commit(tx).await?;
    let account = AccountOut {
        id,
        kind: AccountKind::Staff,
        name: Some(username),
        roles: Some(roles),
    };
    Ok(HttpResponse::Ok().json(LoginOut {
        tokens,
        account,
        is_new: None,
    }))
}

/// SEC-35: both ends of a login attempt. The name that was typed is not kept: it may be a password.
async fn audit_login(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    presented: &Presented,
    meta: &RequestMeta,
) -> Result<()> {
    let proven = presented.proven.as_ref().map(|(id, _)| *id);
    let (outcome, status) = match proven {
        Some(_) => ("success", 200),
        None => ("failure", 401),
    };
    let entry = Entry {
        actor: proven,
        actor_kind: AccountKind::Staff.word(),
        action: "POST /api/v1/auth/staff".into(),
        object: "login".into(),
        subject: presented.named,
        detail: json!({
            "outcome": outcome, "status": status, "address_masked": meta.address_masked, "device": meta.device,
        }),
        request_id: meta.request_id.clone(),
    };
    audit::record(ctx, tx, entry).await
}

/// Exchange a refresh token for fresh tokens.
#[utoipa::path(tag = "identity", request_body = RefreshIn,
    responses((status = 200, body = Tokens), (status = 401, body = Problem)))]
#[post("/auth/refresh")]
async fn refresh(
    ctx: web::Data<Ctx>,
    key: web::Data<TokenKey>,
    body: Valid<RefreshIn>,
) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(session::refresh(&ctx, &key, &body.value.refresh_token).await?))
}

/// End the session of a refresh token, or of the bearer; its tokens are refused from the next request on.
#[utoipa::path(tag = "identity", request_body = LogoutIn, security(("bearer" = [])),
    responses((status = 204), (status = 401, body = Problem)))]
#[post("/auth/logout")]
async fn logout(
    ctx: web::Data<Ctx>,
    actor: Result<Actor<Anyone>>,
    body: Valid<LogoutIn>,
) -> Result<HttpResponse> {
    let session = match body.value.refresh_token {
        Some(token) => session::of_refresh_token(&ctx, &token).await?,
        None => actor?.session,
    };
    let tx = ctx.db.begin_write().await?;
    session::revoke(&ctx, &tx, session).await?;
    ctx.commit(tx).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_ipv6_network_are_one_place() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_ne!(of("192.0.2.7"), of("192.0.2.8"));
    }
}
