//! Bills compared, transfers, reports of fulfilment; and what a bill needs to know of payments and refunds.

use sea_orm_migration::{
    prelude::{
        DbErr, Expr, ExprTrait, ForeignKey, Index, MigrationName, MigrationTrait, SchemaManager,
        Table,
    },
    schema::{
        big_integer, big_integer_null, boolean, date, date_null, integer, string, string_len,
        string_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
    },
};

const REFUND_INDEX: &str = "ix_refund_transaction_id";

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261126_000018_settlement"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        columns(schema).await?;
        reconciliation(schema).await?;
        difference(schema).await?;
        transfer(schema).await?;
        shipping(schema).await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "trade_management",
            "shipping_report",
            "transfer",
            "reconciliation_difference",
            "reconciliation",
        ] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        let mut index = Index::drop();
        index.name(REFUND_INDEX).table("refund");
        schema.drop_index(index).await?;
        for (table, column) in [
            ("refund", "billed_on"),
            ("refund", "success_at"),
            ("refund", "transaction_id"),
            ("payment", "billed_on"),
            ("payment", "success_at"),
        ] {
            let mut change = Table::alter();
            change.table(table).drop_column(column);
            schema.alter_table(change).await?;
        }
        Ok(())
    }
}

/// One column at a time, as SQLite wants it.
async fn columns(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    for (table, column) in [
        ("payment", timestamp_with_time_zone_null("success_at")),
        ("payment", date_null("billed_on")),
        ("refund", string_null("transaction_id")),
        ("refund", timestamp_with_time_zone_null("success_at")),
        ("refund", date_null("billed_on")),
    ] {
        let mut change = Table::alter();
        change.table(table).add_column(column);
        schema.alter_table(change).await?;
    }
    let mut index = Index::create();
    // Not unique: what WeChat Pay could not give back is given back under another number.
    index
        .name(REFUND_INDEX)
        .table("refund")
        .col("transaction_id");
    schema.create_index(index).await
}

async fn reconciliation(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("reconciliation")
        .col(uuid("id").primary_key())
        .col(date("day").unique_key())
        .col(string_len("status", 24))
        .col(integer("attempts"))
        .col(integer("payments"))
        .col(integer("refunds"))
        .col(big_integer("paid_fen"))
        .col(big_integer("refunded_fen"))
        .col(string_null("fault"))
        .col(uuid_null("requested_by"))
        .col(timestamp_with_time_zone_null("finished_at"))
        .col(timestamp_with_time_zone("created_at"));
    schema.create_table(table).await
}

async fn difference(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("reconciliation_difference")
        .col(uuid("id").primary_key())
        .col(uuid("reconciliation_id"))
        .col(string_len("kind", 24))
        .col(string_len("status", 24))
        .col(string_len("trade", 24))
        .col(string("number"))
        .col(uuid_null("payment_id"))
        .col(uuid_null("refund_id"))
        .col(big_integer_null("here_fen"))
        .col(big_integer_null("there_fen"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("closed_at"))
        .foreign_key(
            ForeignKey::create()
                .from("reconciliation_difference", "reconciliation_id")
                .to("reconciliation", "id"),
        );
    schema.create_table(table).await?;
    let mut index = Index::create();
    index
        .unique()
        .name("uq_reconciliation_difference_what")
        .table("reconciliation_difference")
        .col("reconciliation_id")
        .col("kind")
        .col("number");
    schema.create_index(index).await
}

async fn transfer(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("transfer")
        .col(uuid("id").primary_key())
        .col(uuid("booking_id"))
        .col(uuid("customer_id"))
        .col(string_len("kind", 24))
        .col(big_integer("amount_fen").check(Expr::col("amount_fen").gte(10)))
        .col(string("remark"))
        .col(string_len("status", 24))
        .col(string("out_bill_no").unique_key())
        .col(string_null("transfer_bill_no"))
        .col(string_null("package_info"))
        .col(string_null("fail_reason"))
        .col(boolean("cancel_requested"))
        .col(uuid("requested_by"))
        .col(uuid_null("approved_by"))
        .col(timestamp_with_time_zone_null("approved_at"))
        .col(timestamp_with_time_zone_null("settled_at"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("transfer", "booking_id")
                .to("booking", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("transfer", "customer_id")
                .to("account", "id"),
        );
    schema.create_table(table).await?;
    for (name, column) in [
        ("ix_transfer_booking_id", "booking_id"),
        ("ix_transfer_customer_id", "customer_id"),
    ] {
        let mut index = Index::create();
        index.name(name).table("transfer").col(column);
        schema.create_index(index).await?;
    }
    Ok(())
}

async fn shipping(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("shipping_report")
        .col(uuid("id").primary_key())
        .col(uuid("payment_id").unique_key())
        .col(string_len("status", 24))
        .col(timestamp_with_time_zone_null("reported_at"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("shipping_report", "payment_id")
                .to("payment", "id"),
        );
    schema.create_table(table).await?;
    let mut table = Table::create();
    table
        .table("trade_management")
        .col(string("appid").primary_key())
        .col(boolean("managed"))
        .col(timestamp_with_time_zone("asked_at"));
    schema.create_table(table).await
}
