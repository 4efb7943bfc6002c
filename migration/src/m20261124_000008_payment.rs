//! Tables of `payment`.

use sea_orm_migration::{
    prelude::{
        DbErr, Expr, ExprTrait, ForeignKey, Index, MigrationName, MigrationTrait, SchemaManager,
        Table,
    },
    schema::{
        big_integer, boolean, json_binary, string, string_len, string_null,
        timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
    },
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261124_000008_payment"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        payment(schema).await?;
        refund(schema).await?;
        payment_incident(schema).await?;
        ledger_entry(schema).await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["ledger_entry", "payment_incident", "refund", "payment"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

async fn payment(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("payment")
        .col(uuid("id").primary_key())
        .col(uuid("booking_id"))
        .col(uuid("customer_id"))
        .col(big_integer("amount_fen").check(Expr::col("amount_fen").gte(0)))
        .col(string_len("status", 24))
        .col(string("out_trade_no").unique_key())
        .col(string_null("transaction_id").unique_key())
        .col(string_null("prepay_id"))
        .col(string_null("request_key"))
        .col(timestamp_with_time_zone_null("expires_at"))
        .col(timestamp_with_time_zone_null("paid_at"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("payment", "booking_id")
                .to("booking", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("payment", "customer_id")
                .to("account", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_payment_booking_id")
                .table("payment")
                .col("booking_id")
                .to_owned(),
        )
        .await?;
    schema
        .create_index(
            Index::create()
                .unique()
                .name("uq_payment_customer_id_request_key")
                .table("payment")
                .col("customer_id")
                .col("request_key")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn refund(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("refund")
        .col(uuid("id").primary_key())
        .col(uuid("payment_id"))
        .col(uuid("booking_id"))
        .col(big_integer("amount_fen").check(Expr::col("amount_fen").gte(0)))
        .col(string("reason"))
        .col(string_len("status", 24))
        .col(string("out_refund_no").unique_key())
        .col(string_null("refund_id").unique_key())
        .col(uuid_null("requested_by"))
        .col(boolean("full"))
        .col(timestamp_with_time_zone_null("settled_at"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("refund", "payment_id")
                .to("payment", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("refund", "booking_id")
                .to("booking", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_refund_booking_id")
                .table("refund")
                .col("booking_id")
                .to_owned(),
        )
        .await?;
    schema
        .create_index(
            Index::create()
                .name("ix_refund_status")
                .table("refund")
                .col("status")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn payment_incident(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("payment_incident")
        .col(uuid("id").primary_key())
        .col(uuid_null("payment_id"))
        .col(string("kind"))
        .col(json_binary("detail"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("payment_incident", "payment_id")
                .to("payment", "id"),
        );
    schema.create_table(table).await?;
    Ok(())
}

async fn ledger_entry(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("ledger_entry")
        .col(uuid("id").primary_key())
        .col(uuid("posting_id"))
        .col(string("account"))
        .col(big_integer("amount_fen"))
        .col(string("cause"))
        .col(uuid_null("booking_id"))
        .col(timestamp_with_time_zone("created_at"));
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .unique()
                .name("uq_ledger_entry_cause_account")
                .table("ledger_entry")
                .col("cause")
                .col("account")
                .to_owned(),
        )
        .await?;
    schema
        .create_index(
            Index::create()
                .name("ix_ledger_entry_account")
                .table("ledger_entry")
                .col("account")
                .to_owned(),
        )
        .await?;
    Ok(())
}
