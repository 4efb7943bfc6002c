//! From settings to capabilities, and what a first start puts in place.

use crate::{
    catalog,
    config::{Settings, WechatMode},
    consent,
    kernel::{AppError, Code, Result},
    platform::{
        Ctx,
        blob::{BlobSettings, S3Settings},
        limiter::LimitSettings,
        vault::{self, Vault},
        wechat::WechatSettings,
    },
    referral,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{io::Write, path::Path};

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
    referral::install_default(ctx).await
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

/// The secret of access tokens: from the settings, or made once beside the database, mode 0600.
pub(super) fn jwt_secret(settings: &Settings) -> Result<String> {
    if !settings.auth.jwt_secret.is_empty() {
        return Ok(settings.auth.jwt_secret.clone());
    }
    let path = settings.data_dir.join("keys").join("jwt.key");
    if !path.exists() {
        make_private(&path, vault::random_token(32).as_bytes()).map_err(AppError::internal)?;
    }
    let secret = std::fs::read_to_string(&path).map_err(AppError::internal)?;
    let secret = secret.trim();
    if secret.len() < 32 {
        let what = "the token key file is too short; remove it to make a new one";
        return Err(AppError::internal(what));
    }
    Ok(secret.to_owned())
}

/// Makes a file with mode 0600, whole or not at all; a twin that was first wins.
fn make_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)?;
    let draft = folder.join(format!(".draft-{}", vault::random_code(12)));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| std::fs::hard_link(&draft, path));
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        done => done,
    }
}

/// Whether the deployment's keys can be read, or made.
///
/// # Errors
/// `validation` or `internal` about the key that cannot.
pub fn keys(settings: &Settings) -> Result<()> {
    vault(settings)?;
    jwt_secret(settings).map(drop)
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
    }
}

/// Where WeChat sends notifications.
pub(super) fn notify_base(settings: &Settings) -> String {
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
        platform_keys: vec![(
            w.platform_key_id.clone(),
            read(&w.platform_key_path, "wechat.platform_key_path")?,
        )],
        notify_base_url: notify.to_owned(),
    })
}

fn read(path: &str, setting: &'static str) -> Result<String> {
    std::fs::read_to_string(Path::new(path))
        .map_err(|error| AppError::new(Code::Validation, format!("{setting}:读不到文件({error})")))
}
