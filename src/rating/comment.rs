//! Comments: whether others may read them.

use super::events::CommentWritten;
use crate::{
    kernel::Result,
    platform::{Ctx, OneByKey},
};
use entity::{
    ids::RatingId,
    rating::{self, Column, Entity},
    values::CommentStatus,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, sea_query::Expr,
};

/// What a fresh comment begins as. Without the checks of WeChat every comment passes at once (WX-14, the operator's risk).
pub(super) fn begins(ctx: &Ctx, comment: Option<&str>) -> CommentStatus {
    if comment.is_none_or(|text| text.trim().is_empty()) {
        CommentStatus::None
    } else if ctx.config.wechat.content_check {
        CommentStatus::Pending
    } else {
        CommentStatus::Pass
    }
}

/// The event that has a comment checked, if this one needs it.
pub(super) fn to_check(row: &rating::Model) -> Option<CommentWritten> {
    (row.comment_status == CommentStatus::Pending).then_some(CommentWritten {
        rating_id: row.id,
        customer_id: row.customer_id,
    })
}

/// A rating.
///
/// # Errors
/// A database fault.
pub async fn by_id(db: &impl ConnectionTrait, id: RatingId) -> Result<Option<rating::Model>> {
    Ok(Entity::find_by_id(id).one_by_key(db).await?)
}

/// These ratings, in no order.
///
/// # Errors
/// A database fault.
pub async fn by_ids(db: &impl ConnectionTrait, ids: &[RatingId]) -> Result<Vec<rating::Model>> {
    let rows = Entity::find().filter(Column::Id.is_in(ids.iter().copied()));
    Ok(rows.all(db).await?)
}

/// Moves an undecided comment on; says whether it was undecided.
///
/// # Errors
/// A database fault.
pub async fn judge_comment(
    tx: &DatabaseTransaction,
    id: RatingId,
    status: CommentStatus,
) -> Result<bool> {
    let moved = Entity::update_many()
        .col_expr(Column::CommentStatus, Expr::value(status))
        .filter(Column::Id.eq(id))
        .filter(Column::CommentStatus.is_in([CommentStatus::Pending, CommentStatus::Review]))
        .exec(tx)
        .await?;
    Ok(moved.rows_affected == 1)
}
