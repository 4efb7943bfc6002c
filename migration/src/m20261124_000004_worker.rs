//! Tables of `worker`.

use sea_orm_migration::{
    prelude::{DbErr, ForeignKey, MigrationName, MigrationTrait, SchemaManager, Table},
    schema::{blob, boolean, json_binary, timestamp_with_time_zone, uuid, uuid_null},
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261124_000004_worker"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        worker(schema).await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["worker"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

async fn worker(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("worker")
        .col(uuid("id").primary_key())
        .col(uuid_null("account_id").unique_key())
        .col(blob("name"))
        .col(blob("phone"))
        .col(blob("phone_index").unique_key())
        .col(json_binary("skills"))
        .col(json_binary("areas"))
        .col(boolean("active"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("worker", "account_id")
                .to("account", "id"),
        );
    schema.create_table(table).await?;
    Ok(())
}
