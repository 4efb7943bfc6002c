//! Dead letters: what an operator can list and replay.

use crate::{kernel::Result, platform::Ctx};
use chrono::{DateTime, Utc};
use entity::{ids::EventId, outbox};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};

/// A buried event.
#[derive(Debug, serde::Serialize)]
pub struct DeadLetter {
    /// The event.
    pub id: EventId,
    /// Its kind.
    pub kind: String,
    /// When it was buried.
    pub dead_at: Option<DateTime<Utc>>,
    /// How often it was tried.
    pub attempts: i32,
    /// The last fault.
    pub last_error: Option<String>,
}

/// The buried events, newest first, at most `limit`.
///
/// # Errors
/// A database fault.
pub async fn dead_letters(ctx: &Ctx, limit: u64) -> Result<Vec<DeadLetter>> {
    let rows = outbox::Entity::find()
        .filter(outbox::Column::DeadAt.is_not_null())
        .order_by_desc(outbox::Column::Id)
        .limit(limit)
        .all(ctx.db.read())
        .await?;
    let out = rows.into_iter().map(|row| DeadLetter {
        id: row.id,
        kind: row.kind,
        dead_at: row.dead_at,
        attempts: row.attempts,
        last_error: row.last_error,
    });
    Ok(out.collect())
}

/// Digs events up again: one, or all. Says how many. Consumers that had handled it before will not do so twice.
///
/// # Errors
/// A database fault.
pub async fn replay(ctx: &Ctx, id: Option<EventId>) -> Result<u64> {
    let tx = ctx.db.begin_write().await?;
    let mut update = outbox::Entity::update_many()
        .col_expr(
            outbox::Column::DeadAt,
            Expr::value(Option::<DateTime<Utc>>::None),
        )
        .col_expr(
            outbox::Column::PublishedAt,
            Expr::value(Option::<DateTime<Utc>>::None),
        )
        .col_expr(
            outbox::Column::RetryAt,
            Expr::value(Option::<DateTime<Utc>>::None),
        )
        .col_expr(outbox::Column::Attempts, Expr::value(0))
        .filter(outbox::Column::DeadAt.is_not_null());
    if let Some(id) = id {
        update = update.filter(outbox::Column::Id.eq(id));
    }
    let done = update.exec(&tx).await?;
    ctx.commit(tx).await?;
    Ok(done.rows_affected)
}
