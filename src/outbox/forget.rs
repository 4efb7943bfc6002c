//! Forgetting finished events whose payload must not stay for ever.

use crate::kernel::Result;
use chrono::{DateTime, Utc};
use entity::{inbox, outbox};
use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
};

/// Deletes the finished events of `kind` that happened before a moment, with what consumers remember of them. Says how
/// many. Unfinished and buried ones stay: somebody still has to handle them.
///
/// # Errors
/// A database fault.
pub async fn forget(tx: &DatabaseTransaction, kind: &str, before: DateTime<Utc>) -> Result<u64> {
    let finished = Condition::all()
        .add(outbox::Column::Kind.eq(kind))
        .add(outbox::Column::OccurredAt.lt(before))
        .add(outbox::Column::DoneAt.is_not_null());
    let ids = outbox::Entity::find()
        .select_only()
        .column(outbox::Column::Id)
        .filter(finished.clone())
        .into_query();
    inbox::Entity::delete_many()
        .filter(inbox::Column::EventId.in_subquery(ids))
        .exec(tx)
        .await?;
    let gone = outbox::Entity::delete_many()
        .filter(finished)
        .exec(tx)
        .await?;
    Ok(gone.rows_affected)
}
