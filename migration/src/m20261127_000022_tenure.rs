//! When which rule set was live (ADR 0021), and sets that wait for their moment.

use sea_orm_migration::{
    prelude::{
        ConnectionTrait, DbErr, Expr, ExprTrait, ForeignKey, Index, MigrationName, MigrationTrait,
        SchemaManager, Table,
    },
    schema::{
        integer, string_len, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
        uuid_null,
    },
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261127_000022_tenure"
    }
}

/// What can be known of the past: each set remembers its last time alone, so a set that was live twice is told as if the
/// one before it had gone on until the second time. A span ends where the next begins. The sets' ids serve as the
/// spans': every set has one.
const FILL: &str = "INSERT INTO ruleset_tenure (id, ruleset_id, version, from_at, until_at, made_by, how, previous_id) \
    SELECT id, id, version, published_at, LEAD(published_at) OVER spans, NULL, \
    CASE WHEN created_by IS NULL THEN 'installed' ELSE 'published' END, LAG(id) OVER spans \
    FROM ruleset r WHERE r.published_at IS NOT NULL AND (r.status = 'live' OR (r.status = 'retired' \
    AND r.published_at < (SELECT MAX(l.published_at) FROM ruleset l WHERE l.status = 'live') \
    AND NOT EXISTS (SELECT 1 FROM ruleset o WHERE o.status = 'retired' AND o.published_at = r.published_at \
    AND o.version > r.version))) WINDOW spans AS (ORDER BY published_at)";

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for mut column in [
            timestamp_with_time_zone_null("publish_at"),
            uuid_null("scheduled_by"),
        ] {
            let mut table = Table::alter();
            table.table("ruleset").add_column(&mut column);
            schema.alter_table(table).await?;
        }
        tenure(schema).await?;
        let connection = schema.get_connection();
        connection.execute_unprepared(FILL).await?;
        // Two open spans would be two live sets.
        connection
            .execute_unprepared(
                "CREATE UNIQUE INDEX uq_ruleset_tenure_open ON ruleset_tenure ((until_at IS NULL)) \
                 WHERE until_at IS NULL",
            )
            .await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .drop_table(Table::drop().table("ruleset_tenure").to_owned())
            .await?;
        for column in ["publish_at", "scheduled_by"] {
            let mut table = Table::alter();
            table.table("ruleset").drop_column(column);
            schema.alter_table(table).await?;
        }
        Ok(())
    }
}

async fn tenure(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("ruleset_tenure")
        .col(uuid("id").primary_key())
        .col(uuid("ruleset_id"))
        .col(integer("version"))
        .col(timestamp_with_time_zone("from_at").unique_key())
        .col(timestamp_with_time_zone_null("until_at"))
        .col(uuid_null("made_by"))
        .col(string_len("how", 24))
        .col(uuid_null("previous_id").unique_key())
        .check(Expr::col("until_at").gt(Expr::col("from_at")))
        .foreign_key(
            ForeignKey::create()
                .from("ruleset_tenure", "ruleset_id")
                .to("ruleset", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_ruleset_tenure_ruleset_id")
                .table("ruleset_tenure")
                .col("ruleset_id")
                .to_owned(),
        )
        .await
}
