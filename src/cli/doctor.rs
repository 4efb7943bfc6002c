//! `linjian doctor`: whether settings and dependencies stand, one line each, with the cure.

use crate::{
    app,
    config::Settings,
    kernel::Result,
    platform::{Db, blob, queue},
};
use std::{process::ExitCode, time::Duration};

/// Looks without changing anything: no migration, no sample data.
pub(super) async fn run(settings: Settings) -> Result<ExitCode> {
    let mut sound = true;
    let mut line = |name: &str, outcome: Result<()>, cure: &str| match outcome {
        Ok(()) => println!("✓ {name}"),
        Err(error) => {
            sound = false;
            let cause = error
                .source
                .as_ref()
                .map(|source| format!("({source})"))
                .unwrap_or_default();
            println!("✗ {name}:{}{cause} → {cure}", error.detail);
        }
    };
    line("设置 settings", Ok(()), "");
    line(
        "数据库 database",
        database(&settings).await,
        "检查 database.url、网络与账号",
    );
    line(
        "队列 queue",
        queue(&settings).await,
        "检查 queue.redis_url;留空则使用进程内队列",
    );
    line(
        "文件 blob",
        blobs(&settings).await,
        "检查 blob 一节,或 data_dir 是否可写",
    );
    line(
        "密钥 keys",
        app::keys(&settings),
        "检查 crypto.master_key,或 data_dir/keys 的权限",
    );
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn database(settings: &Settings) -> Result<()> {
    Db::open(&settings.database.url, &settings.data_dir, 2)
        .await?
        .ping()
        .await
}

async fn queue(settings: &Settings) -> Result<()> {
    let url = Some(settings.queue.redis_url.as_str()).filter(|url| !url.is_empty());
    queue::open_with(url, &settings.queue.prefix, Duration::from_secs(30))?
        .ping()
        .await
}

async fn blobs(settings: &Settings) -> Result<()> {
    blob::open(&app::blob_settings(settings))?.ping().await
}
