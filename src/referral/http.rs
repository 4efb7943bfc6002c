//! Decisions: for the person, and for staff.

use super::{
    decision::{self, Which},
    evaluation::Of,
    http_page,
    recall::{self, Recalled},
    verify::{self, VerifyOut},
    why::{self, WhyOut},
};
use crate::{
    benefit::{FriendWhy, friend_why},
    http::{Paging, Problem, ValidQuery, paging},
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
    cfg.service(verify_all).service(why_of).service(decisions);
}

#[derive(Serialize, utoipa::ToSchema)]
struct WhysOut {
    /// The last decision of each rule about the person.
    items: Vec<WhyOut>,
    /// When he came through a friend: why his order does not count (yet).
    friend: Option<FriendWhy>,
}

async fn whys(ctx: &Ctx, person: AccountId) -> Result<WhysOut> {
    Ok(WhysOut {
        items: why::of_customer(ctx, person).await?,
        friend: friend_why(ctx, ctx.db.read(), person).await?,
    })
}

/// Why I was (not yet) asked to recommend: the last decision of each rule about me; and, when a friend brought me, why my order
/// does not count yet.
#[utoipa::path(tag = "referral", security(("bearer" = [])), responses((status = 200, body = WhysOut)))]
#[get("/me/referral/why")]
async fn my_why(ctx: web::Data<Ctx>, actor: Actor<Customer>) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(whys(&ctx, actor.id).await?))
}

/// What the customer is told when he asks why, for whoever answers his call.
#[utoipa::path(tag = "staff", security(("bearer" = [])),
    responses((status = 200, body = WhysOut), (status = 403, body = Problem)))]
#[get("/customers/{id}/why")]
async fn why_of(
    ctx: web::Data<Ctx>,
    actor: Actor<Staff>,
    id: web::Path<AccountId>,
) -> Result<HttpResponse> {
    admit(&actor)?;
    Ok(HttpResponse::Ok().json(whys(&ctx, *id).await?))
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
    /// Null when the decision was made again from the recorded facts instead of being stored.
    id: Option<DecisionId>,
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
        id: Some(row.id),
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

/// Everything decided about a recorded event, what was stored first.
fn of_event(recalled: Recalled) -> Vec<DecisionOut> {
    let Recalled {
        row,
        stored,
        others,
        ..
    } = recalled;
    let again = others.into_iter().map(|one| DecisionOut {
        id: None,
        event_id: row.event_id,
        event: row.event_kind.clone(),
        customer_id: row.customer_id,
        booking_id: row.booking_id,
        outcome: recall::outcome(&one),
        rule_id: one.rule_id,
        title: one.title,
        ruleset_version: row.ruleset_version,
        blocked_by: one.blocked_by.map(decision::word),
        conditions: serde_json::to_value(&one.conditions).unwrap_or_default(),
        effects: Value::Array(Vec::new()),
        created_at: row.created_at,
    });
    stored.into_iter().map(out).chain(again).collect()
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

/// Marketing, operations and the officer may look.
fn admit(actor: &Actor<Staff>) -> Result<()> {
    use crate::identity::{Marketing, Operations, Pipo};
    let admitted = [Marketing::admits, Operations::admits, Pipo::admits]
        .iter()
        .any(|may| may(actor.kind, &actor.roles));
    if admitted {
        Ok(())
    } else {
        Err(AppError::new(Code::Forbidden, "您的身份不能进行这个操作"))
    }
}

/// Whether recorded decisions can be shown again (PIPL-39): recorded events, newest first, through the version of their time,
/// compared with what is stored. `limit` events at a time.
#[utoipa::path(tag = "staff", params(Paging), security(("bearer" = [])),
    responses((status = 200, body = VerifyOut), (status = 403, body = Problem)))]
#[get("/decisions/verify")]
async fn verify_all(
    ctx: web::Data<Ctx>,
    actor: Actor<Staff>,
    query: ValidQuery<Paging>,
) -> Result<HttpResponse> {
    admit(&actor)?;
    let cursor = paging(&query.0)?;
    Ok(HttpResponse::Ok().json(verify::page(ctx.db.read(), cursor).await?))
}

/// Decisions with every condition's wanted and found value, event by event, newest first. For marketing and operations. `limit`
/// counts events; of each the stored decisions come first, then the rules that did not fire, made again from the recorded facts: at
/// most the 50 nearest misses.
#[utoipa::path(tag = "staff", params(DecisionQuery), security(("bearer" = [])),
    responses((status = 200, body = Page<DecisionOut>), (status = 403, body = Problem)))]
#[get("/decisions")]
async fn decisions(
    ctx: web::Data<Ctx>,
    actor: Actor<Staff>,
    query: ValidQuery<DecisionQuery>,
) -> Result<HttpResponse> {
    admit(&actor)?;
    let DecisionQuery {
        customer_id,
        booking_id,
        event,
        limit,
        cursor,
    } = query.0;
    let cursor = Cursor::parse(limit, cursor.as_deref())?;
    let event = event.as_deref().map(which).transpose()?;
    let mut of: Vec<Of> = customer_id.map(Of::Customer).into_iter().collect();
    of.extend(booking_id.map(Of::Booking));
    of.extend(event.map(|which| match which {
        Which::One(id) => Of::Event(id),
        Which::Kind(kind) => Of::Kind(kind),
    }));
    let found = recall::page(ctx.db.read(), cursor, &of).await?;
    let page = cursor.page(found, |one| one.row.id.0, of_event);
    Ok(HttpResponse::Ok().json(Page {
        items: page.items.into_iter().flatten().collect::<Vec<_>>(),
        next_cursor: page.next_cursor,
    }))
}
