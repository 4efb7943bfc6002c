//! Vouchers: what rewards are worth at the till.

use sea_orm_migration::{
    prelude::{
        DbErr, Expr, ExprTrait, ForeignKey, Index, MigrationName, MigrationTrait, SchemaManager,
        Table,
    },
    schema::{
        big_integer, string, string_len, timestamp_with_time_zone, timestamp_with_time_zone_null,
        uuid, uuid_null,
    },
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261126_000014_wallet"
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
            .table("voucher")
            .col(uuid("id").primary_key())
            .col(uuid("account_id"))
            .col(uuid("source_id").unique_key())
            .col(string("label"))
            .col(big_integer("value_fen").check(Expr::col("value_fen").gt(0)))
            .col(string_len("status", 24))
            .col(uuid_null("booking_id"))
            .col(timestamp_with_time_zone_null("expires_at"))
            .col(timestamp_with_time_zone("created_at"))
            .foreign_key(
                ForeignKey::create()
                    .from("voucher", "account_id")
                    .to("account", "id"),
            );
        schema.create_table(table).await?;
        for (name, column) in [
            ("ix_voucher_account_id", "account_id"),
            ("ix_voucher_booking_id", "booking_id"),
        ] {
            let index = Index::create()
                .name(name)
                .table("voucher")
                .col(column)
                .to_owned();
            schema.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        schema
            .drop_table(Table::drop().table("voucher").to_owned())
            .await
    }
}
