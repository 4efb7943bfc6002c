//! Forgetting finished events whose payload must not stay for ever.

use crate::kernel::Result;
use chrono::{DateTime, Utc};
use entity::{inbox, outbox};
use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
    sea_query::Expr,
};
use serde_json::json;
use uuid::Uuid;

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

/// Deletes what was told of one person under these kinds, with what consumers remember of it. What is not finished yet is
/// emptied: whoever still handles it finds the person and nothing else.
///
/// # Errors
/// A database fault.
pub async fn forget_about(
    tx: &DatabaseTransaction,
    kinds: &[&'static str],
    subject: Uuid,
) -> Result<()> {
    let theirs = Condition::all()
        .add(outbox::Column::SubjectId.eq(subject))
        .add(outbox::Column::Kind.is_in(kinds.iter().copied()));
    let emptied = json!({ "customer_id": subject });
    outbox::Entity::update_many()
        .col_expr(outbox::Column::Payload, Expr::value(emptied))
        .filter(theirs.clone())
        .filter(outbox::Column::DoneAt.is_null())
        .exec(tx)
        .await?;
    let finished = theirs.add(outbox::Column::DoneAt.is_not_null());
    let ids = outbox::Entity::find()
        .select_only()
        .column(outbox::Column::Id)
        .filter(finished.clone())
        .into_query();
    inbox::Entity::delete_many()
        .filter(inbox::Column::EventId.in_subquery(ids))
        .exec(tx)
        .await?;
    outbox::Entity::delete_many()
        .filter(finished)
        .exec(tx)
        .await?;
    Ok(())
}
