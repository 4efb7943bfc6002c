//! Tables of `outbox`.

use sea_orm_migration::{
    prelude::{DbErr, ForeignKey, Index, MigrationName, MigrationTrait, SchemaManager, Table},
    schema::{
        integer, integer_null, json_binary, json_binary_null, string, text_null,
        timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
    },
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261124_000002_outbox"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        outbox(schema).await?;
        inbox(schema).await?;
        timer(schema).await?;
        idempotency(schema).await?;
        deployment(schema).await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["deployment", "idempotency", "timer", "inbox", "outbox"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

async fn outbox(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("outbox")
        .col(uuid("id").primary_key())
        .col(string("kind"))
        .col(uuid_null("subject_id"))
        .col(json_binary("payload"))
        .col(timestamp_with_time_zone("occurred_at"))
        .col(timestamp_with_time_zone_null("published_at"))
        .col(timestamp_with_time_zone_null("done_at"))
        .col(integer("attempts"))
        .col(timestamp_with_time_zone_null("retry_at"))
        .col(timestamp_with_time_zone_null("dead_at"))
        .col(text_null("last_error"));
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_outbox_done_at_dead_at_published_at")
                .table("outbox")
                .col("done_at")
                .col("dead_at")
                .col("published_at")
                .to_owned(),
        )
        .await?;
    schema
        .create_index(
            Index::create()
                .name("ix_outbox_kind_occurred_at")
                .table("outbox")
                .col("kind")
                .col("occurred_at")
                .to_owned(),
        )
        .await?;
    schema
        .create_index(
            Index::create()
                .name("ix_outbox_subject_id")
                .table("outbox")
                .col("subject_id")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn inbox(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("inbox")
        .col(string("consumer"))
        .col(uuid("event_id"))
        .col(timestamp_with_time_zone("handled_at"))
        .primary_key(Index::create().col("consumer").col("event_id"))
        .foreign_key(
            ForeignKey::create()
                .from("inbox", "event_id")
                .to("outbox", "id"),
        );
    schema.create_table(table).await?;
    Ok(())
}

async fn timer(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("timer")
        .col(uuid("id").primary_key())
        .col(string("kind"))
        .col(uuid("subject_id"))
        .col(timestamp_with_time_zone("due_at"))
        .col(timestamp_with_time_zone_null("fired_at"))
        .col(timestamp_with_time_zone_null("cancelled_at"))
        .col(timestamp_with_time_zone("created_at"));
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .unique()
                .name("uq_timer_kind_subject_id")
                .table("timer")
                .col("kind")
                .col("subject_id")
                .to_owned(),
        )
        .await?;
    schema
        .create_index(
            Index::create()
                .name("ix_timer_fired_at_cancelled_at_due_at")
                .table("timer")
                .col("fired_at")
                .col("cancelled_at")
                .col("due_at")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn idempotency(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("idempotency")
        .col(uuid("account_id"))
        .col(string("key"))
        .col(string("route"))
        .col(string("request_hash"))
        .col(integer_null("status"))
        .col(json_binary_null("response"))
        .col(timestamp_with_time_zone_null("locked_until"))
        .col(timestamp_with_time_zone("created_at"))
        .primary_key(Index::create().col("account_id").col("key"));
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_idempotency_created_at")
                .table("idempotency")
                .col("created_at")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn deployment(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("deployment")
        .col(string("key").primary_key())
        .col(string("value"))
        .col(timestamp_with_time_zone("updated_at"));
    schema.create_table(table).await?;
    Ok(())
}
