//! The guards behind `tests/architecture.rs`: reading sources, and one function per rule.

pub(crate) mod floors;
mod source;

pub(crate) use source::{File, root, sources};

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 7] = [
    "utils", "util", "helpers", "helper", "common", "misc", "manager",
];

/// Most lines of a file: sources, and tests.
const LINES: usize = 500;
const TEST_LINES: usize = 700;

/// Calls that end the process when they are wrong.
const PANICS: [&str; 4] = ["unwrap", "expect", "unwrap_err", "expect_err"];

/// What a pure module has no business with: databases, sockets, clocks, files, settings.
const IMPURE: [&str; 13] = [
    "sea_orm",
    "sqlx",
    "tokio",
    "reqwest",
    "redis",
    "actix_web",
    "object_store",
    "std::time",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
];

/// Files and folders need names that say what they hold.
pub(crate) fn names(files: &[File]) -> Vec<String> {
    let mut offences = Vec::new();
    for file in files {
        let stem = file.path.strip_suffix(".rs").unwrap_or(&file.path);
        if let Some(word) = stem.split('/').find(|part| EMPTY_NAMES.contains(part)) {
            offences.push(format!(
                "{}:1: {word} says nothing; name it after what it does",
                file.path
            ));
        }
    }
    offences
}

/// 500 lines, tests 700.
pub(crate) fn short_files(files: &[File]) -> Vec<String> {
    let mut offences = Vec::new();
    for file in files {
        let test = file.path.contains("tests/") || file.path.ends_with("/tests.rs");
        let most = if test { TEST_LINES } else { LINES };
        let lines = file.text.lines().count();
        if lines > most {
            offences.push(format!(
                "{}:{most}: {lines} lines, at most {most}",
                file.path
            ));
        }
    }
    offences
}

/// Every top-level module says first what it owns and promises.
pub(crate) fn opening_words(files: &[File]) -> Vec<String> {
    let mut offences = Vec::new();
    for file in files {
        let front_door = file.path.starts_with("src/") && file.path.ends_with("/mod.rs");
        if front_door
            && file.path.matches('/').count() == 2
            && !file.text.trim_start().starts_with("//!")
        {
            offences.push(format!("{}:1: opens without `//!`", file.path));
        }
    }
    offences
}

/// Calls of one file that may panic, tests left out.
pub(crate) fn panicking(file: &File) -> Vec<String> {
    let code = file.code_without_tests();
    let mut offences = Vec::new();
    for call in PANICS {
        for at in source::words(&code, call) {
            let before = code[..at].trim_end();
            let after = code[at + call.len()..].trim_start();
            let method = before.ends_with('.') && after.starts_with('(');
            let path = before.ends_with("::") && !after.starts_with("::");
            if method || path {
                offences.push((
                    at,
                    format!("{}:{}: {call}", file.path, source::line(&code, at)),
                ));
            }
        }
    }
    offences.sort();
    offences.into_iter().map(|(_, offence)| offence).collect()
}

/// No `unwrap`, no `expect` outside tests and `main.rs`.
pub(crate) fn no_panics(files: &[File]) -> Vec<String> {
    let tests = test_only(files);
    let is_test = |path: &str| {
        let stem = path.strip_suffix(".rs").unwrap_or(path);
        let within = |folder: &String| stem == folder || stem.starts_with(&format!("{folder}/"));
        path.starts_with("tests/") || tests.iter().any(within)
    };
    files
        .iter()
        .filter(|file| file.path != "src/main.rs" && !is_test(&file.path))
        .flat_map(panicking)
        .collect()
}

/// The modules (path without `.rs`) that another file declares for tests alone.
pub(crate) fn test_only(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let stem = file.path.strip_suffix(".rs").unwrap_or(&file.path);
        let root = stem.ends_with("/lib") || stem.ends_with("/main");
        let folder = if root || stem.ends_with("/mod") {
            stem.rsplit_once('/').map_or("", |(folder, _)| folder)
        } else {
            stem
        };
        found.extend(
            file.test_modules()
                .into_iter()
                .map(|name| format!("{folder}/{name}")),
        );
    }
    found
}

/// Money to a person is sent by staff alone (REF-02): transfers are spoken of in the payment room and in WeChat's
/// client, and the room lets nothing of them out.
pub(crate) fn transfers(files: &[File]) -> Vec<String> {
    let home =
        |path: &str| path.starts_with("src/payment/") || path.starts_with("src/platform/wechat/");
    let tests = test_only(files);
    let looked_at = |file: &&File| {
        let stem = file.path.strip_suffix(".rs").unwrap_or(&file.path);
        file.path.starts_with("src/") && !tests.iter().any(|test| stem == test)
    };
    let mut offences = Vec::new();
    for file in files.iter().filter(looked_at) {
        let code = file.code_without_tests();
        let front_door = file.path == "src/payment/mod.rs";
        for (at, line) in code.lines().enumerate() {
            // The lint's own word, and the names of the two settings.
            let line = ["transferable", "transfer_enabled", "transfer_scene_id"]
                .iter()
                .fold(line.to_lowercase(), |line, word| line.replace(word, ""));
            let named = line.contains("transfer");
            let let_out = line.trim_start().starts_with("pub ");
            if named && (!home(&file.path) || (front_door && let_out)) {
                offences.push(format!("{}:{}: a way to a transfer", file.path, at + 1));
            }
        }
    }
    offences
}

/// The rule engine touches nothing outside its arguments.
pub(crate) fn purity(files: &[File]) -> Vec<String> {
    let mut offences = Vec::new();
    for file in files {
        for path in file.roots() {
            let full = path.segments.join("::");
            let hit = IMPURE
                .iter()
                .find(|word| full == **word || full.starts_with(&format!("{word}::")));
            if let Some(word) = hit {
                offences.push(format!(
                    "{}:{}: {word} in a pure module",
                    file.path, path.line
                ));
            }
        }
    }
    offences
}

/// A migration describes the schema of its day; entities describe today's.
pub(crate) fn migrations(files: &[File]) -> Vec<String> {
    let mut offences = Vec::new();
    for file in files {
        let entities = file
            .roots()
            .into_iter()
            .filter(|path| path.segments.first().is_some_and(|root| root == "entity"));
        offences.extend(
            entities.map(|path| format!("{}:{}: entity in a migration", file.path, path.line)),
        );
    }
    offences
}
