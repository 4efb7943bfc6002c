//! The growth calls of a logged-in person.

use super::{
    invitation, link, poster, public,
    redeem::{self, generation_of, of_invitee},
    view::{self, FriendOut, InvitationOut, LinkOut, MyReferralOut, RewardOut},
};
use crate::{
    consent,
    http::{Idem, Paging, Problem, Valid, ValidQuery, paging},
    identity::{Actor, Anyone, Customer},
    kernel::{AppError, Page, Result},
    platform::{Ctx, limiter::Limit},
};
use actix_web::{HttpResponse, delete, get, http::StatusCode, post, web};
use entity::{
    customer_tag,
    ids::{AccountId, InvitationId, InvitationShareId, RewardId},
    invitation_share, referral, reward,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Most friends shown at once; an inviter with more sees the newest.
const SHOWN_FRIENDS: u64 = 200;

/// Registers the calls.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list_invitations)
        .service(own_code)
        .service(share)
        .service(redeem_code)
        .service(my_referral)
        .service(my_rewards)
        .service(my_tags)
        .service(drop_tag);
    public::routes(cfg);
    poster::routes(cfg);
}

/// Registers what stands outside `/api/v1`: addresses short enough to type.
pub fn root_routes(cfg: &mut ServiceConfig) {
    link::routes(cfg);
}

/// My invitations, newest first.
#[utoipa::path(tag = "referral", params(Paging), security(("bearer" = [])),
    responses((status = 200, body = Page<InvitationOut>)))]
#[get("/me/invitations")]
async fn list_invitations(
    ctx: web::Data<Ctx>,
    actor: Actor<Customer>,
    query: ValidQuery<Paging>,
) -> Result<HttpResponse> {
    let cursor = paging(&query.0)?;
    let rows = invitation::of_customer(ctx.db.read(), actor.id, cursor).await?;
    Ok(HttpResponse::Ok().json(cursor.page(
        rows,
        |row| row.id.0,
        |row| view::invitation(&ctx, row),
    )))
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NothingIn {}

/// A code of my own: free, without any condition (REF-04). Asking again answers the same code.
#[utoipa::path(tag = "referral", request_body = NothingIn, security(("bearer" = [])),
    responses((status = 201, body = InvitationOut)))]
#[post("/me/invitations")]
async fn own_code(
    ctx: web::Data<Ctx>,
    actor: Actor<Customer>,
    idem: Idem,
    body: Valid<NothingIn>,
) -> Result<HttpResponse> {
    ctx.limits.check(Limit::Invitation, &actor.id.to_string())?;
    let made = async |tx: &sea_orm::DatabaseTransaction| {
        Ok(view::invitation(
            &ctx,
            redeem::own_code(&ctx, tx, actor.id).await?,
        ))
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::CREATED, made)
        .await
}

/// Where something was shared to.
#[derive(Clone, Copy, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum ShareChannel {
    WechatFriend,
    Poster,
    Link,
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ShareIn {
    channel: ShareChannel,
}

/// Count a share. It is never rewarded and opens nothing (REF-06).
#[utoipa::path(tag = "referral", request_body = ShareIn, security(("bearer" = [])),
    responses((status = 201), (status = 404, body = Problem)))]
