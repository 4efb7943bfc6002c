//! `audit_entry.call_id`: the entry that tells how a call ended points to the call's own entry.

use sea_orm_migration::{
    prelude::{DbErr, Index, MigrationName, MigrationTrait, SchemaManager, Table},
    schema::uuid_null,
};

const INDEX: &str = "uq_audit_entry_call_id";

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261126_000016_audit"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::alter();
        table.table("audit_entry").add_column(uuid_null("call_id"));
        schema.alter_table(table).await?;
        let mut index = Index::create();
        index
            .unique()
            .name(INDEX)
            .table("audit_entry")
            .col("call_id");
        schema.create_index(index).await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        let mut index = Index::drop();
        index.name(INDEX).table("audit_entry");
        schema.drop_index(index).await?;
        let mut table = Table::alter();
        table.table("audit_entry").drop_column("call_id");
        schema.alter_table(table).await
    }
}
