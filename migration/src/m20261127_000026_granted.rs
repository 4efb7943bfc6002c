//! What was given since a moment is found by its cause and the moment it was granted.

use sea_orm_migration::prelude::{DbErr, Index, MigrationName, MigrationTrait, SchemaManager};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261127_000026_granted"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::create()
            .name("ix_reward_cause_granted_at")
            .table("reward")
            .col("cause")
            .col("granted_at")
            .to_owned();
        schema.create_index(index).await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::drop()
            .name("ix_reward_cause_granted_at")
            .table("reward")
            .to_owned();
        schema.drop_index(index).await
    }
}
