//! Tables of `photo`.

use sea_orm_migration::{
    prelude::{DbErr, ForeignKey, Index, MigrationName, MigrationTrait, SchemaManager, Table},
    schema::{integer, string, string_len, string_null, timestamp_with_time_zone, uuid},
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261124_000010_photo"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        photo(schema).await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["photo"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

async fn photo(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("photo")
        .col(uuid("id").primary_key())
        .col(uuid("booking_id"))
        .col(uuid("worker_id"))
        .col(string_len("kind", 24))
        .col(string_null("checklist_key"))
        .col(string_len("status", 24))
        .col(integer("width"))
        .col(integer("height"))
        .col(string("sha256"))
        .col(string("blob_key"))
        .col(string("thumbnail_key"))
        .col(uuid("consent_record_id"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("photo", "booking_id")
                .to("booking", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("photo", "worker_id")
                .to("worker", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_photo_booking_id")
                .table("photo")
                .col("booking_id")
                .to_owned(),
        )
        .await?;
    Ok(())
}
