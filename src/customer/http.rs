//! Changing one's own name.

use crate::{
    http::{Problem, Valid},
    identity::{self, Actor, Customer},
    kernel::{AppError, Result},
    platform::Ctx,
};
use actix_web::{HttpResponse, patch, web};
use entity::{ids::AccountId, values::AccountKind};
use serde::{Deserialize, Serialize};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Registers the calls.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(change_me);
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeIn {
    /// What to call me.
    #[validate(length(min = 1, max = 40))]
    name: String,
}

#[derive(Serialize, utoipa::ToSchema)]
struct ChangedOut {
    id: AccountId,
    kind: AccountKind,
    name: String,
    phone_masked: Option<String>,
}

/// Change my display name. A worker's name is the one staff recorded.
#[utoipa::path(tag = "identity", request_body = ChangeIn, security(("bearer" = [])),
    responses((status = 200, body = ChangedOut), (status = 422, body = Problem)))]
#[patch("/me")]
async fn change_me(
    ctx: web::Data<Ctx>,
    actor: Actor<Customer>,
    body: Valid<ChangeIn>,
) -> Result<HttpResponse> {
    let name = body.value.name.trim();
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(AppError::field(
            "/name",
            "format",
            "称呼不能为空,也不能有控制字符",
        ));
    }
    let tx = ctx.db.begin_write().await?;
    identity::rename(&ctx, &tx, actor.id, name).await?;
    ctx.commit(tx).await?;
    let person = identity::person(&ctx, ctx.db.read(), actor.id).await?;
    let out = ChangedOut {
        id: person.id,
        kind: person.kind,
        name: person.name,
        phone_masked: person.phone_masked,
    };
    Ok(HttpResponse::Ok().json(out))
}
