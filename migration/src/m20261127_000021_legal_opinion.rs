//! `legal_opinion` and `ruleset_approval`.

use sea_orm_migration::{
    prelude::{DbErr, ForeignKey, Index, MigrationName, MigrationTrait, SchemaManager, Table},
    schema::{
        json_binary, string, text, text_null, timestamp_with_time_zone,
        timestamp_with_time_zone_null, uuid, uuid_null,
    },
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261127_000021_legal_opinion"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        legal_opinion(schema).await?;
        ruleset_approval(schema).await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["ruleset_approval", "legal_opinion"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

async fn legal_opinion(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("legal_opinion")
        .col(uuid("id").primary_key())
        .col(string("lint_id"))
        .col(string("policy_version"))
        .col(text("opinion"))
        .col(string("document_ref"))
        .col(uuid("officer_id"))
        .col(timestamp_with_time_zone("decided_at"))
        .col(timestamp_with_time_zone("valid_until"))
        .col(timestamp_with_time_zone_null("revoked_at"))
        .col(uuid_null("revoked_by"))
        .foreign_key(
            ForeignKey::create()
                .from("legal_opinion", "officer_id")
                .to("account", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("legal_opinion", "revoked_by")
                .to("account", "id"),
        );
    schema.create_table(table).await?;
    let version = Index::create()
        .name("ix_legal_opinion_policy_version")
        .table("legal_opinion")
        .col("policy_version")
        .col("valid_until")
        .to_owned();
    schema.create_index(version).await
}

async fn ruleset_approval(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("ruleset_approval")
        .col(uuid("id").primary_key())
        .col(uuid("ruleset_id"))
        .col(uuid("approver_id"))
        .col(text_null("reason"))
        .col(string("document_sha256"))
        .col(json_binary("findings"))
        .col(string("policy_version"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("ruleset_approval", "ruleset_id")
                .to("ruleset", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("ruleset_approval", "approver_id")
                .to("account", "id"),
        );
    schema.create_table(table).await?;
    let set = Index::create()
        .name("ix_ruleset_approval_ruleset_id")
        .table("ruleset_approval")
        .col("ruleset_id")
        .col("id")
        .to_owned();
    schema.create_index(set).await
}
