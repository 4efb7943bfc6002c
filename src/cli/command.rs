//! What can be typed.

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
pub(super) enum RulesetCommand {
    /// Type-check, analyse and lint a file; status 1 when something blocks publishing.
    Check {
        /// The rule set, JSON.
        file: PathBuf,
    },
    /// Print the table of lints with their severities and clauses.
    Lints,
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
