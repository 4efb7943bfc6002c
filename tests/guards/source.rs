//! Reading Rust sources just far enough: comments and texts blanked out, tests cut away, paths collected.

use std::path::{Path, PathBuf};

/// What marks an item as compiled for tests alone.
const TEST_ITEM: &str = "#[cfg(test)]";

/// One source file, its path relative to the repository with `/` between parts.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with comments, strings and characters blanked; lines and offsets stay.
    code: String,
}

/// A path that code uses, split at `::`, and its line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All `.rs` files below these folders; a folder that does not exist holds none.
pub(crate) fn sources(root: &Path, folders: &[&str]) -> Vec<File> {
    let mut files = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_string_lossy()
                    .replace('\\', "/");
                files.push(File::new(&name, &std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code: blank(text),
        }
    }

    /// The top-level module a file of `src/` belongs to.
    pub(crate) fn module(&self) -> Option<String> {
        self.module_path()?
            .into_iter()
            .next()
            .or_else(|| Some("lib".to_owned()))
    }

    /// `src/rule/read/mod.rs` is `[rule, read]`.
    fn module_path(&self) -> Option<Vec<String>> {
        let stem = self.path.strip_prefix("src/")?.strip_suffix(".rs")?;
        let mut parts: Vec<String> = stem.split('/').map(str::to_owned).collect();
        if parts.last().is_some_and(|last| last == "mod") || parts == ["lib"] {
            parts.pop();
        }
        Some(parts)
    }

    /// Every path into the own crate, from its root on: `crate::…`, and `super::…` as far as it climbs.
    pub(crate) fn imports(&self) -> Vec<Used> {
        let mut found = Vec::new();
        for at in words(&self.code, "crate") {
            if let Some(rest) = self.code[at + 5..].trim_start().strip_prefix("::") {
                self.tree(rest, at, &[], &mut found);
            }
        }
        let home = self.module_path().unwrap_or_default();
        for at in words(&self.code, "super") {
            // Only the first of a chain; what comes before it is not a path.
            if self.code[..at].trim_end().ends_with("::") {
                continue;
            }
            let mut here = home.clone();
            here.extend(self.inline_modules(at));
            let mut rest = &self.code[at..];
            while let Some(after) = rest
                .strip_prefix("super")
                .and_then(|after| after.trim_start().strip_prefix("::"))
            {
                here.pop();
                rest = after.trim_start();
            }
            self.tree(rest, at, &here, &mut found);
        }
        found.retain(|used| !used.segments.is_empty());
        found
    }

    /// Every path that starts at a crate's name, as `use` declarations and expressions write it.
    pub(crate) fn roots(&self) -> Vec<Used> {
        let mut found = Vec::new();
        for at in words(&self.code, "use") {
            let rest = self.code[at + 3..].trim_start();
            self.tree(rest.strip_prefix("::").unwrap_or(rest), at, &[], &mut found);
        }
        let ends: Vec<usize> = self.code.match_indices("::").map(|(at, _)| at).collect();
        for end in ends {
            let before = self.code[..end].trim_end();
            let start = before.rfind(|c: char| !is_word(c)).map_or(0, |at| at + 1);
            let line = line(&self.code, start);
            let first = !before[..start].trim_end().ends_with("::") && start < before.len();
            if first
                && !found.iter().any(|used| {
                    used.line == line
                        && used.segments.first().is_some_and(|s| *s == before[start..])
                })
            {
                self.tree(&self.code[start..], start, &[], &mut found);
            }
        }
        found
    }

    /// Collects the leaves of a use tree (`a::{b, c::d as e, self, *}`) that begins at `rest`.
    fn tree(&self, rest: &str, at: usize, prefix: &[String], found: &mut Vec<Used>) {
        let offset = |rest: &str| self.code.len() - rest.len();
        let mut segments = prefix.to_vec();
        let mut rest = rest.trim_start();
        let line = line(
            &self.code,
            at.max(if rest.len() < self.code.len() {
                offset(rest)
            } else {
                at
            }),
        );
        loop {
            if let Some(group) = rest.strip_prefix('{') {
                for part in parts(group) {
                    self.tree(part, at, &segments, found);
                }
                return;
            }
            let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            if !word.is_empty() && word != "self" {
                segments.push(word.to_owned());
            }
            let Some(next) = after.trim_start().strip_prefix("::") else {
                break;
            };
            rest = next.trim_start();
        }
        found.push(Used { segments, line });
    }

    /// Names of the `mod name { … }` blocks around an offset, outermost first.
    fn inline_modules(&self, at: usize) -> Vec<String> {
        let mut around = Vec::new();
        for start in words(&self.code[..at], "mod") {
            let rest = self.code[start + 3..].trim_start();
            let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
            let open = self.code.len() - rest.len() + end;
            let body = self.code[open..].trim_start();
            let body_at = self.code.len() - body.len();
            if body.starts_with('{') && body_at + closing(body) > at {
                around.push(rest[..end].to_owned());
            }
        }
        around
    }

    /// The code without what is compiled for tests alone, and without the few items that say why they may panic.
    pub(crate) fn code_without_tests(&self) -> String {
        let mut code = self.code.clone();
        let excused = [
            "#[expect(clippy::expect_used, reason",
            "#[expect(clippy::unwrap_used, reason",
        ];
        for (start, end) in [TEST_ITEM, excused[0], excused[1]]
            .iter()
            .flat_map(|attribute| self.items(attribute))
        {
            let blanked: String = code[start..end]
                .bytes()
                .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
                .collect();
            code.replace_range(start..end, &blanked);
        }
        code
    }

    /// Names of the modules declared as `#[cfg(test)] mod name;`.
    pub(crate) fn test_modules(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (start, end) in self.items(TEST_ITEM) {
            let item = self.code[start..end].trim_end();
            let declared = item
                .strip_suffix(';')
                .and_then(|item| item.rsplit_once("mod "));
            if let Some((_, name)) = declared.filter(|(_, name)| name.chars().all(is_word)) {
                found.push(name.to_owned());
            }
        }
        found
    }

    /// Where items under an attribute begin and end.
    fn items(&self, attribute: &str) -> Vec<(usize, usize)> {
        let mut found: Vec<(usize, usize)> = Vec::new();
        for (start, _) in self.code.match_indices(attribute) {
            if found.last().is_some_and(|(_, end)| start < *end) {
                continue;
            }
            let mut depth = 0_i32;
            let mut end = self.code.len();
            for (at, c) in self.code[start..].char_indices() {
                match c {
                    '(' | '[' => depth += 1,
                    ')' | ']' => depth -= 1,
                    ';' if depth == 0 => {
                        end = start + at + 1;
                        break;
                    }
                    '{' if depth == 0 => {
                        end = start + at + closing(&self.code[start + at..]);
                        break;
                    }
                    _ => {}
                }
            }
            found.push((start, end));
        }
        found
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Offsets of `word` where it stands alone.
pub(crate) fn words(code: &str, word: &str) -> Vec<usize> {
    let alone =
        |at: usize| !code[..at].ends_with(is_word) && !code[at + word.len()..].starts_with(is_word);
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(|at| alone(*at))
        .collect()
}

/// The line of an offset, from 1.
pub(crate) fn line(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Length of the block that `text` opens with.
fn closing(text: &str) -> usize {
    let mut depth = 0_i32;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

/// The parts of a `{a, b::{c, d}}` group, after its opening brace.
fn parts(group: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut depth, mut start) = (0_i32, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => {
                if !group[start..at].trim().is_empty() {
                    found.push(group[start..].trim_start());
                }
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}

/// Blanks comments, strings and characters, byte for byte, and keeps line breaks.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word_before = out.ends_with(is_word);
        let length = match inert(rest, word_before) {
            0 => {
                let step = rest.chars().next().map_or(1, char::len_utf8);
                out.push_str(&rest[..step]);
                rest = &rest[step..];
                continue;
            }
            length => length,
        };
        out.extend(
            rest[..length]
                .bytes()
                .map(|byte| if byte == b'\n' { '\n' } else { ' ' }),
        );
        rest = &rest[length..];
    }
    out
}

/// How many bytes at the start of `rest` are a comment, a string or a character; 0 when it is code.
fn inert(rest: &str, word_before: bool) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    let raw = ["r", "br", "cr"]
        .iter()
        .find_map(|mark| rest.strip_prefix(mark))
        .filter(|_| !word_before);
    if let Some(after) = raw {
        let hashes = after.len() - after.trim_start_matches('#').len();
        if after[hashes..].starts_with('"') {
            let opened = rest.len() - after.len() + hashes + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            return rest[opened..]
                .find(&close)
                .map_or(rest.len(), |at| opened + at + close.len());
        }
    }
    if rest.starts_with('"') {
        quoted(rest)
    } else {
        character(rest)
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_i32, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `'x'`, `'\n'`, `'\u{4e2d}'`; a lifetime is code.
fn character(rest: &str) -> usize {
    let Some(inside) = rest.strip_prefix('\'') else {
        return 0;
    };
    if let Some(escape) = inside.strip_prefix('\\') {
        let skip = escape.chars().next().map_or(0, char::len_utf8);
        return escape[skip..].find('\'').map_or(0, |at| 2 + skip + at + 1);
    }
    let Some(c) = inside.chars().next() else {
        return 0;
    };
    if inside[c.len_utf8()..].starts_with('\'') {
        c.len_utf8() + 2
    } else {
        0
    }
}
