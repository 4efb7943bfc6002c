//! One live rule set in the schema itself, who wrote a draft last, and what rewards and tasks need to be undone.

use sea_orm_migration::{
    prelude::{ConnectionTrait, DbErr, Index, MigrationName, MigrationTrait, SchemaManager, Table},
    schema::{integer_null, string_null, uuid_null},
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261126_000015_ruleset"
    }
}

/// Columns added: table, column.
const COLUMNS: [(&str, &str); 7] = [
    ("ruleset", "updated_by"),
    ("ruleset", "previous_id"),
    ("invitation", "send_from"),
    ("invitation", "send_to"),
    ("customer_tag", "referral_id"),
    ("staff_task", "role"),
    ("staff_task", "referral_id"),
];

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in COLUMNS {
            let mut definition = match column {
                "send_from" | "send_to" => integer_null(column),
                "role" => string_null(column),
                _ => uuid_null(column),
            };
            schema
                .alter_table(
                    Table::alter()
                        .table(table)
                        .add_column(&mut definition)
                        .to_owned(),
                )
                .await?;
        }
        let connection = schema.get_connection();
        // Where the old race has left several, the newest stays.
        connection
            .execute_unprepared(
                "UPDATE ruleset SET status = 'retired', retired_at = updated_at WHERE status = 'live' \
                 AND version < (SELECT MAX(version) FROM ruleset WHERE status = 'live')",
            )
            .await?;
        // Two publishes at once on PostgreSQL could each retire the set they saw and leave two live ones.
        connection
            .execute_unprepared(
                "CREATE UNIQUE INDEX uq_ruleset_live ON ruleset (status) WHERE status = 'live'",
            )
            .await?;
        for (name, table, column) in [
            ("ix_reward_cause_created_at", "reward", "cause"),
            ("ix_reward_rule_id_created_at", "reward", "rule_id"),
        ] {
            schema
                .create_index(
                    Index::create()
                        .name(name)
                        .table(table)
                        .col(column)
                        .col("created_at")
                        .to_owned(),
                )
                .await?;
        }
        schema
            .create_index(
                Index::create()
                    .name("ix_referral_invitation_id")
                    .table("referral")
                    .col("invitation_id")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for (name, table) in [
            ("ix_referral_invitation_id", "referral"),
            ("ix_reward_rule_id_created_at", "reward"),
            ("ix_reward_cause_created_at", "reward"),
            ("uq_ruleset_live", "ruleset"),
        ] {
            schema
                .drop_index(Index::drop().name(name).table(table).to_owned())
                .await?;
        }
        for (table, column) in COLUMNS {
            schema
                .alter_table(Table::alter().table(table).drop_column(column).to_owned())
                .await?;
        }
        Ok(())
    }
}
