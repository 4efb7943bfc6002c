//! The policy pack and the officer's legal opinions (ADR 0019), and who approved what.

use super::{lawful, opinion};
use crate::{
    http::{Idem, Paging, Problem, Valid, ValidQuery, paging},
    identity::{Actor, Pipo, PipoOrMarketing},
    kernel::{Page, Result},
    platform::Ctx,
    rule::{LintRow, PolicyPack},
};
use actix_web::{HttpResponse, get, http::StatusCode, post, web};
use chrono::{DateTime, Utc};
use entity::{
    ids::{AccountId, LegalOpinionId, RulesetApprovalId, RulesetId},
    legal_opinion, ruleset_approval,
};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Approvals of one set shown at once.
const SHOWN: u64 = 50;

/// Registers the calls under `/admin`.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(policy)
        .service(opinions)
        .service(record)
        .service(revoke)
        .service(approvals);
}

#[derive(Serialize, utoipa::ToSchema)]
struct OpinionOut {
    id: LegalOpinionId,
    lint_id: String,
    policy_version: String,
    opinion: String,
    document_ref: String,
    officer_id: AccountId,
    decided_at: DateTime<Utc>,
    valid_until: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
    revoked_by: Option<AccountId>,
    /// Whether it lowers its lint now.
    standing: bool,
}

fn out(ctx: &Ctx, row: legal_opinion::Model) -> OpinionOut {
    let standing = row.revoked_at.is_none()
        && row.valid_until > ctx.env.now()
        && row.policy_version == PolicyPack::shipped().version;
    OpinionOut {
        id: row.id,
        lint_id: row.lint_id,
        policy_version: row.policy_version,
        opinion: row.opinion,
        document_ref: row.document_ref,
        officer_id: row.officer_id,
        decided_at: row.decided_at,
        valid_until: row.valid_until,
        revoked_at: row.revoked_at,
        revoked_by: row.revoked_by,
        standing,
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct PolicyOut {
    /// Which edition of the policy pack.
    version: String,
    /// Every lint with its clause and its severity here and now.
    lints: Vec<LintRow>,
    /// The opinions that hold.
    opinions: Vec<OpinionOut>,
}

/// What may be published here: every lint, its clause, its severity, and the legal opinions that lower one.
#[utoipa::path(tag = "staff", security(("bearer" = [])), responses((status = 200, body = PolicyOut)))]
#[get("/policy")]
async fn policy(ctx: web::Data<Ctx>, _: Actor<PipoOrMarketing>) -> Result<HttpResponse> {
    let db = ctx.db.read();
    let pack = opinion::effective(&ctx, db).await?;
    let standing = opinion::standing(&ctx, db).await?;
    Ok(HttpResponse::Ok().json(PolicyOut {
        version: pack.version.clone(),
        lints: pack.lints(),
        opinions: standing.into_iter().map(|row| out(&ctx, row)).collect(),
    }))
}

/// Every legal opinion, newest first.
#[utoipa::path(tag = "staff", params(Paging), security(("bearer" = [])),
    responses((status = 200, body = Page<OpinionOut>)))]
#[get("/legal-opinions")]
async fn opinions(
    ctx: web::Data<Ctx>,
    _: Actor<Pipo>,
    query: ValidQuery<Paging>,
) -> Result<HttpResponse> {
    let cursor = paging(&query.0)?;
    let rows = opinion::page(ctx.db.read(), cursor).await?;
    Ok(HttpResponse::Ok().json(cursor.page(rows, |row| row.id.0, |row| out(&ctx, row))))
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct OpinionIn {
    /// The lint it is about, e.g. `REF-L04`.
    #[validate(length(min = 1, max = 20))]
    lint_id: String,
    /// What counsel says, 20 characters or more.
    #[validate(length(min = 20, max = 10000))]
    opinion: String,
    /// Where the signed document is kept.
    #[validate(length(min = 1, max = 200))]
    document_ref: String,
    /// Until when it holds.
    valid_until: DateTime<Utc>,
}

/// Record a legal opinion on the pack in force: its lint asks for a second person instead of blocking, until it runs out, is
/// taken back, or the pack changes. What holds in the types is refused.
#[utoipa::path(tag = "staff", request_body = OpinionIn, security(("bearer" = [])),
    responses((status = 201, body = OpinionOut), (status = 422, body = Problem)))]
#[post("/legal-opinions")]
async fn record(
    ctx: web::Data<Ctx>,
    actor: Actor<Pipo>,
    idem: Idem,
    body: Valid<OpinionIn>,
) -> Result<HttpResponse> {
    let new = opinion::New {
        lint_id: body.value.lint_id,
        opinion: body.value.opinion,
        document_ref: body.value.document_ref,
        valid_until: body.value.valid_until,
    };
    let write = async |tx: &DatabaseTransaction| {
        Ok(out(&ctx, opinion::record(&ctx, tx, actor.id, new).await?))
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::CREATED, write)
        .await
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct RevokeIn {}

/// Take a legal opinion back: its lint blocks again at once, also for sets approved meanwhile.
#[utoipa::path(tag = "staff", request_body = RevokeIn, security(("bearer" = [])),
    responses((status = 200, body = OpinionOut), (status = 404, body = Problem), (status = 409, body = Problem)))]
#[post("/legal-opinions/{id}/revoke")]
async fn revoke(
    ctx: web::Data<Ctx>,
    actor: Actor<Pipo>,
    id: web::Path<LegalOpinionId>,
    idem: Idem,
    body: Valid<RevokeIn>,
) -> Result<HttpResponse> {
    let take_back = async |tx: &DatabaseTransaction| {
        Ok(out(&ctx, opinion::revoke(&ctx, tx, *id, actor.id).await?))
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::OK, take_back)
        .await
}

#[derive(Serialize, utoipa::ToSchema)]
struct ApprovalOut {
    id: RulesetApprovalId,
    approver_id: AccountId,
    reason: Option<String>,
    /// SHA-256 of the document he saw, hex.
    document_sha256: String,
    /// The findings he accepted: lint and place.
    #[schema(value_type = Vec<String>)]
    findings: serde_json::Value,
    policy_version: String,
    created_at: DateTime<Utc>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct ApprovalsOut {
    items: Vec<ApprovalOut>,
}

fn approval(row: ruleset_approval::Model) -> ApprovalOut {
    ApprovalOut {
        id: row.id,
        approver_id: row.approver_id,
        reason: row.reason,
        document_sha256: row.document_sha256,
        findings: row.findings,
        policy_version: row.policy_version,
        created_at: row.created_at,
    }
}

/// Who said yes to a set, why, and to which findings; newest first.
#[utoipa::path(tag = "staff", security(("bearer" = [])), responses((status = 200, body = ApprovalsOut)))]
#[get("/rulesets/{id}/approvals")]
async fn approvals(
    ctx: web::Data<Ctx>,
    _: Actor<PipoOrMarketing>,
    id: web::Path<RulesetId>,
) -> Result<HttpResponse> {
    let rows = lawful::approvals(ctx.db.read(), *id, SHOWN).await?;
    Ok(HttpResponse::Ok().json(ApprovalsOut {
        items: rows.into_iter().map(approval).collect(),
    }))
}
