//! Tables of `workorder`.

use sea_orm_migration::{
    prelude::{DbErr, ForeignKey, Index, MigrationName, MigrationTrait, SchemaManager, Table},
    schema::{
        boolean, boolean_null, integer, integer_null, string, timestamp_with_time_zone,
        timestamp_with_time_zone_null, uuid,
    },
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261124_000009_workorder"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        work_order(schema).await?;
        checklist_item(schema).await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["checklist_item", "work_order"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

async fn work_order(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("work_order")
        .col(uuid("booking_id").primary_key())
        .col(uuid("worker_id"))
        .col(timestamp_with_time_zone_null("checked_in_at"))
        .col(integer_null("late_minutes"))
        .col(boolean_null("within_geofence"))
        .col(timestamp_with_time_zone_null("completed_at"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("work_order", "booking_id")
                .to("booking", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("work_order", "worker_id")
                .to("worker", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_work_order_worker_id")
                .table("work_order")
                .col("worker_id")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn checklist_item(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("checklist_item")
        .col(uuid("booking_id"))
        .col(string("key"))
        .col(integer("position"))
        .col(string("label"))
        .col(boolean("required"))
        .col(boolean("photo_required"))
        .col(timestamp_with_time_zone_null("done_at"))
        .primary_key(Index::create().col("booking_id").col("key"))
        .foreign_key(
            ForeignKey::create()
                .from("checklist_item", "booking_id")
                .to("booking", "id"),
        );
    schema.create_table(table).await?;
    Ok(())
}
