//! `evaluation` and `fact_shape`: facts are kept once per event and person instead of once per decision.

use sea_orm_migration::{
    prelude::{
        ConnectionTrait, DbErr, ForeignKey, Index, MigrationName, MigrationTrait, SchemaManager,
        Table,
    },
    schema::{
        big_integer, boolean, integer, json_binary, json_binary_null, string, string_len,
        text_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
    },
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261127_000023_evaluation"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table
            .table("fact_shape")
            .col(big_integer("id").primary_key())
            .col(json_binary("names"))
            .col(timestamp_with_time_zone("created_at"));
        schema.create_table(table).await?;
        evaluation(schema).await?;
        backtest(schema).await?;
        // What was decided so far keeps its place in the lists: an event of which no facts are known any more.
        schema.get_connection().execute_unprepared(EARLIER).await?;
        // The decisions made so far keep what each condition found; only the whole snapshot of facts goes.
        let mut table = Table::alter();
        table.table("decision").drop_column("facts");
        schema.alter_table(table).await?;
        let at = Index::create()
            .name("ix_decision_created_at")
            .table("decision")
            .col("created_at")
            .to_owned();
        schema.create_index(at).await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        let at = Index::drop()
            .name("ix_decision_created_at")
            .table("decision")
            .to_owned();
        schema.drop_index(at).await?;
        let mut table = Table::alter();
        table
            .table("decision")
            .add_column(json_binary("facts").default("{}"));
        schema.alter_table(table).await?;
        for name in ["backtest", "evaluation", "fact_shape"] {
            let table = Table::drop().table(name).to_owned();
            schema.drop_table(table).await?;
        }
        Ok(())
    }
}

const EARLIER: &str = "\
    INSERT INTO evaluation (id, event_id, event_kind, customer_id, booking_id, ruleset_version, profiling, link, shape_id, \
      facts, occurred_at, created_at) \
    SELECT d.id, d.event_id, d.event_kind, d.customer_id, d.booking_id, d.ruleset_version, FALSE, FALSE, 0, NULL, \
      d.created_at, d.created_at \
    FROM decision d WHERE NOT EXISTS (SELECT 1 FROM decision e WHERE e.event_id = d.event_id \
      AND e.customer_id = d.customer_id AND e.id < d.id)";

async fn evaluation(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("evaluation")
        .col(uuid("id").primary_key())
        .col(uuid("event_id"))
        .col(string("event_kind"))
        .col(uuid("customer_id"))
        .col(uuid_null("booking_id"))
        .col(uuid_null("friend_id"))
        .col(integer("ruleset_version"))
        .col(boolean("profiling"))
        .col(boolean("link"))
        .col(big_integer("shape_id"))
        .col(text_null("facts"))
        .col(timestamp_with_time_zone("occurred_at"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("evaluation", "customer_id")
                .to("account", "id"),
        );
    schema.create_table(table).await?;
    let unique = Index::create()
        .unique()
        .name("uq_evaluation_event_id_customer_id")
        .table("evaluation")
        .col("event_id")
        .col("customer_id")
        .to_owned();
    schema.create_index(unique).await?;
    for (name, columns) in [
        ("ix_evaluation_customer_id_id", ["customer_id", "id"]),
        ("ix_evaluation_booking_id_id", ["booking_id", "id"]),
        ("ix_evaluation_event_kind_id", ["event_kind", "id"]),
        ("ix_evaluation_friend_id_id", ["friend_id", "id"]),
        ("ix_evaluation_occurred_at_id", ["occurred_at", "id"]),
    ] {
        let mut index = Index::create();
        index.name(name).table("evaluation");
        for column in columns {
            index.col(column);
        }
        schema.create_index(index).await?;
    }
    // What is forgotten already must not be gone over each time more is forgotten.
    schema
        .get_connection()
        .execute_unprepared(
            "CREATE INDEX ix_evaluation_known_occurred_at ON evaluation (occurred_at) WHERE facts IS NOT NULL",
        )
        .await?;
    Ok(())
}

async fn backtest(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("backtest")
        .col(uuid("id").primary_key())
        .col(uuid("ruleset_id"))
        .col(string("against"))
        .col(timestamp_with_time_zone("from_at"))
        .col(timestamp_with_time_zone("to_at"))
        .col(string_len("state", 24))
        .col(big_integer("total"))
        .col(big_integer("replayed"))
        .col(json_binary_null("result"))
        .col(uuid("started_by"))
        .col(timestamp_with_time_zone_null("cancel_asked_at"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .foreign_key(
            ForeignKey::create()
                .from("backtest", "ruleset_id")
                .to("ruleset", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("backtest", "started_by")
                .to("account", "id"),
        );
    schema.create_table(table).await
}
