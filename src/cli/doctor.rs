//! `linjian doctor`: whether settings and dependencies stand, one line each, with the cure.

use crate::{
    app,
    config::Settings,
    kernel::Result,
    platform::{Db, blob, queue},
};
use std::{process::ExitCode, time::Duration};

mod wechat;

/// What was found, printed as it is found.
#[derive(Default)]
struct Report {
    sick: bool,
}

impl Report {
    /// One line: ✓, or ✗ with what is wrong and the cure.
    fn line(&mut self, name: &str, outcome: Result<()>, cure: &str) {
        match outcome {
            Ok(()) => println!("✓ {name}"),
            Err(error) => {
                let cause = error
                    .source
                    .as_ref()
                    .map(|source| format!("({source})"))
                    .unwrap_or_default();
                self.wrong(name, &format!("{}{cause}", error.detail), cure);
            }
        }
    }

    /// A line for a question that was answered with yes or no.
    fn yes(&mut self, name: &str, yes: bool, what: &str, cure: &str) {
        if yes {
            println!("✓ {name}");
        } else {
            self.wrong(name, what, cure);
        }
    }

    fn wrong(&mut self, name: &str, what: &str, cure: &str) {
        self.sick = true;
        println!("✗ {name}:{what} → {cure}");
    }

    /// A line for what was not looked at.
    fn skipped(name: &str, why: &str) {
        println!("– {name}:未检查({why})");
    }
}

/// Looks without changing anything: no migration, no sample data.
pub(super) async fn run(settings: Settings) -> Result<ExitCode> {
    let mut report = Report::default();
    report.line("设置 settings", Ok(()), "");
    report.line(
        "数据库 database",
        database(&settings).await,
        "检查 database.url、网络与账号",
    );
    report.line(
        "队列 queue",
        queue(&settings).await,
        "检查 queue.redis_url;留空则使用进程内队列",
    );
    report.line(
        "文件 blob",
        blobs(&settings).await,
        "检查 blob 一节,或 data_dir 是否可写",
    );
    report.line(
        "密钥 keys",
        app::keys(&settings),
        "检查 crypto.master_key,或 data_dir/keys 的权限",
    );
    wechat::check(&settings, &mut report).await;
    Ok(if report.sick {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
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
