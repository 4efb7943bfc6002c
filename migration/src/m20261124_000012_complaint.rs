//! Tables of `complaint`.

use sea_orm_migration::{
    prelude::{DbErr, ForeignKey, Index, MigrationName, MigrationTrait, SchemaManager, Table},
    schema::{
        string_len, text, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
    },
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261124_000012_complaint"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        complaint(schema).await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["complaint"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

async fn complaint(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("complaint")
        .col(uuid("id").primary_key())
        .col(uuid("booking_id"))
        .col(uuid("customer_id"))
        .col(string_len("kind", 24))
        .col(text("text"))
        .col(string_len("status", 24))
        .col(timestamp_with_time_zone("first_response_due_at"))
        .col(timestamp_with_time_zone("resolution_due_at"))
        .col(timestamp_with_time_zone_null("responded_at"))
        .col(text_null("response"))
        .col(timestamp_with_time_zone_null("resolved_at"))
        .col(text_null("resolution"))
        .col(timestamp_with_time_zone_null("breached_at"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("complaint", "booking_id")
                .to("booking", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("complaint", "customer_id")
                .to("account", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_complaint_customer_id_status")
                .table("complaint")
                .col("customer_id")
                .col("status")
                .to_owned(),
        )
        .await?;
    schema
        .create_index(
            Index::create()
                .name("ix_complaint_booking_id")
                .table("complaint")
                .col("booking_id")
                .to_owned(),
        )
        .await?;
    schema
        .create_index(
            Index::create()
                .name("ix_complaint_status_id")
                .table("complaint")
                .col("status")
                .col("id")
                .to_owned(),
        )
        .await?;
    Ok(())
}
