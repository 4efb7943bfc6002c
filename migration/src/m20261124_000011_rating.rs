//! Tables of `rating`.

use sea_orm_migration::{
    prelude::{DbErr, ForeignKey, Index, MigrationName, MigrationTrait, SchemaManager, Table},
    schema::{integer, text_null, timestamp_with_time_zone, uuid, uuid_null},
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261124_000011_rating"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        rating(schema).await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["rating"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

async fn rating(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("rating")
        .col(uuid("id").primary_key())
        .col(uuid("booking_id").unique_key())
        .col(uuid("customer_id"))
        .col(uuid_null("worker_id"))
        .col(integer("quality"))
        .col(integer("punctuality"))
        .col(integer("attitude"))
        .col(integer("communication"))
        .col(integer("value"))
        .col(integer("score"))
        .col(text_null("comment"))
        .col(timestamp_with_time_zone("submitted_at"))
        .foreign_key(
            ForeignKey::create()
                .from("rating", "booking_id")
                .to("booking", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("rating", "customer_id")
                .to("account", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("rating", "worker_id")
                .to("worker", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_rating_customer_id_submitted_at")
                .table("rating")
                .col("customer_id")
                .col("submitted_at")
                .to_owned(),
        )
        .await?;
    schema
        .create_index(
            Index::create()
                .name("ix_rating_worker_id")
                .table("rating")
                .col("worker_id")
                .to_owned(),
        )
        .await?;
    Ok(())
}
