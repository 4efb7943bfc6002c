//! The referral graph, of people with `graph_analysis` only: an edge has two consenting ends or it is not there.

use crate::{
    http::{Problem, ValidQuery},
    identity::{self, Actor, Marketing},
    kernel::{AppError, Result, mask_name},
    platform::Ctx,
};
use actix_web::{HttpResponse, get, web};
use entity::{
    consent_state,
    ids::AccountId,
    referral,
    values::{ConsentState, ReferralStatus},
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa_actix_web::service_config::ServiceConfig;

/// Most nodes of one answer.
const MOST: u64 = 500;
/// Farthest from the root; what lies deeper is the risk job's business (REF-07).
const DEEPEST: u8 = 3;

pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(graph);
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct GraphQuery {
    /// Start from this person; everybody, newest first, when unsaid.
    root: Option<AccountId>,
    /// Steps from the root, 1 to 3; 1 when unsaid.
    depth: Option<u8>,
    /// Nodes, 1 to 500; 100 when unsaid.
    limit: Option<u64>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct Node {
    id: AccountId,
    /// The name with all but its first character hidden.
    masked: String,
    generation: i32,
}

#[derive(Serialize, utoipa::ToSchema)]
struct Edge {
    inviter: AccountId,
    invitee: AccountId,
    status: ReferralStatus,
}

#[derive(Serialize, utoipa::ToSchema)]
struct GraphOut {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    /// Whether `limit` cut something off.
    truncated: bool,
}

/// People who agreed and the links between them, masked.
#[utoipa::path(tag = "staff", params(GraphQuery), security(("bearer" = [])),
    responses((status = 200, body = GraphOut), (status = 404, body = Problem), (status = 422, body = Problem)))]
#[get("/referral-graph")]
async fn graph(
    ctx: web::Data<Ctx>,
    _: Actor<Marketing>,
    query: ValidQuery<GraphQuery>,
) -> Result<HttpResponse> {
    let GraphQuery { root, depth, limit } = query.0;
    let depth = depth.unwrap_or(1);
    if !(1..=DEEPEST).contains(&depth) {
        return Err(AppError::field(
            "/query/depth",
            "range",
            "depth 应在 1 到 3 之间",
        ));
    }
    let limit = limit.unwrap_or(100);
    if !(1..=MOST).contains(&limit) {
        return Err(AppError::field(
            "/query/limit",
            "range",
            "limit 应在 1 到 500 之间",
        ));
    }
    let (people, truncated) = match root {
        Some(root) => around(&ctx, root, depth, limit).await?,
        None => newest(&ctx, limit).await?,
    };
    let edges = between(&ctx, &people).await?;
    let mut nodes = Vec::with_capacity(people.len());
    for id in people {
        let person = identity::person(&ctx, ctx.db.read(), id).await?;
        let generation = crate::benefit::generation_of(ctx.db.read(), id).await?;
        nodes.push(Node {
            id,
            masked: mask_name(&person.name),
            generation,
        });
    }
    Ok(HttpResponse::Ok().json(GraphOut {
        nodes,
        edges,
        truncated,
    }))
}

/// Live grants of `graph_analysis`.
fn consenting(ctx: &Ctx) -> sea_orm::Select<consent_state::Entity> {
    use consent_state::Column::{ExpiresAt, Purpose, State};
    let lives = Condition::any()
        .add(ExpiresAt.is_null())
        .add(ExpiresAt.gt(ctx.env.now()));
    consent_state::Entity::find()
        .filter(Purpose.eq("graph_analysis"))
        .filter(State.eq(ConsentState::Granted))
        .filter(lives)
}

fn cap(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(500)
}

async fn newest(ctx: &Ctx, limit: u64) -> Result<(BTreeSet<AccountId>, bool)> {
    let rows: Vec<AccountId> = consenting(ctx)
        .select_only()
        .column(consent_state::Column::SubjectId)
        .order_by_desc(consent_state::Column::SubjectId)
        .limit(limit + 1)
        .into_tuple()
        .all(ctx.db.read())
        .await?;
    let truncated = rows.len() > cap(limit);
    Ok((rows.into_iter().take(cap(limit)).collect(), truncated))
}

/// Everybody within `depth` steps of `root`, over people who agreed.
async fn around(
    ctx: &Ctx,
    root: AccountId,
    depth: u8,
    limit: u64,
) -> Result<(BTreeSet<AccountId>, bool)> {
    use consent_state::Column::SubjectId;
    if consenting(ctx)
        .filter(SubjectId.eq(root))
        .all(ctx.db.read())
        .await?
        .is_empty()
    {
        return Err(AppError::not_found());
    }
    let mut known = BTreeSet::from([root]);
    let mut edge: Vec<AccountId> = vec![root];
    for _ in 0..depth {
        let mut next = Vec::new();
        for id in neighbours(ctx, &edge).await? {
            if known.contains(&id) {
                continue;
            }
            if known.len() >= cap(limit) {
                return Ok((known, true));
            }
            known.insert(id);
            next.push(id);
        }
        edge = next;
    }
    Ok((known, false))
}

fn agreed(ctx: &Ctx) -> sea_orm::sea_query::SelectStatement {
    consenting(ctx)
        .select_only()
        .column(consent_state::Column::SubjectId)
        .into_query()
}

/// Links whose two ends agreed.
fn links(ctx: &Ctx) -> sea_orm::Select<referral::Entity> {
    referral::Entity::find()
        .filter(referral::Column::InviterId.in_subquery(agreed(ctx)))
        .filter(referral::Column::InviteeId.in_subquery(agreed(ctx)))
}

async fn neighbours(ctx: &Ctx, of: &[AccountId]) -> Result<BTreeSet<AccountId>> {
    if of.is_empty() {
        return Ok(BTreeSet::new());
    }
    let touching = Condition::any()
        .add(referral::Column::InviterId.is_in(of.iter().copied()))
        .add(referral::Column::InviteeId.is_in(of.iter().copied()));
    let rows = links(ctx)
        .filter(touching)
        .order_by_asc(referral::Column::Id)
        .limit(2 * MOST)
        .all(ctx.db.read())
        .await?;
    Ok(rows
        .into_iter()
        .flat_map(|row| [row.inviter_id, row.invitee_id])
        .collect())
}

async fn between(ctx: &Ctx, people: &BTreeSet<AccountId>) -> Result<Vec<Edge>> {
    if people.is_empty() {
        return Ok(Vec::new());
    }
    let rows = links(ctx)
        .filter(referral::Column::InviterId.is_in(people.iter().copied()))
        .filter(referral::Column::InviteeId.is_in(people.iter().copied()))
        .order_by_asc(referral::Column::Id)
        .all(ctx.db.read())
        .await?;
    let edge = |row: referral::Model| Edge {
        inviter: row.inviter_id,
        invitee: row.invitee_id,
        status: row.status,
    };
    Ok(rows.into_iter().map(edge).collect())
}
