//! Submitting a rating.

use super::{comment, events::RatingSubmitted, model::score};
use crate::{
    booking,
    kernel::{AppError, Code, Result},
    outbox,
    platform::Ctx,
};
use entity::{
    ids::{AccountId, BookingId, RatingId},
    rating,
    values::BookingStatus,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    sea_query::OnConflict,
};

/// The five dimensions, in the glossary's order.
pub(super) struct Submit {
    pub(super) quality: i32,
    pub(super) punctuality: i32,
    pub(super) attitude: i32,
    pub(super) communication: i32,
    pub(super) value: i32,
    pub(super) comment: Option<String>,
}

/// Rates a completed visit, once.
///
/// # Errors
/// `not_found`, `invalid_state` before completion, `conflict` the second time.
pub(super) async fn submit(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    customer: AccountId,
    id: BookingId,
    given: Submit,
) -> Result<rating::Model> {
    let visit = booking::of_customer(tx, customer, id).await?;
    if visit.status != BookingStatus::Completed {
        return Err(AppError::invalid_state("服务完成并验收后才能评分"));
    }
    let rating_id: RatingId = ctx.env.id();
    let Submit {
        quality,
        punctuality,
        attitude,
        communication,
        value,
        comment,
    } = given;
    let comment_status = comment::begins(ctx, comment.as_deref());
    let score = score([quality, punctuality, attitude, communication, value]);
    let row = rating::ActiveModel {
        id: Set(rating_id),
        booking_id: Set(id),
        customer_id: Set(customer),
        worker_id: Set(visit.worker_id),
        quality: Set(quality),
        punctuality: Set(punctuality),
        attitude: Set(attitude),
        communication: Set(communication),
        value: Set(value),
        score: Set(score),
        comment: Set(comment),
        comment_status: Set(comment_status),
        submitted_at: Set(ctx.env.now()),
    };
    let made = rating::Entity::insert(row)
        .on_conflict(
            OnConflict::column(rating::Column::BookingId)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    if made == 0 {
        return Err(AppError::new(Code::Conflict, "这次服务已经评过分"));
    }
    let event = RatingSubmitted {
        rating_id,
        booking_id: id,
        customer_id: customer,
        worker_id: visit.worker_id,
        score,
    };
    outbox::append(tx, &ctx.env, &event).await?;
    let row = rating::Entity::find()
        .filter(rating::Column::Id.eq(rating_id))
        .all(tx)
        .await?
        .pop();
    let row = row.ok_or_else(|| AppError::internal("the rating was written and is gone"))?;
    // An event of its own: what waits for WeChat must not hold up what the rating means to others.
    if let Some(event) = comment::to_check(&row) {
        outbox::append(tx, &ctx.env, &event).await?;
    }
    Ok(row)
}
