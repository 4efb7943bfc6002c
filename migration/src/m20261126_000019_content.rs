//! `content_check`, and whether a rating's comment may be shown.

use sea_orm_migration::{
    prelude::{
        DbErr, Expr, ExprTrait, ForeignKey, Index, MigrationName, MigrationTrait, Query,
        SchemaManager, Table,
    },
    schema::{
        integer, integer_null, string_len, string_len_null, string_null, text_null,
        timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
    },
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261126_000019_content"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        content_check(schema).await?;
        comments(schema).await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::alter();
        table.table("rating").drop_column("comment_status");
        schema.alter_table(table).await?;
        let table = Table::drop().table("content_check").to_owned();
        schema.drop_table(table).await
    }
}

async fn content_check(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("content_check")
        .col(uuid("id").primary_key())
        .col(string_len("kind", 24))
        .col(uuid("subject_id"))
        .col(string_len("state", 24))
        .col(integer("attempt"))
        .col(string_null("trace_id").unique_key())
        .col(string_null("earlier_trace_id").unique_key())
        .col(timestamp_with_time_zone_null("asked_at"))
        .col(timestamp_with_time_zone_null("fetched_at"))
        .col(string_len_null("verdict", 24))
        .col(integer_null("label"))
        .col(string_len_null("cause", 24))
        .col(string_len_null("ruling", 24))
        .col(uuid_null("ruled_by"))
        .col(timestamp_with_time_zone_null("ruled_at"))
        .col(text_null("reason"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("content_check", "ruled_by")
                .to("account", "id"),
        );
    schema.create_table(table).await?;
    let subject = Index::create()
        .unique()
        .name("uq_content_check_subject")
        .table("content_check")
        .col("kind")
        .col("subject_id")
        .to_owned();
    schema.create_index(subject).await?;
    let state = Index::create()
        .name("ix_content_check_state")
        .table("content_check")
        .col("state")
        .col("id")
        .to_owned();
    schema.create_index(state).await
}

/// A comment from before the checks was never looked at: it stays pending, so it is never published.
async fn comments(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::alter();
    table
        .table("rating")
        .add_column(string_len("comment_status", 24).default("none"));
    schema.alter_table(table).await?;
    let mut unseen = Query::update();
    unseen
        .table("rating")
        .value("comment_status", "pending")
        .and_where(Expr::col("comment").is_not_null());
    schema.execute(unseen).await
}