#[post("/me/invitations/{id}/shares")]
async fn share(
    ctx: web::Data<Ctx>,
    actor: Actor<Customer>,
    id: web::Path<InvitationId>,
    idem: Idem,
    body: Valid<ShareIn>,
) -> Result<HttpResponse> {
    let channel = serde_json::to_value(body.value.channel)?
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let count = async |tx: &sea_orm::DatabaseTransaction| {
        let row = redeem::lock_own(tx, actor.id, *id).await?;
        let share = invitation_share::ActiveModel {
            id: Set(ctx.env.id::<InvitationShareId>()),
            invitation_id: Set(row.id),
            channel: Set(channel),
            created_at: Set(ctx.env.now()),
        };
        let share = share.insert(tx).await?;
        Ok(json!({ "id": share.id, "channel": share.channel, "created_at": share.created_at }))
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::CREATED, count)
        .await
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct RedeemIn {
    /// The code a friend passed on.
    #[validate(length(min = 1, max = 64))]
    code: String,
}

/// Use a friend's code. Needs my own `referral_link` consent; tells what I receive.
#[utoipa::path(tag = "referral", request_body = RedeemIn, security(("bearer" = [])),
    responses((status = 201, body = LinkOut), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
#[post("/referrals")]
async fn redeem_code(
    ctx: web::Data<Ctx>,
    actor: Actor<Customer>,
    idem: Idem,
    body: Valid<RedeemIn>,
) -> Result<HttpResponse> {
    ctx.limits.check(Limit::Invitation, &actor.id.to_string())?;
    let link = async |tx: &sea_orm::DatabaseTransaction| {
        let link = redeem::redeem(&ctx, tx, actor.id, &body.value.code).await?;
        let benefit = link.benefit.as_ref().map(view::benefit).transpose()?;
        Ok(LinkOut {
            id: link.id,
            generation: link.generation,
            benefit,
        })
    };
    idem.required(actor.id, &body.hash)?
        .run(&ctx, StatusCode::CREATED, link)
        .await
}

/// Who brought me, whom I brought; masked, and only friends whose consent stands.
#[utoipa::path(tag = "referral", security(("bearer" = [])), responses((status = 200, body = MyReferralOut)))]
#[get("/me/referral")]
async fn my_referral(ctx: web::Data<Ctx>, actor: Actor<Customer>) -> Result<HttpResponse> {
    let db = ctx.db.read();
    let inviter_masked = match of_invitee(db, actor.id).await? {
        Some(link) => Some(view::masked(&ctx, db, link.inviter_id).await?),
        None => None,
    };
    let invited = friends(&ctx, actor.id).await?;
    let mut counts = std::collections::BTreeMap::<&str, u32>::new();
    for friend in &invited {
        *counts.entry(friend.status.word()).or_default() += 1;
    }
    let counts_by_status = json!(counts);
    let generation = generation_of(db, actor.id).await?;
    Ok(HttpResponse::Ok().json(MyReferralOut {
        generation,
        inviter_masked,
        invited,
        counts_by_status,
    }))
}

async fn friends(ctx: &Ctx, inviter: AccountId) -> Result<Vec<FriendOut>> {
    let db = ctx.db.read();
    let links = referral::Entity::find()
        .filter(referral::Column::InviterId.eq(inviter))
        .order_by_desc(referral::Column::Id)
        .limit(SHOWN_FRIENDS)
        .all(db)
        .await?;
    let mut friends = Vec::with_capacity(links.len());
    for link in links {
        if consent::holds(ctx, db, link.invitee_id, "referral_link", None).await? {
            friends.push(FriendOut {
                masked: view::masked(ctx, db, link.invitee_id).await?,
                status: link.status,
            });
        }
    }
    Ok(friends)
}

/// What I was given, newest first.
#[utoipa::path(tag = "referral", params(Paging), security(("bearer" = [])),
    responses((status = 200, body = Page<RewardOut>)))]
#[get("/me/rewards")]
async fn my_rewards(
    ctx: web::Data<Ctx>,
    actor: Actor<Customer>,
    query: ValidQuery<Paging>,
) -> Result<HttpResponse> {
    let cursor = paging(&query.0)?;
    let mut rows = reward::Entity::find()
        .filter(reward::Column::AccountId.eq(actor.id))
        .order_by_desc(reward::Column::Id)
        .limit(cursor.fetch());
    if let Some(before) = cursor.before {
        rows = rows.filter(reward::Column::Id.lt(RewardId(before)));
    }
    let rows = rows.all(ctx.db.read()).await?;
    Ok(HttpResponse::Ok().json(cursor.page(rows, |row| row.id.0, view::reward)))
}

#[derive(Serialize, utoipa::ToSchema)]
struct TagOut {
    tag: String,
    rule_id: String,
}

/// The tags the engine gave me (PIPL-15).
#[utoipa::path(tag = "referral", security(("bearer" = [])), responses((status = 200, body = Page<TagOut>)))]
#[get("/me/tags")]
async fn my_tags(ctx: web::Data<Ctx>, actor: Actor<Anyone>) -> Result<HttpResponse> {
    let rows = customer_tag::Entity::find()
        .filter(customer_tag::Column::CustomerId.eq(actor.id))
        .order_by_asc(customer_tag::Column::Tag)
        .all(ctx.db.read())
        .await?;
    let items = rows
        .into_iter()
        .map(|row| TagOut {
            tag: row.tag,
            rule_id: row.rule_id,
        })
        .collect();
    Ok(HttpResponse::Ok().json(Page {
        items,
        next_cursor: None,
    }))
}

/// Delete a tag of mine (PIPL-15).
#[utoipa::path(tag = "referral", security(("bearer" = [])), responses((status = 204), (status = 404, body = Problem)))]
#[delete("/me/tags/{tag}")]
async fn drop_tag(
    ctx: web::Data<Ctx>,
    actor: Actor<Anyone>,
    tag: web::Path<String>,
) -> Result<HttpResponse> {
    if tag.contains('\0') {
        return Err(AppError::not_found());
    }
    let tx = ctx.db.begin_write().await?;
    let gone = customer_tag::Entity::delete_by_id((actor.id, tag.into_inner()))
        .exec(&tx)
        .await?;
    ctx.commit(tx).await?;
    if gone.rows_affected == 0 {
        return Err(AppError::not_found());
    }
    Ok(HttpResponse::NoContent().finish())
}
