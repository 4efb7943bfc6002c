//! Tables of `consent`.

use sea_orm_migration::{
    prelude::{DbErr, ForeignKey, Index, MigrationName, MigrationTrait, SchemaManager, Table},
    schema::{
        big_integer, json_binary, string, string_len, timestamp_with_time_zone,
        timestamp_with_time_zone_null, uuid,
    },
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261124_000006_consent"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        notice(schema).await?;
        consent_record(schema).await?;
        consent_state(schema).await?;
        chain_head(schema).await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["chain_head", "consent_state", "consent_record", "notice"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

async fn notice(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("notice")
        .col(string("sha256").primary_key())
        .col(string("purpose"))
        .col(string("version"))
        .col(string("language"))
        .col(string("title"))
        .col(json_binary("body"))
        .col(timestamp_with_time_zone("created_at"));
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .unique()
                .name("uq_notice_purpose_version_language")
                .table("notice")
                .col("purpose")
                .col("version")
                .col("language")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn consent_record(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("consent_record")
        .col(uuid("id").primary_key())
        .col(big_integer("seq").unique_key())
        .col(uuid("subject_id"))
        .col(string("purpose"))
        .col(string_len("state", 24))
        .col(string("scope_key"))
        .col(string("channel"))
        .col(string("notice_sha256"))
        .col(timestamp_with_time_zone("decided_at"))
        .col(timestamp_with_time_zone_null("expires_at"))
        .col(json_binary("body"))
        .col(string("prev_hash"))
        .col(string("hash").unique_key())
        .col(string("key_id"))
        .foreign_key(
            ForeignKey::create()
                .from("consent_record", "subject_id")
                .to("account", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("consent_record", "notice_sha256")
                .to("notice", "sha256"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_consent_record_subject_id_purpose")
                .table("consent_record")
                .col("subject_id")
                .col("purpose")
                .to_owned(),
        )
        .await?;
    schema
        .create_index(
            Index::create()
                .name("ix_consent_record_subject_id_seq")
                .table("consent_record")
                .col("subject_id")
                .col("seq")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn consent_state(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("consent_state")
        .col(uuid("subject_id"))
        .col(string("purpose"))
        .col(string("scope_key"))
        .col(string_len("state", 24))
        .col(uuid("record_id"))
        .col(json_binary("acts"))
        .col(string("notice_sha256"))
        .col(timestamp_with_time_zone_null("expires_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .primary_key(
            Index::create()
                .col("subject_id")
                .col("purpose")
                .col("scope_key"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("consent_state", "subject_id")
                .to("account", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("consent_state", "record_id")
                .to("consent_record", "id"),
        );
    schema.create_table(table).await?;
    Ok(())
}

async fn chain_head(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("chain_head")
        .col(string("name").primary_key())
        .col(big_integer("seq"))
        .col(string("hash"));
    schema.create_table(table).await?;
    Ok(())
}
