//! The officer reads the audit log.

use crate::{
    audit::{self, AuditOut},
    http::{Problem, ValidQuery},
    identity::{Actor, Pipo},
    kernel::{Cursor, Page, Result},
    platform::Ctx,
};
use actix_web::{HttpResponse, get, web};
use entity::ids::AccountId;
use serde::{Deserialize, Serialize};
use utoipa_actix_web::service_config::ServiceConfig;

pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(verify).service(list);
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    /// Only entries about this person's data.
    subject_id: Option<AccountId>,
    limit: Option<u64>,
    cursor: Option<String>,
}

/// Who did what to whose data, newest first.
#[utoipa::path(tag = "staff", params(AuditQuery), security(("bearer" = [])),
    responses((status = 200, body = Page<AuditOut>), (status = 403, body = Problem)))]
#[get("/audit")]
async fn list(
    ctx: web::Data<Ctx>,
    _: Actor<Pipo>,
    query: ValidQuery<AuditQuery>,
) -> Result<HttpResponse> {
    let cursor = Cursor::parse(query.0.limit, query.0.cursor.as_deref())?;
    Ok(HttpResponse::Ok().json(audit::list(&ctx, cursor, query.0.subject_id).await?))
}

#[derive(Serialize, utoipa::ToSchema)]
struct AuditChainOut {
    ok: bool,
    /// Entries that were checked.
    checked: i64,
    /// Position of the first entry that does not fit, or null.
    first_bad: Option<i64>,
}

/// Walk the audit log's hash chain (SEC-37).
#[utoipa::path(tag = "staff", security(("bearer" = [])), responses((status = 200, body = AuditChainOut)))]
#[get("/audit/verify")]
async fn verify(ctx: web::Data<Ctx>, _: Actor<Pipo>) -> Result<HttpResponse> {
    let (checked, first_bad) = audit::verify(&ctx).await?;
    Ok(HttpResponse::Ok().json(AuditChainOut {
        ok: first_bad.is_none(),
        checked,
        first_bad,
    }))
}
