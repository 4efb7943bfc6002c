//! Rule sets as files: checked, compared, taken out and in.

use super::{backtest, command::RulesetCommand, offline};
use crate::{
    config::Settings,
    identity,
    kernel::{AppError, Code, Result},
    platform::Ctx,
    referral::{self, Which},
    rule::{self, Difference, RuleSet},
};
use entity::values::StaffRole;
use std::{io::Read, path::Path, process::ExitCode};

/// Largest rule-set file read; the grammar allows less.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// `live` or `v12`: a stored set. Anything else is a file (`./live`, if it is called so).
pub(super) fn stored(text: &str) -> Option<Which> {
    if text == "live" {
        return Some(Which::Live);
    }
    let version = text.strip_prefix('v')?;
    let digits = version.bytes().all(|byte| byte.is_ascii_digit());
    version.parse().ok().filter(|_| digits).map(Which::Version)
}

/// Runs what needs no settings; `None` for the rest.
pub(super) fn run(command: &RulesetCommand) -> Option<ExitCode> {
    match command {
        RulesetCommand::Check { file } => Some(check(file)),
        RulesetCommand::Lints => {
            print!("{}", super::lint_table());
            Some(ExitCode::SUCCESS)
        }
        RulesetCommand::Diff { old, new, json } => {
            if stored(old).is_some() || stored(new).is_some() {
                return None;
            }
            let compared = text(Path::new(old))
                .and_then(|old_text| Ok((old_text, text(Path::new(new))?)))
                .and_then(|texts| compare((old, &texts.0), (new, &texts.1), *json));
            Some(compared.unwrap_or_else(|error| super::report(&error)))
        }
        RulesetCommand::Export { .. }
        | RulesetCommand::Import { .. }
        | RulesetCommand::Backtest { .. } => None,
    }
}

/// Runs what needs the database.
pub(super) async fn run_with(settings: Settings, command: RulesetCommand) -> Result<ExitCode> {
    let (ctx, sandbox) = offline::context(settings).await?;
    let comparing = matches!(command, RulesetCommand::Diff { .. });
    let done = stored_command(&ctx, command).await;
    offline::close(sandbox).await;
    match done {
        // Status 1 says that there are differences.
        Err(error) if comparing => {
            super::report(&error);
            Ok(ExitCode::from(2))
        }
        done => done,
    }
}

async fn stored_command(ctx: &Ctx, command: RulesetCommand) -> Result<ExitCode> {
    match command {
        RulesetCommand::Check { file } => Ok(check(&file)),
        RulesetCommand::Lints => {
            print!("{}", super::lint_table());
            Ok(ExitCode::SUCCESS)
        }
        RulesetCommand::Diff { old, new, json } => {
            let (before, after) = (meant(ctx, &old).await?, meant(ctx, &new).await?);
            compare((&old, &before), (&new, &after), json)
        }
        RulesetCommand::Export { which, out } => {
            let text = referral::export_file(ctx, which).await?;
            match out {
                None => print!("{text}"),
                Some(path) => {
                    let written = std::fs::write(&path, text);
                    written.map_err(|error| fault(&path, "写不了", &error))?;
                    println!("已导出到 {}", path.display());
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        RulesetCommand::Backtest {
            file,
            from,
            to,
            against,
            json,
        } => {
            let texts = (meant(ctx, &file).await?, meant(ctx, &against).await?);
            backtest::run(
                ctx,
                ((&file, &texts.0), (&against, &texts.1)),
                (from, to),
                json,
            )
            .await
        }
        RulesetCommand::Import { file, by } => {
            let text = text(&file)?;
            let author = identity::staff_named(ctx, &by, StaffRole::Marketing).await?;
            let version = referral::import_file(ctx, author, text).await?;
            println!("已导入为草稿 v{version}");
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn meant(ctx: &Ctx, name: &str) -> Result<String> {
    match stored(name) {
        Some(which) => referral::export_file(ctx, which).await,
        None => text(Path::new(name)),
    }
}

fn fault(path: &Path, what: &str, error: &std::io::Error) -> AppError {
    AppError::new(
        Code::Validation,
        format!("{what}规则集文件 {}:{error}", path.display()),
    )
}

fn text(path: &Path) -> Result<String> {
    let read = std::fs::File::open(path).and_then(|file| {
        let mut text = String::new();
        file.take(MOST_BYTES).read_to_string(&mut text)?;
        Ok(text)
    });
    // Some editors put a byte order mark before the text.
    read.map(|text| text.trim_start_matches('\u{feff}').to_owned())
        .map_err(|error| fault(path, "读不到", &error))
}

fn check(file: &Path) -> ExitCode {
    let text = match text(file) {
        Ok(text) => text,
        Err(error) => return super::report(&error),
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

pub(super) fn parsed(name: &str, text: &str) -> Result<RuleSet> {
    RuleSet::parse(text).map_err(|faults| {
        let first = faults.first().map_or_else(String::new, |fault| {
            format!(":{} {}", fault.pointer, fault.message)
        });
        AppError::new(Code::Validation, format!("{name} 不是规则集{first}"))
    })
}

fn compare(old: (&str, &str), new: (&str, &str), json: bool) -> Result<ExitCode> {
    let found = rule::diff(&parsed(old.0, old.1)?, &parsed(new.0, new.1)?);
    let lowered = found.iter().filter(|one| one.lowers()).count();
    if json {
        let out = serde_json::json!({ "items": found, "lowered": lowered > 0 });
        println!("{}", serde_json::to_string_pretty(&out)?);
    } else if found.is_empty() {
        println!("没有差别");
    } else {
        for line in found.iter().map(Difference::line) {
            println!("{line}");
        }
        println!("共 {} 处不同,其中 {lowered} 处对顾客变少", found.len());
    }
    Ok(ExitCode::from(u8::from(!found.is_empty())))
}
