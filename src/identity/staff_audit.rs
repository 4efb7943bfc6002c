//! Every staff call is audited (SEC-35): who called what, and how it ended.

use super::{actor::know, token::TokenKey};
use crate::{
    audit::{self, Entry},
    http::current_request_id,
    kernel::Result,
    platform::Ctx,
};
use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web,
};
use entity::{ids::AccountId, values::AccountKind};

/// Middleware of the `/admin` scope. A call that cannot be recorded is not answered (SEC-42: fail closed).
///
/// # Errors
/// The audit log's fault, or the inner service's.
pub async fn audit_staff<B: MessageBody>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let ctx = req.app_data::<web::Data<Ctx>>().cloned();
    let key = req.app_data::<web::Data<TokenKey>>().cloned();
    let token = super::actor::bearer(req.request());
    let method = req.method().to_string();
    let path = req.path().to_owned();
    let answer = next.call(req).await;
    let status = match &answer {
        Ok(answer) => answer.status().as_u16(),
        Err(error) => error.as_response_error().status_code().as_u16(),
    };
    if let (Some(ctx), Some(key)) = (ctx, key)
        && let Ok(known) = know(&ctx, &key, token).await
    {
        write(
            &ctx,
            known.id,
            known.kind,
            format!("{method} {path}"),
            status,
        )
        .await?;
    }
    answer
}

async fn write(
    ctx: &Ctx,
    actor: AccountId,
    kind: AccountKind,
    action: String,
    status: u16,
) -> Result<()> {
    let tx = ctx.db.begin_write().await?;
    let object = action
        .split_once("/admin/")
        .map_or("", |(_, rest)| rest)
        .to_owned();
    let entry = Entry {
        actor: Some(actor),
        actor_kind: kind.word(),
        action,
        object,
        subject: None,
        detail: serde_json::json!({ "status": status }),
        request_id: current_request_id(),
    };
    audit::record(ctx, &tx, entry).await?;
    ctx.commit(tx).await
}
