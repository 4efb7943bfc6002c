//! Tables of `booking`.

use sea_orm_migration::{
    prelude::{
        DbErr, Expr, ExprTrait, ForeignKey, Index, MigrationName, MigrationTrait, SchemaManager,
        Table,
    },
    schema::{
        big_integer, blob, json_binary, string, string_len, timestamp_with_time_zone,
        timestamp_with_time_zone_null, uuid, uuid_null,
    },
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261124_000007_booking"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        booking(schema).await?;
        booking_event(schema).await?;
        reservation(schema).await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["reservation", "booking_event", "booking"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

async fn booking(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("booking")
        .col(uuid("id").primary_key())
        .col(uuid("customer_id"))
        .col(uuid("service_id"))
        .col(uuid_null("worker_id"))
        .col(string_len("status", 24))
        .col(timestamp_with_time_zone("start_at"))
        .col(timestamp_with_time_zone("end_at"))
        .col(string("area"))
        .col(blob("address"))
        .col(blob("contact_phone"))
        .col(json_binary("answers"))
        .col(json_binary("quote"))
        .col(big_integer("total_fen").check(Expr::col("total_fen").gte(0)))
        .col(big_integer("prepaid_fen").check(Expr::col("prepaid_fen").gte(0)))
        .col(big_integer("refunded_fen").check(Expr::col("refunded_fen").gte(0)))
        .col(timestamp_with_time_zone_null("hold_expires_at"))
        .col(uuid_null("rework_of"))
        .col(timestamp_with_time_zone_null("confirmed_at"))
        .col(timestamp_with_time_zone_null("completed_at"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .foreign_key(
            ForeignKey::create()
                .from("booking", "customer_id")
                .to("account", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("booking", "service_id")
                .to("service", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("booking", "worker_id")
                .to("worker", "id"),
        );
    schema.create_table(table).await?;
    let indexes: [(&str, &[&str]); 4] = [
        ("ix_booking_customer_id_id", &["customer_id", "id"]),
        ("ix_booking_worker_id_start_at", &["worker_id", "start_at"]),
        (
            "ix_booking_status_hold_expires_at",
            &["status", "hold_expires_at"],
        ),
        ("ix_booking_completed_at", &["completed_at"]),
    ];
    for (name, columns) in indexes {
        let mut index = Index::create();
        index.name(name).table("booking");
        for column in columns {
            index.col(*column);
        }
        schema.create_index(index).await?;
    }
    Ok(())
}

async fn booking_event(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("booking_event")
        .col(uuid("id").primary_key())
        .col(uuid("booking_id"))
        .col(timestamp_with_time_zone("at"))
        .col(string("what"))
        .foreign_key(
            ForeignKey::create()
                .from("booking_event", "booking_id")
                .to("booking", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_booking_event_booking_id_id")
                .table("booking_event")
                .col("booking_id")
                .col("id")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn reservation(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("reservation")
        .col(uuid("worker_id"))
        .col(timestamp_with_time_zone("cell_at"))
        .col(uuid("booking_id"))
        .primary_key(Index::create().col("worker_id").col("cell_at"))
        .foreign_key(
            ForeignKey::create()
                .from("reservation", "worker_id")
                .to("worker", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("reservation", "booking_id")
                .to("booking", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_reservation_booking_id")
                .table("reservation")
                .col("booking_id")
                .to_owned(),
        )
        .await?;
    Ok(())
}
