//! Tables of `identity`.

use sea_orm_migration::{
    prelude::{DbErr, ForeignKey, Index, MigrationName, MigrationTrait, SchemaManager, Table},
    schema::{
        blob, blob_null, json_binary, string, string_len, timestamp_with_time_zone,
        timestamp_with_time_zone_null, uuid,
    },
};

/// See the module.
pub(crate) struct Up;

impl MigrationName for Up {
    fn name(&self) -> &'static str {
        "m20261124_000001_identity"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Up {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        account(schema).await?;
        wechat_identity(schema).await?;
        session(schema).await?;
        refresh_token(schema).await?;
        staff(schema).await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "staff",
            "refresh_token",
            "session",
            "wechat_identity",
            "account",
        ] {
            schema
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

async fn account(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("account")
        .col(uuid("id").primary_key())
        .col(string_len("kind", 24))
        .col(blob("name"))
        .col(blob_null("phone"))
        .col(blob_null("phone_index"))
        .col(timestamp_with_time_zone_null("disabled_at"))
        .col(timestamp_with_time_zone("created_at"));
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_account_phone_index")
                .table("account")
                .col("phone_index")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn wechat_identity(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("wechat_identity")
        .col(uuid("id").primary_key())
        .col(string("appid"))
        .col(string("openid"))
        .col(uuid("account_id"))
        .col(blob("session_key"))
        .col(timestamp_with_time_zone("seen_at"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("wechat_identity", "account_id")
                .to("account", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .unique()
                .name("uq_wechat_identity_appid_openid")
                .table("wechat_identity")
                .col("appid")
                .col("openid")
                .to_owned(),
        )
        .await?;
    schema
        .create_index(
            Index::create()
                .name("ix_wechat_identity_account_id")
                .table("wechat_identity")
                .col("account_id")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn session(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("session")
        .col(uuid("id").primary_key())
        .col(uuid("account_id"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("expires_at"))
        .col(timestamp_with_time_zone_null("revoked_at"))
        .foreign_key(
            ForeignKey::create()
                .from("session", "account_id")
                .to("account", "id"),
        );
    schema.create_table(table).await?;
    schema
        .create_index(
            Index::create()
                .name("ix_session_account_id")
                .table("session")
                .col("account_id")
                .to_owned(),
        )
        .await?;
    Ok(())
}

async fn refresh_token(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("refresh_token")
        .col(uuid("id").primary_key())
        .col(uuid("session_id"))
        .col(string("token_hash").unique_key())
        .col(timestamp_with_time_zone_null("used_at"))
        .col(timestamp_with_time_zone("expires_at"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("refresh_token", "session_id")
                .to("session", "id"),
        );
    schema.create_table(table).await?;
    Ok(())
}

async fn staff(schema: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("staff")
        .col(uuid("account_id").primary_key())
        .col(string("username").unique_key())
        .col(string("password_hash"))
        .col(json_binary("roles"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("staff", "account_id")
                .to("account", "id"),
        );
    schema.create_table(table).await?;
    Ok(())
}
