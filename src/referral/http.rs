//! Decisions: for the person, and for staff.

use super::{
    decision::{self, Filter, Which},
    http_page,
    why::{self, WhyOut},
};
use crate::{
    http::{Problem, ValidQuery},
    identity::{Actor, Customer, Role, Staff},
    kernel::{AppError, Code, Cursor, Page, Result},
    platform::Ctx,
    rule::EventKind,
};
use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Utc};
use entity::{
    decision as table,
    ids::{AccountId, BookingId, DecisionId, EventId},
    values::DecisionOutcome,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_actix_web::service_config::ServiceConfig;

/// Registers the customer's call.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(my_why);
    http_page::routes(cfg);
}

/// Registers the staff's call under `/admin`.
pub fn admin_routes(cfg: &mut ServiceConfig) {
    cfg.service(decisions);
}

#[derive(Serialize, utoipa::ToSchema)]
struct WhysOut {
    items: Vec<WhyOut>,
}

/// Why I was (not yet) asked to recommend: the last decision of each rule about me.
#[utoipa::path(tag = "referral", security(("bearer" = [])), responses((status = 200, body = WhysOut)))]
#[get("/me/referral/why")]
async fn my_why(ctx: web::Data<Ctx>, actor: Actor<Customer>) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(WhysOut {
        items: why::of_customer(&ctx, actor.id).await?,
    }))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DecisionQuery {
    customer_id: Option<AccountId>,
    booking_id: Option<BookingId>,
    /// An event's id, or a kind: `rating.submitted` …
    event: Option<String>,
    limit: Option<u64>,
    cursor: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct DecisionOut {
    id: DecisionId,
    event_id: EventId,
    event: String,
    customer_id: AccountId,
    booking_id: Option<BookingId>,
    rule_id: String,
    title: String,
    ruleset_version: i32,
    outcome: DecisionOutcome,
    blocked_by: Option<String>,
    /// `{pointer, fact, op, want, got, outcome}` each.
    #[schema(value_type = Vec<Object>)]
    conditions: Value,
    /// Ids of what it made.
    #[schema(value_type = Vec<String>)]
    effects: Value,
    created_at: DateTime<Utc>,
}

fn out(row: table::Model) -> DecisionOut {
    DecisionOut {
        id: row.id,
        event_id: row.event_id,
        event: row.event_kind,
        customer_id: row.customer_id,
        booking_id: row.booking_id,
        rule_id: row.rule_id,
        title: row.rule_title,
        ruleset_version: row.ruleset_version,
        outcome: row.outcome,
        blocked_by: row.blocked_by,
        conditions: row.conditions,
        effects: row.effects.get("done").cloned().unwrap_or_default(),
        created_at: row.created_at,
    }
}

/// One event by its id, or all of a kind: `rating.submitted`, with or without its version.
fn which(text: &str) -> Result<Which> {
    if let Ok(id) = text.parse::<uuid::Uuid>() {
        return Ok(Which::One(EventId(id)));
    }
    let kind = EventKind::parse(text.strip_suffix(".v1").unwrap_or(text));
    let kind = kind.ok_or_else(|| AppError::field("/query/event", "unknown", "没有这种事件"))?;
    Ok(Which::Kind(kind))
}

/// Decisions with every condition's wanted and found value. For marketing and operations.
#[utoipa::path(tag = "staff", params(DecisionQuery), security(("bearer" = [])),
    responses((status = 200, body = Page<DecisionOut>), (status = 403, body = Problem)))]
#[get("/decisions")]
async fn decisions(
    ctx: web::Data<Ctx>,
    actor: Actor<Staff>,
    query: ValidQuery<DecisionQuery>,
) -> Result<HttpResponse> {
    use crate::identity::{Marketing, Operations, Pipo};
    let admitted = [Marketing::admits, Operations::admits, Pipo::admits]
        .iter()
        .any(|may| may(actor.kind, &actor.roles));
    if !admitted {
        return Err(AppError::new(Code::Forbidden, "您的身份不能进行这个操作"));
    }
    let DecisionQuery {
        customer_id,
        booking_id,
        event,
        limit,
        cursor,
    } = query.0;
    let cursor = Cursor::parse(limit, cursor.as_deref())?;
    let filter = Filter {
        customer: customer_id,
        booking: booking_id,
        event: event.as_deref().map(which).transpose()?,
    };
    let rows = decision::page(ctx.db.read(), cursor, filter).await?;
    Ok(HttpResponse::Ok().json(cursor.page(rows, |row| row.id.0, out)))
}
