//! What can be typed.

use crate::referral::Which;
use clap::{Parser, Subcommand, ValueEnum};
use entity::values::StaffRole;
use std::path::PathBuf;

/// 邻荐 Linjian: the backend of a home-service company's mini-program.
#[derive(Parser)]
#[command(name = "linjian", version, about)]
pub(super) struct Cli {
    /// A settings file over the defaults (config/default.toml explains every key).
    #[arg(long, global = true)]
    pub(super) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Serve the API; consumers and timers too, unless told otherwise. What runs without a command.
    Serve {
        /// Only the API: `linjian work` does the rest.
        #[arg(long)]
        no_worker: bool,
    },
    /// Consume events and fire timers, without the API.
    Work,
    /// Bring the database schema up to date.
    Migrate,
    /// Play the main job on a sample company and leave the server running.
    Demo {
        /// End when the story ends: status 0 only if every step held.
        #[arg(long)]
        exit: bool,
        /// Language of the narration.
        #[arg(long, value_enum, default_value_t = Lang::Zh)]
        lang: Lang,
    },
    /// Accounts of the company's staff.
    Staff {
        #[command(subcommand)]
        command: StaffCommand,
    },
    /// Events that failed too often.
    DeadLetters {
        #[command(subcommand)]
        command: DeadCommand,
    },
    /// Rule sets as files.
    Ruleset {
        #[command(subcommand)]
        command: RulesetCommand,
    },
    /// Load on a running configuration; starts no service and no worker of its own.
    Bench {
        #[command(subcommand)]
        command: BenchCommand,
    },
    /// Print the OpenAPI document.
    Openapi,
    /// Print the table of error codes.
    Errors,
    /// Check settings and dependencies, one line each.
    Doctor,
}

impl Default for Command {
    fn default() -> Self {
        Self::Serve { no_worker: false }
    }
}

/// Language of a narration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// 中文
    Zh,
    /// English
    En,
}

#[derive(Subcommand)]
pub(super) enum StaffCommand {
    /// Add a login.
    Add {
        /// 2 to 64 characters without blanks.
        #[arg(long)]
        username: String,
        /// marketing, service, manager or pipo; may be given several times.
        #[arg(long, required = true, value_parser = role)]
        role: Vec<StaffRole>,
        /// Read the password from standard input; otherwise one is made and shown once.
        #[arg(long)]
        password_stdin: bool,
    },
}

fn role(text: &str) -> Result<StaffRole, String> {
    let known = [
        StaffRole::Marketing,
        StaffRole::Service,
        StaffRole::Manager,
        StaffRole::Pipo,
    ];
    known
        .into_iter()
        .find(|role| role.word() == text)
        .ok_or_else(|| "应为 marketing、service、manager 或 pipo".to_owned())
}

#[derive(Subcommand)]
pub(super) enum DeadCommand {
    /// List them, newest first.
    List {
        /// Most lines.
        #[arg(long, default_value_t = 50)]
        limit: u64,
    },
    /// Hand them to the consumers again; effects that took place are not repeated.
    Replay {
        /// One event; all when left out.
        #[arg(long)]
        id: Option<uuid::Uuid>,
    },
}

#[derive(Subcommand)]
pub(super) enum BenchCommand {
    /// Ratings at a steady rate, then as fast as they can be written: how soon the invitation is there, and how many events a
    /// second are handled. Needs a running node in sandbox mode on a database without customers.
    Pipeline {
        /// Where the node listens; its settings' address when left out.
        #[arg(long)]
        url: Option<String>,
        /// Ratings per second of the steady part.
        #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=5_000))]
        rate: u32,
        /// Seconds of the steady part that are measured, after two to warm up; 0 leaves it out.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=120))]
        seconds: u32,
        /// Ratings of the burst; 0 leaves it out.
        #[arg(long, default_value_t = 30_000, value_parser = clap::value_parser!(u32).range(0..=500_000))]
        burst: u32,
        /// Ratings each customer of the burst gives.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
        each: u32,
    },
}

#[derive(Subcommand)]
pub(super) enum RulesetCommand {
    /// Type-check, analyse and lint a file; status 1 when something blocks publishing.
    Check {
        /// The rule set, JSON.
        file: PathBuf,
    },
    /// Print the table of lints with their severities and clauses.
    Lints,
    /// What one set changes of another, in plain words; status 0 when nothing, 1 when something, 2 for a fault.
    Diff {
        /// A file, or `live` or a version (`v12`) of the configured database.
        old: String,
        /// A file, or `live` or a version.
        new: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write a stored set as a file.
    Export {
        /// `live` or a version (`v12`).
        #[arg(default_value = "live", value_parser = stored)]
        which: Which,
        /// Where to; standard output when left out.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Replay the recorded events of the configured database through a file and another set: who gains, who loses, at what cost.
    /// Nothing is written.
    Backtest {
        /// The rule set, JSON.
        file: String,
        /// First moment, RFC 3339 or a date; 90 days ago when left out.
        #[arg(long)]
        from: Option<String>,
        /// First moment after; now when left out.
        #[arg(long)]
        to: Option<String>,
        /// A file, or `live` or a version (`v12`).
        #[arg(long, default_value = "live")]
        against: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Keep a file as a new draft.
    Import {
        /// The rule set, JSON.
        file: PathBuf,
        /// The login name of a marketing person: he is the author, and somebody else approves.
        #[arg(long)]
        by: String,
    },
}

fn stored(text: &str) -> Result<Which, String> {
    super::ruleset::stored(text).ok_or_else(|| "应为 live 或版本号(如 v12)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn nothing_typed_means_serve_and_an_unknown_role_is_refused() {
        let cli = Cli::try_parse_from(["linjian"]).unwrap();
        assert!(matches!(
            cli.command.unwrap_or_default(),
            Command::Serve { no_worker: false }
        ));
        let wrong = [
            "linjian",
            "staff",
            "add",
            "--username",
            "wang",
            "--role",
            "boss",
        ];
        assert!(Cli::try_parse_from(wrong).is_err());
    }
}
