//! Tables of `catalog`.

use sea_orm_migration::{
    prelude::{DbErr, Expr, ExprTrait, MigrationName, MigrationTrait, SchemaManager, Table},
    schema::{big_integer, boolean, integer, json_binary, string, timestamp_with_time_zone, uuid},
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261124_000005_catalog"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        service(schema).await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in ["service"] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

async fn service(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("service")
        .col(uuid("id").primary_key())
        .col(string("slug").unique_key())
        .col(string("name"))
        .col(integer("base_minutes"))
        .col(big_integer("base_price_fen").check(Expr::col("base_price_fen").gte(0)))
        .col(json_binary("price_rules"))
        .col(string("skill"))
        .col(json_binary("questionnaire"))
        .col(json_binary("checklist"))
        .col(json_binary("areas"))
        .col(boolean("active"))
        .col(timestamp_with_time_zone("created_at"));
    schema.create_table(table).await?;
    Ok(())
}
