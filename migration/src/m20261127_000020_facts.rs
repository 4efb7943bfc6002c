//! Indexes along which facts are read: a person's completed visits, his ratings and his events by kind, newest first. They
//! take the place of shorter ones. `event_source`, `received_event`: third parties and what they sent, once.

use sea_orm_migration::{
    prelude::{DbErr, ForeignKey, Index, MigrationName, MigrationTrait, SchemaManager, Table},
    schema::{
        json_binary, string, string_null, string_uniq, text, timestamp_with_time_zone,
        timestamp_with_time_zone_null, uuid, uuid_null,
    },
};

/// Name, table, columns.
type Along = (&'static str, &'static str, &'static [&'static str]);

/// With the id at the end, so that entries of one moment have an order and nothing is sorted.
const NEW: [Along; 3] = [
    (
        "ix_booking_customer_id_completed_at_id",
        "booking",
        &["customer_id", "completed_at", "id"],
    ),
    (
        "ix_rating_customer_id_submitted_at_id",
        "rating",
        &["customer_id", "submitted_at", "id"],
    ),
    (
        "ix_outbox_subject_id_kind_occurred_at_id",
        "outbox",
        &["subject_id", "kind", "occurred_at", "id"],
    ),
];

const OLD: [Along; 2] = [
    (
        "ix_rating_customer_id_submitted_at",
        "rating",
        &["customer_id", "submitted_at"],
    ),
    ("ix_outbox_subject_id", "outbox", &["subject_id"]),
];

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261127_000020_facts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        change(schema, &NEW, &OLD).await?;
        event_source(schema).await?;
        received_event(schema).await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["received_event", "event_source"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        change(schema, &OLD, &NEW).await
    }
}

async fn change(
    schema: &SchemaManager<'_>,
    create: &[Along],
    remove: &[Along],
) -> Result<(), DbErr> {
    for (name, table, columns) in create {
        let mut index = Index::create();
        index.name(*name).table(*table);
        for column in *columns {
            index.col(*column);
        }
        schema.create_index(index).await?;
    }
    for (name, table, _) in remove {
        let mut index = Index::drop();
        index.name(*name).table(*table);
        schema.drop_index(index).await?;
    }
    Ok(())
}

async fn event_source(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("event_source")
        .col(uuid("id").primary_key())
        .col(string("name"))
        .col(string_uniq("slug"))
        .col(string_uniq("key_hash"))
        .col(json_binary("kinds"))
        .col(text("provenance"))
        .col(string("contract_id"))
        .col(text("authorisation"))
        .col(uuid("created_by"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("rotated_at"))
        .col(timestamp_with_time_zone_null("revoked_at"))
        .foreign_key(
            ForeignKey::create()
                .from("event_source", "created_by")
                .to("account", "id"),
        );
    schema.create_table(table).await
}

async fn received_event(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("received_event")
        .col(uuid("id").primary_key())
        .col(uuid("source_id"))
        .col(string("key"))
        .col(string("payload_hash"))
        .col(string_null("kind"))
        .col(uuid_null("customer_id"))
        .col(uuid_null("consent_record_id"))
        .col(string_null("authorisation"))
        .col(timestamp_with_time_zone_null("occurred_at"))
        .col(timestamp_with_time_zone("received_at"))
        .foreign_key(
            ForeignKey::create()
                .from("received_event", "source_id")
                .to("event_source", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("received_event", "customer_id")
                .to("account", "id"),
        );
    schema.create_table(table).await?;
    let mut once = Index::create();
    once.name("uq_received_event_source_id_key")
        .table("received_event")
        .unique()
        .col("source_id")
        .col("key");
    schema.create_index(once).await?;
    for (name, column) in [
        ("ix_received_event_received_at", "received_at"),
        ("ix_received_event_customer_id", "customer_id"),
    ] {
        let mut index = Index::create();
        index.name(name).table("received_event").col(column);
        schema.create_index(index).await?;
    }
    Ok(())
}
