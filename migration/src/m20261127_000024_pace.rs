//! Indexes for the way of an event from its commit to its effects: as few entries as possible for what every event writes.

use sea_orm_migration::prelude::{
    ConnectionTrait, DbErr, MigrationName, MigrationTrait, SchemaManager,
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261127_000024_pace"
    }
}

/// What is dropped, and what takes its place.
const BEFORE: [&str; 3] = [
    "CREATE INDEX ix_outbox_done_at_dead_at_published_at ON outbox (done_at, dead_at, published_at)",
    "CREATE INDEX ix_evaluation_booking_id_id ON evaluation (booking_id, id)",
    "CREATE INDEX ix_evaluation_friend_id_id ON evaluation (friend_id, id)",
];

const AFTER: [&str; 5] = [
    // Only what is on its way: the relay looks at this every few milliseconds, however much was done before.
    "CREATE INDEX ix_outbox_open_published_at_id ON outbox (published_at, id) WHERE done_at IS NULL AND dead_at IS NULL",
    "CREATE INDEX ix_outbox_dead_at ON outbox (dead_at) WHERE dead_at IS NOT NULL",
    // Most judgements are about no friend, and some about no visit.
    "CREATE INDEX ix_evaluation_booking_id_id ON evaluation (booking_id, id) WHERE booking_id IS NOT NULL",
    "CREATE INDEX ix_evaluation_friend_id_id ON evaluation (friend_id, id) WHERE friend_id IS NOT NULL",
    // A promise counts the invitations of its rule that nobody has used.
    "CREATE INDEX ix_invitation_rule_id_status_expires_at ON invitation (rule_id, status, expires_at)",
];

/// The name in a statement that creates an index.
fn name(create: &str) -> &str {
    create.split(' ').nth(2).unwrap_or_default()
}

async fn exchange(schema: &SchemaManager<'_>, old: &[&str], new: &[&str]) -> Result<(), DbErr> {
    let db = schema.get_connection();
    for one in old {
        db.execute_unprepared(&format!("DROP INDEX {}", name(one)))
            .await?;
    }
    for one in new {
        db.execute_unprepared(one).await?;
    }
    Ok(())
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        exchange(schema, &BEFORE, &AFTER).await
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        exchange(schema, &AFTER, &BEFORE).await
    }
}
