//! Indexes along which facts are read: a person's completed visits, his ratings and his events by kind, newest first. They
//! take the place of shorter ones.

use sea_orm_migration::prelude::{DbErr, Index, MigrationName, MigrationTrait, SchemaManager};

/// Name, table, columns.
type Along = (&'static str, &'static str, &'static [&'static str]);

/// With the id at the end, so that entries of one moment have an order and nothing is sorted.
const NEW: [Along; 3] = [
    (
        "ix_booking_customer_id_completed_at_id",
        "booking",
        &["customer_id", "completed_at", "id"],
    ),
    (
        "ix_rating_customer_id_submitted_at_id",
        "rating",
        &["customer_id", "submitted_at", "id"],
    ),
    (
        "ix_outbox_subject_id_kind_occurred_at_id",
        "outbox",
        &["subject_id", "kind", "occurred_at", "id"],
    ),
];

const OLD: [Along; 2] = [
    (
        "ix_rating_customer_id_submitted_at",
        "rating",
        &["customer_id", "submitted_at"],
    ),
    ("ix_outbox_subject_id", "outbox", &["subject_id"]),
];

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261127_000020_facts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        change(schema, &NEW, &OLD).await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        change(schema, &OLD, &NEW).await
    }
}

async fn change(
    schema: &SchemaManager<'_>,
    create: &[Along],
    remove: &[Along],
) -> Result<(), DbErr> {
    for (name, table, columns) in create {
        let mut index = Index::create();
        index.name(*name).table(*table);
        for column in *columns {
            index.col(*column);
        }
        schema.create_index(index).await?;
    }
    for (name, table, _) in remove {
        let mut index = Index::drop();
        index.name(*name).table(*table);
        schema.drop_index(index).await?;
    }
    Ok(())
}
