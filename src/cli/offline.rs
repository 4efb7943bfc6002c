//! Commands that run and end.

use super::command::{Command, RulesetCommand};
use crate::{
    app,
    config::Settings,
    identity::{self, NewStaff},
    kernel::{AppError, Result},
    outbox,
    platform::{Ctx, Db, wechat::sandbox::Sandbox},
    referral,
};
use entity::{ids::EventId, values::StaffRole};
use std::{io::Read, path::Path, process::ExitCode};

/// Runs the commands that need no settings; `None` for the others.
pub(super) fn run(command: &Command) -> Option<ExitCode> {
    match command {
        Command::Openapi => Some(openapi()),
        Command::Errors => {
            print!("{}", super::error_table());
            Some(ExitCode::SUCCESS)
        }
        Command::Ruleset {
            command: RulesetCommand::Check { file },
        } => Some(check(file)),
        Command::Ruleset {
            command: RulesetCommand::Lints,
        } => {
            print!("{}", super::lint_table());
            Some(ExitCode::SUCCESS)
        }
        Command::Serve { .. }
        | Command::Work
        | Command::Migrate
        | Command::Demo { .. }
        | Command::Staff { .. }
        | Command::DeadLetters { .. }
        | Command::Doctor => None,
    }
}

fn openapi() -> ExitCode {
    match app::openapi().to_pretty_json() {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Largest rule-set file read; the grammar allows less.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

fn check(file: &Path) -> ExitCode {
    let text = std::fs::File::open(file).and_then(|file| {
        let mut text = String::new();
        file.take(MOST_BYTES).read_to_string(&mut text)?;
        Ok(text)
    });
    let text = match text {
        Ok(text) => text,
        Err(error) => {
            eprintln!("读不到规则集文件 {}:{error}", file.display());
            return ExitCode::from(2);
        }
    };
    let findings = referral::check_text(&text);
    for line in &findings {
        println!("{line}");
    }
    if findings.iter().any(|line| line.starts_with("[block]")) {
        return ExitCode::FAILURE;
    }
    println!("可以发布:没有必须修改的问题({} 条提示)", findings.len());
    ExitCode::SUCCESS
}

pub(super) async fn migrate(settings: Settings) -> Result<ExitCode> {
    let db = Db::open(
        &settings.database.url,
        &settings.data_dir,
        settings.database.max_connections,
    )
    .await?;
    db.migrate().await?;
    println!("数据库结构已是最新");
    Ok(ExitCode::SUCCESS)
}

/// The capabilities of a command, without a listener.
async fn context(settings: Settings) -> Result<(Ctx, Option<Sandbox>)> {
    Box::pin(app::context_without_listener(settings)).await
}

async fn close(sandbox: Option<Sandbox>) {
    if let Some(sandbox) = sandbox {
        sandbox.shutdown().await;
    }
}

pub(super) async fn add_staff(
    settings: Settings,
    username: String,
    roles: Vec<StaffRole>,
    password_stdin: bool,
) -> Result<ExitCode> {
    let password = if password_stdin {
        Some(typed_password()?)
    } else {
        None
    };
    let (ctx, sandbox) = context(settings).await?;
    let added = identity::add_staff(
        &ctx,
        NewStaff {
            username: username.clone(),
            roles,
            password,
        },
    )
    .await;
    close(sandbox).await;
    let (id, made) = added?;
    println!("已添加员工 {username}({id})");
    if let Some(password) = made {
        println!("密码(只显示这一次):{password}");
    }
    Ok(ExitCode::SUCCESS)
}

fn typed_password() -> Result<String> {
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .map_err(AppError::internal)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

pub(super) async fn dead_letters(settings: Settings, limit: u64) -> Result<ExitCode> {
    let (ctx, sandbox) = context(settings).await?;
    let letters = outbox::dead_letters(&ctx, limit.clamp(1, 10_000)).await;
    close(sandbox).await;
    let letters = letters?;
    for letter in &letters {
        let since = letter.dead_at.map(|at| at.to_rfc3339()).unwrap_or_default();
        let why = letter.last_error.as_deref().unwrap_or_default();
        println!(
            "{}  {}  {since}  {} 次  {why}",
            letter.id, letter.kind, letter.attempts
        );
    }
    println!("共 {} 个", letters.len());
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn replay(settings: Settings, id: Option<uuid::Uuid>) -> Result<ExitCode> {
    let (ctx, sandbox) = context(settings).await?;
    let replayed = outbox::replay(&ctx, id.map(EventId)).await;
    close(sandbox).await;
    let count = replayed?;
    if count == 0 && id.is_some() {
        return Err(AppError::not_found());
    }
    println!("已重新投递 {count} 个事件");
    Ok(ExitCode::SUCCESS)
}
