//! From settings to capabilities, and what a first start puts in place.

use crate::{
    catalog,
    config::{Settings, WechatMode, is_stand_in},
    consent,
    identity::TokenKey,
    kernel::{AppError, Code, Env, Result},
    payment,
    platform::{
        Ctx, Db,
        blob::{BlobSettings, S3Settings},
        limiter::LimitSettings,
        vault::Vault,
        wechat::{TokenShelf, WechatSettings},
    },
    referral,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use entity::deployment;
use sea_orm::{ActiveValue::Set, EntityTrait, sea_query::OnConflict};
use std::path::Path;

/// Idempotent: every start runs it.
pub(super) async fn first_start(ctx: &Ctx) -> Result<()> {
    match install(ctx).await {
        // Another node started in the same moment and was first: the second look finds its rows.
        Err(AppError {
            code: Code::Conflict,
            ..
        }) => install(ctx).await,
        done => done,
    }
}

async fn install(ctx: &Ctx) -> Result<()> {
    consent::install_notices(ctx).await?;
    // SEC-44: a live deployment begins with an empty catalogue, not with somebody else's prices.
    if ctx.config.wechat.mode == WechatMode::Sandbox {
        catalog::install_default(ctx).await?;
    }
    payment::install(ctx).await?;
    referral::install_retention(ctx).await?;
    referral::install_default(ctx).await
}

/// Marks the database with the mode it is used in, at its first start. Sandbox payments are no payments: a database that
/// has seen them never serves a live shop, and a live one is never handed to a cashier that asks for no money (spec 6).
pub(super) async fn mark(db: &Db, env: &Env, settings: &Settings) -> Result<()> {
    const KEY: &str = "wechat_mode";
    let w = &settings.wechat;
    let word = match w.mode {
        WechatMode::Sandbox => "sandbox",
        WechatMode::Live if is_stand_in(&w.api_base) && is_stand_in(&w.pay_base) => "stand_in",
        WechatMode::Live => "live",
    };
    let tx = db.begin_write().await?;
    let row = deployment::ActiveModel {
        key: Set(KEY.into()),
        value: Set(word.into()),
        updated_at: Set(env.now()),
    };
    let first = OnConflict::column(deployment::Column::Key)
        .do_nothing()
        .to_owned();
    deployment::Entity::insert(row)
        .on_conflict(first)
        .exec_without_returning(&tx)
        .await?;
    let found = deployment::Entity::find_by_id(KEY).all(&tx).await?.pop();
    tx.commit().await?;
    match found {
        Some(row) if row.value != word => Err(AppError::new(
            Code::InvalidState,
            format!(
                "这个数据库第一次是以 {}(sandbox 沙箱、stand_in 本机替身、live 微信)启动的,不能用 {word} 打开;请换一个数据库与 data_dir",
                row.value
            ),
        )),
        _ => Ok(()),
    }
}

pub(super) fn vault(settings: &Settings) -> Result<Vault> {
    let key = &settings.crypto.master_key;
    if key.is_empty() {
        return Vault::load_or_create(&settings.data_dir.join("keys").join("field.key"));
    }
    let bytes = STANDARD
        .decode(key)
        .ok()
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let bytes = bytes.ok_or_else(|| {
        AppError::new(Code::Validation, "crypto.master_key 应为 32 字节的 base64")
    })?;
    Vault::open(bytes, &settings.crypto.key_id)
}

/// The key of access tokens: from the settings, or derived from the master key, so that nodes which share one share both.
pub(super) fn token_key(ctx: &Ctx) -> Result<TokenKey> {
    let secret = ctx.config.auth.jwt_secret.as_bytes();
    if !secret.is_empty() {
        return Ok(TokenKey::new(secret));
    }
    Ok(TokenKey::new(&ctx.vault.derive("access tokens")?))
}

/// Whether the deployment's keys can be read, or made.
///
/// # Errors
/// `validation` or `internal` about the key that cannot.
pub fn keys(settings: &Settings) -> Result<()> {
    vault(settings).map(drop)
}

/// Where photos go.
pub fn blob_settings(settings: &Settings) -> BlobSettings {
    let blob = &settings.blob;
    if blob.kind == "s3" {
        BlobSettings::S3(S3Settings {
            endpoint: blob.endpoint.clone(),
            bucket: blob.bucket.clone(),
            region: blob.region.clone(),
            key_id: blob.access_key.clone(),
            secret: blob.secret_key.clone(),
            path_style: blob.path_style,
        })
    } else {
        BlobSettings::Local {
            root: settings.data_dir.join("blobs"),
        }
    }
}

pub(super) fn limits(settings: &Settings) -> LimitSettings {
    LimitSettings {
        per_account_per_minute: settings.limits.per_account,
        per_address_per_minute: settings.limits.per_address,
        login_per_minute: settings.limits.login,
        staff_login_per_minute: settings.limits.staff_login,
        invitation_per_minute: settings.limits.invitation,
        upload_per_minute: settings.limits.upload,
        export_per_minute: settings.limits.export,
        event_per_minute: settings.limits.event,
    }
}

/// Our public address as WeChat sees it, without a trailing slash.
pub fn notify_base(settings: &Settings) -> String {
    let base = &settings.wechat.notify_base_url;
    let base = if base.is_empty() {
        &settings.http.public_url
    } else {
        base
    };
    base.trim_end_matches('/').to_owned()
}

pub(super) fn live_wechat(settings: &Settings, notify: &str) -> Result<WechatSettings> {
    debug_assert!(
        settings.wechat.mode == WechatMode::Live,
        "the sandbox brings its own settings"
    );
    let w = &settings.wechat;
    Ok(WechatSettings {
        appid: w.appid.clone(),
        app_secret: w.app_secret.clone(),
        api_base: w.api_base.clone(),
        pay_base: w.pay_base.clone(),
        mchid: w.mchid.clone(),
        merchant_serial: w.merchant_serial.clone(),
        merchant_key_pem: read(&w.merchant_key_path, "wechat.merchant_key_path")?,
        apiv3_key: w.apiv3_key.clone(),
        platform_keys: if w.platform_key_id.is_empty() {
            Vec::new()
        } else {
            vec![(
                w.platform_key_id.clone(),
                read(&w.platform_key_path, "wechat.platform_key_path")?,
            )]
        },
        platform_certificates: w.platform_certificates,
        notify_base_url: notify.to_owned(),
        push_token: w.push_token.clone(),
        push_aes_key: w.push_aes_key.clone(),
        env_version: w.env_version.clone(),
    })
}

/// Where nodes that share a Redis share WeChat's access token.
pub(super) fn token_shelf(settings: &Settings, appid: &str) -> Result<Option<TokenShelf>> {
    let queue = &settings.queue;
    if queue.redis_url.is_empty() {
        return Ok(None);
    }
    TokenShelf::open(&queue.redis_url, &queue.prefix, appid).map(Some)
}

fn read(path: &str, setting: &'static str) -> Result<String> {
    std::fs::read_to_string(Path::new(path))
        .map_err(|error| AppError::new(Code::Validation, format!("{setting}:读不到文件({error})")))
}
