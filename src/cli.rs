//! The command line. A fault of the caller is one sentence and exit status 2; a fault of ours is status 1.

mod backtest;
mod command;
mod doctor;
mod lints;
mod offline;
mod ruleset;

pub use command::Lang;
pub use lints::table as lint_table;

use crate::{
    app::{self, Half},
    bench,
    config::{self, Settings},
    demo,
    kernel::{AppError, Code, Result},
    outbox, referral,
};
use clap::Parser;
use command::{BenchCommand, Cli, Command, DeadCommand, StaffCommand};
use std::{io::IsTerminal, process::ExitCode};

/// Runs the command the process was started with.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let command = cli.command.unwrap_or_default();
    if let Some(status) = offline::run(&command) {
        return status;
    }
    let settings = match config::load(cli.config.as_deref()) {
        Ok(settings) => settings,
        Err(faults) => {
            eprintln!("{faults}");
            return ExitCode::from(2);
        }
    };
    listen_to_logs(&settings, matches!(command, Command::Demo { .. }));
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("无法启动:{error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(Box::pin(run(settings, command))) {
        Ok(status) => status,
        Err(error) => report(&error),
    }
}

/// Help and version are answers; anything else is one sentence and status 2.
fn refuse(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        let text = error.render().to_string();
        let sentence = text.lines().next().unwrap_or_default();
        eprintln!(
            "{} (linjian --help)",
            sentence.trim_start_matches("error: ")
        );
        return ExitCode::from(2);
    }
    print!("{}", error.render().ansi());
    ExitCode::SUCCESS
}

/// The caller's fault is status 2, ours is status 1 with its cause.
fn report(error: &AppError) -> ExitCode {
    let fields: Vec<&str> = error
        .fields
        .iter()
        .map(|field| field.detail.as_str())
        .collect();
    let detail = if fields.is_empty() {
        error.detail.to_string()
    } else {
        fields.join(";")
    };
    if error.code.status() < 500 {
        eprintln!("{detail}");
        return ExitCode::from(2);
    }
    let cause = error
        .source
        .as_ref()
        .map(|source| format!("({source})"))
        .unwrap_or_default();
    eprintln!("{detail}{cause}");
    ExitCode::FAILURE
}

/// Logs go to standard error; a demo's story is not drowned by them.
fn listen_to_logs(settings: &Settings, quiet: bool) {
    use tracing_subscriber::{EnvFilter, fmt};
    let quiet = quiet && settings.log.filter == "info";
    let filter = if quiet {
        "warn"
    } else {
        settings.log.filter.as_str()
    };
    let logs = fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    if settings.log.format == "json" {
        logs.json().init();
    } else {
        logs.init();
    }
}

async fn run(settings: Settings, command: Command) -> Result<ExitCode> {
    match command {
        Command::Serve { no_worker } => serve(settings, no_worker).await,
        Command::Work => work(settings).await,
        Command::Migrate => offline::migrate(settings).await,
        Command::Demo { exit, lang } => {
            let held = Box::pin(demo::run(demo::settings(settings), exit, lang)).await?;
            Ok(if held {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Command::Staff {
            command:
                StaffCommand::Add {
                    username,
                    role,
                    password_stdin,
                },
        } => offline::add_staff(settings, username, role, password_stdin).await,
        Command::Bench {
            command:
                BenchCommand::Pipeline {
                    url,
                    rate,
                    seconds,
                    burst,
                    each,
                },
        } => {
            let load = bench::Load {
                rate,
                seconds,
                burst,
                each,
            };
            offline::bench(settings, url, load).await
        }
        Command::DeadLetters {
            command: DeadCommand::List { limit },
        } => offline::dead_letters(settings, limit).await,
        Command::DeadLetters {
            command: DeadCommand::Replay { id },
        } => offline::replay(settings, id).await,
        Command::Doctor => doctor::run(settings).await,
        Command::Ruleset { command } => Box::pin(ruleset::run_with(settings, command)).await,
        Command::Openapi | Command::Errors => Err(AppError::internal(
            "this command needs no settings and has run",
        )),
    }
}

async fn serve(settings: Settings, no_worker: bool) -> Result<ExitCode> {
    let half = if no_worker { Half::Api } else { Half::Both };
    let mut node = Box::pin(app::start(settings, half)).await?;
    println!("{}", node.url());
    tokio::select! {
        () = stop_signal() => {}
        () = node.serve() => return Err(AppError::new(Code::Unavailable, "服务意外停止")),
    }
    tracing::info!("stopping: requests and events in flight may finish");
    node.stop().await;
    Ok(ExitCode::SUCCESS)
}

async fn work(settings: Settings) -> Result<ExitCode> {
    let grace = settings
        .http
        .shutdown_timeout
        .get()
        .to_std()
        .unwrap_or(std::time::Duration::from_secs(10));
    let (ctx, sandbox) = Box::pin(app::context_without_listener(settings)).await?;
    let ready = referral::Ready::default();
    let watch = referral::watch(&ctx, &ready).await;
    let workers = outbox::start(&ctx, &app::registry());
    stop_signal().await;
    drop(watch);
    workers.stop(grace).await;
    if let Some(sandbox) = sandbox {
        sandbox.shutdown().await;
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits for Ctrl-C or, where there is one, the stop signal of a process manager.
pub async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    tokio::signal::ctrl_c().await.ok();
}

/// `docs/errors.md`, generated from the table of codes.
pub fn error_table() -> String {
    let mut text = String::from(
        "# Errors\n\nEvery error answer is `application/problem+json` (RFC 9457). Switch on `code`; `title` and `detail` are for people.\n\
         Generated from `src/kernel/code.rs`: `cargo run -- errors > docs/errors.md`.\n\n| code | status | title |\n| --- | --- | --- |\n",
    );
    for code in Code::ALL {
        let row = [
            format!("`{}`", code.slug()),
            code.status().to_string(),
            code.title().to_owned(),
        ];
        text.push_str("| ");
        text.push_str(&row.join(" | "));
        text.push_str(" |\n");
    }
    text
}
