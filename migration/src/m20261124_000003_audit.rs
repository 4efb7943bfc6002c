//! Tables of `audit`.

use sea_orm_migration::{
    prelude::{DbErr, Index, MigrationName, MigrationTrait, SchemaManager, Table},
    schema::{big_integer, json_binary, string, timestamp_with_time_zone, uuid, uuid_null},
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261124_000003_audit"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        audit_entry(schema).await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["audit_entry"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

async fn audit_entry(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("audit_entry")
        .col(uuid("id").primary_key())
        .col(big_integer("seq").unique_key())
        .col(timestamp_with_time_zone("at"))
        .col(uuid_null("actor_id"))
        .col(string("actor_kind"))
        .col(string("action"))
        .col(string("object"))
        .col(uuid_null("subject_id"))
        .col(json_binary("detail"))
        .col(string("request_id"))
        .col(string("prev_hash"))
        .col(string("hash").unique_key());
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_audit_entry_subject_id")
                .table("audit_entry")
                .col("subject_id")
                .to_owned(),
        )
        .await?;
    schema
        .create_index(
            Index::create()
                .name("ix_audit_entry_actor_id")
                .table("audit_entry")
                .col("actor_id")
                .to_owned(),
        )
        .await?;
    Ok(())
}
