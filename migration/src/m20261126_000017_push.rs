//! `push_message`: what WeChat pushed, once. `subscribe_answer`: what people last said about a template. `message` is
//! also looked for by its person, when WeChat tells what became of it.

use sea_orm_migration::{
    prelude::{DbErr, ForeignKey, Index, MigrationName, MigrationTrait, SchemaManager, Table},
    schema::{
        json_binary_null, string, string_uniq, timestamp_with_time_zone,
        timestamp_with_time_zone_null, uuid,
    },
};

const MESSAGE: &str = "ix_message_account_id";

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261126_000017_push"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        push_message(schema).await?;
        subscribe_answer(schema).await?;
        let mut index = Index::create();
        index.name(MESSAGE).table("message").col("account_id");
        schema.create_index(index).await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        let mut index = Index::drop();
        index.name(MESSAGE).table("message");
        schema.drop_index(index).await?;
        for table in ["subscribe_answer", "push_message"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

async fn push_message(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("push_message")
        .col(uuid("id").primary_key())
        .col(string_uniq("dedupe_key"))
        .col(string("event"))
        .col(string("attention"))
        .col(json_binary_null("detail"))
        .col(timestamp_with_time_zone_null("acknowledged_at"))
        .col(timestamp_with_time_zone("created_at"));
    schema.create_table(table).await?;
    for (name, columns) in [
        (
            "ix_push_message_attention_id",
            ["attention", "id"].as_slice(),
        ),
        ("ix_push_message_created_at", ["created_at"].as_slice()),
    ] {
        let mut index = Index::create();
        index.name(name).table("push_message");
        for column in columns {
            index.col(*column);
        }
        schema.create_index(index).await?;
    }
    Ok(())
}

async fn subscribe_answer(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("subscribe_answer")
        .col(uuid("account_id"))
        .col(string("template"))
        .col(string("source"))
        .col(string("result"))
        .col(timestamp_with_time_zone("answered_at"))
        .primary_key(
            Index::create()
                .col("account_id")
                .col("template")
                .col("source"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("subscribe_answer", "account_id")
                .to("account", "id"),
        );
    schema.create_table(table).await
}
