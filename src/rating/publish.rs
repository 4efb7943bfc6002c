//! Comments that may be quoted, once their author allows it.

use crate::kernel::Result;
use entity::{
    ids::{AccountId, BookingId, WorkerId},
    rating,
    values::{CommentStatus, Score},
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

/// Comments of visits rated lower are not quoted in an advertisement.
const CONTENT: Score = Score(480);
/// How many of somebody's newest comments are looked at.
const NEWEST: u64 = 10;

/// What somebody wrote about one visit. Consent to show it is given per visit.
pub struct PublishableComment {
    /// Of which visit; the scope of `review_public`.
    pub booking_id: BookingId,
    /// Who served it.
    pub worker_id: Option<WorkerId>,
    /// The words.
    pub text: String,
}

/// The newest comments of a contented customer that passed their content check (WX-12). Whether they may be shown is the caller's question, to the consent of
/// their author.
///
/// # Errors
/// A database fault.
pub async fn publishable_comments(
    db: &impl ConnectionTrait,
    customer_id: AccountId,
) -> Result<Vec<PublishableComment>> {
    let rows = rating::Entity::find()
        .filter(rating::Column::CustomerId.eq(customer_id))
        .filter(rating::Column::Score.gte(CONTENT))
        .filter(rating::Column::CommentStatus.eq(CommentStatus::Pass))
        .order_by_desc(rating::Column::SubmittedAt)
        .order_by_desc(rating::Column::Id)
        .limit(NEWEST)
        .all(db)
        .await?;
    let comment = |row: rating::Model| {
        Some(PublishableComment {
            booking_id: row.booking_id,
            worker_id: row.worker_id,
            text: row.comment?,
        })
    };
    Ok(rows.into_iter().filter_map(comment).collect())
}
