//! Tables of `referral`.

use sea_orm_migration::{
    prelude::{
        DbErr, Expr, ExprTrait, ForeignKey, Index, MigrationName, MigrationTrait, SchemaManager,
        Table,
    },
    schema::{
        big_integer, boolean, integer, integer_null, json_binary, string, string_len, string_null,
        text, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
    },
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261124_000013_referral"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        ruleset(schema).await?;
        decision(schema).await?;
        invitation(schema).await?;
        invitation_share(schema).await?;
        referral(schema).await?;
        reward(schema).await?;
        reward_event(schema).await?;
        suppression(schema).await?;
        cap_lock(schema).await?;
        customer_tag(schema).await?;
        staff_task(schema).await?;
        subscribe_grant(schema).await?;
        message(schema).await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "message",
            "subscribe_grant",
            "staff_task",
            "customer_tag",
            "cap_lock",
            "suppression",
            "reward_event",
            "reward",
            "referral",
            "invitation_share",
            "invitation",
            "decision",
            "ruleset",
        ] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

async fn ruleset(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("ruleset")
        .col(uuid("id").primary_key())
        .col(integer("version").unique_key())
        .col(string("name"))
        .col(json_binary("document"))
        .col(string_len("status", 24))
        .col(uuid_null("created_by"))
        .col(uuid_null("approved_by"))
        .col(timestamp_with_time_zone_null("published_at"))
        .col(timestamp_with_time_zone_null("retired_at"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"));
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_ruleset_status")
                .table("ruleset")
                .col("status")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn decision(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("decision")
        .col(uuid("id").primary_key())
        .col(uuid("event_id"))
        .col(string("event_kind"))
        .col(uuid("customer_id"))
        .col(uuid_null("booking_id"))
        .col(string("rule_id"))
        .col(string("rule_title"))
        .col(integer("ruleset_version"))
        .col(string_len("outcome", 24))
        .col(string_null("blocked_by"))
        .col(json_binary("conditions"))
        .col(json_binary("effects"))
        .col(json_binary("facts"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("decision", "customer_id")
                .to("account", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .unique()
                .name("uq_decision_event_id_customer_id_rule_id")
                .table("decision")
                .col("event_id")
                .col("customer_id")
                .col("rule_id")
                .to_owned(),
        )
        .await?;
    schema
        .create_index(
            Index::create()
                .name("ix_decision_customer_id_id")
                .table("decision")
                .col("customer_id")
                .col("id")
                .to_owned(),
        )
        .await?;
    schema
        .create_index(
            Index::create()
                .name("ix_decision_booking_id")
                .table("decision")
                .col("booking_id")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn invitation(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("invitation")
        .col(uuid("id").primary_key())
        .col(uuid("customer_id"))
        .col(string("code").unique_key())
        .col(string_len("source", 24))
        .col(string_null("rule_id"))
        .col(integer_null("ruleset_version"))
        .col(uuid_null("booking_id"))
        .col(string("effect_id").unique_key())
        .col(string_len("status", 24))
        .col(text("message"))
        .col(uuid_null("consent_record_id"))
        .col(timestamp_with_time_zone("scheduled_at"))
        .col(timestamp_with_time_zone_null("sent_at"))
        .col(timestamp_with_time_zone_null("opened_at"))
        .col(timestamp_with_time_zone_null("redeemed_at"))
        .col(timestamp_with_time_zone_null("closed_at"))
        .col(timestamp_with_time_zone_null("expires_at"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("invitation", "customer_id")
                .to("account", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_invitation_customer_id_id")
                .table("invitation")
                .col("customer_id")
                .col("id")
                .to_owned(),
        )
        .await?;
    schema
        .create_index(
            Index::create()
                .name("ix_invitation_status_scheduled_at")
                .table("invitation")
                .col("status")
                .col("scheduled_at")
                .to_owned(),
        )
        .await?;
    schema
        .create_index(
            Index::create()
                .name("ix_invitation_rule_id_created_at")
                .table("invitation")
                .col("rule_id")
                .col("created_at")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn invitation_share(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("invitation_share")
        .col(uuid("id").primary_key())
        .col(uuid("invitation_id"))
        .col(string("channel"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("invitation_share", "invitation_id")
                .to("invitation", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_invitation_share_invitation_id")
                .table("invitation_share")
                .col("invitation_id")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn referral(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("referral")
        .col(uuid("id").primary_key())
        .col(uuid("invitee_id").unique_key())
        .col(uuid("inviter_id"))
        .col(uuid("invitation_id"))
        .col(integer("generation"))
        .col(string_len("status", 24))
        .col(uuid("consent_record_id"))
        .col(uuid_null("booking_id"))
        .col(timestamp_with_time_zone_null("qualified_at"))
        .col(timestamp_with_time_zone_null("reversed_at"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("referral", "invitee_id")
                .to("account", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("referral", "inviter_id")
                .to("account", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("referral", "invitation_id")
                .to("invitation", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_referral_inviter_id_qualified_at")
                .table("referral")
                .col("inviter_id")
                .col("qualified_at")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn reward(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("reward")
        .col(uuid("id").primary_key())
        .col(uuid("account_id"))
        .col(string("kind"))
        .col(string_len("cause", 24))
        .col(string("benefit"))
        .col(json_binary("value"))
        .col(string_len("status", 24))
        .col(string("reason"))
        .col(uuid_null("referral_id"))
        .col(string_null("rule_id"))
        .col(string("effect_id").unique_key())
        .col(big_integer("cost_fen").check(Expr::col("cost_fen").gte(0)))
        .col(uuid_null("used_booking_id"))
        .col(timestamp_with_time_zone_null("qualified_at"))
        .col(timestamp_with_time_zone_null("granted_at"))
        .col(timestamp_with_time_zone_null("used_at"))
        .col(timestamp_with_time_zone_null("revoked_at"))
        .col(timestamp_with_time_zone_null("expires_at"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("reward", "account_id")
                .to("account", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("reward", "referral_id")
                .to("referral", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_reward_account_id_id")
                .table("reward")
                .col("account_id")
                .col("id")
                .to_owned(),
        )
        .await?;
    schema
        .create_index(
            Index::create()
                .name("ix_reward_referral_id")
                .table("reward")
                .col("referral_id")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn reward_event(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("reward_event")
        .col(uuid("id").primary_key())
        .col(uuid("reward_id"))
        .col(string_null("from_status"))
        .col(string("to_status"))
        .col(string("reason"))
        .col(timestamp_with_time_zone("at"))
        .foreign_key(
            ForeignKey::create()
                .from("reward_event", "reward_id")
                .to("reward", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_reward_event_reward_id_id")
                .table("reward_event")
                .col("reward_id")
                .col("id")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn suppression(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("suppression")
        .col(uuid("id").primary_key())
        .col(uuid("customer_id"))
        .col(string("reason"))
        .col(string_null("rule_id"))
        .col(string("effect_id").unique_key())
        .col(boolean("appeal"))
        .col(timestamp_with_time_zone("until"))
        .col(timestamp_with_time_zone_null("lifted_at"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("suppression", "customer_id")
                .to("account", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_suppression_customer_id_until")
                .table("suppression")
                .col("customer_id")
                .col("until")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn cap_lock(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("cap_lock")
        .col(string("key").primary_key())
        .col(timestamp_with_time_zone("created_at"));
    schema.create_table(table).await?;
    Ok(())
}

async fn customer_tag(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("customer_tag")
        .col(uuid("customer_id"))
        .col(string("tag"))
        .col(string("rule_id"))
        .col(timestamp_with_time_zone("created_at"))
        .primary_key(Index::create().col("customer_id").col("tag"))
        .foreign_key(
            ForeignKey::create()
                .from("customer_tag", "customer_id")
                .to("account", "id"),
        );
    schema.create_table(table).await?;
    Ok(())
}

async fn staff_task(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("staff_task")
        .col(uuid("id").primary_key())
        .col(string("kind"))
        .col(string("text"))
        .col(uuid_null("subject_id"))
        .col(string_null("effect_id").unique_key())
        .col(timestamp_with_time_zone_null("done_at"))
        .col(timestamp_with_time_zone("created_at"));
    schema.create_table(table).await?;
    Ok(())
}

async fn subscribe_grant(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("subscribe_grant")
        .col(uuid("account_id"))
        .col(string("template"))
        .col(integer("granted"))
        .col(integer("used"))
        .col(timestamp_with_time_zone("updated_at"))
        .primary_key(Index::create().col("account_id").col("template"))
        .foreign_key(
            ForeignKey::create()
                .from("subscribe_grant", "account_id")
                .to("account", "id"),
        );
    schema.create_table(table).await?;
    Ok(())
}

async fn message(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("message")
        .col(uuid("id").primary_key())
        .col(uuid("account_id"))
        .col(string("channel"))
        .col(string("template"))
        .col(uuid("subject_id"))
        .col(string("status"))
        .col(string("detail"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("message", "account_id")
                .to("account", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .unique()
                .name("uq_message_channel_template_subject_id")
                .table("message")
                .col("channel")
                .col("template")
                .col("subject_id")
                .to_owned(),
        )
        .await?;
    Ok(())
}
