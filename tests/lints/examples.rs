//! One file per lint with a document that has the fault and one that has not (`config/rulesets/examples`), and plain words.

use linjian::rule::{Checked, Finding, PolicyPack, RuleSet, Severity, check, lint_edit};
use serde::Deserialize;
use serde_json::Value as Json;
use std::path::PathBuf;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Example {
    id: String,
    title: String,
    why: String,
    /// In force while the others are checked.
    live: Option<Json>,
    pub(crate) bad: Json,
    pub(crate) good: Json,
}

pub(crate) fn examples() -> Vec<Example> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/rulesets/examples");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let example: Example = serde_json::from_str(&text).unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert_eq!(example.id, name);
            example
        })
        .collect()
}

/// Everything said about a document, the live one's promises included.
fn said(example: &Example, document: &Json) -> Checked {
    let pack = PolicyPack::shipped();
    let mut checked = check(document, pack);
    if let Some(live) = &example.live {
        let (live, new) = (
            RuleSet::from_json(live).unwrap(),
            RuleSet::from_json(document).unwrap(),
        );
        let day = "2026-04-01".parse().unwrap();
        checked.findings.extend(lint_edit(&live, &new, pack, day));
    }
    checked
}

/// Whether a pointer names something in the document, or the place where something is missing.
fn resolves(document: &Json, pointer: &str) -> bool {
    let there = |pointer: &str| document.pointer(pointer).is_some();
    there(pointer)
        || pointer.rsplit_once('/').is_some_and(|(parent, _)| {
            there(parent) && document.pointer(parent).unwrap().is_object()
        })
}

#[test]
fn every_lint_has_an_example() {
    let ids: Vec<String> = examples().into_iter().map(|one| one.id).collect();
    let wanted: Vec<String> = (1..=42).map(|number| format!("REF-L{number:02}")).collect();
    assert_eq!(ids, wanted);
    let rows = PolicyPack::shipped().lints();
    for (example, row) in examples().iter().zip(rows) {
        assert_eq!((&example.id, &example.title), (&row.id, &row.title));
        assert!(!example.why.is_empty());
    }
}

#[test]
fn the_bad_document_is_found_with_place_clause_and_fix() {
    for example in examples() {
        let checked = said(&example, &example.bad);
        let id = example.id.as_str();
        let hits: Vec<_> = checked.findings.iter().filter(|one| one.id == id).collect();
        assert!(!hits.is_empty(), "{id}: {:#?}", checked.findings);
        for hit in hits {
            assert_eq!(hit.severity, PolicyPack::shipped().severity(id), "{id}");
            assert!(
                resolves(&example.bad, &hit.pointer),
                "{id}: {}",
                hit.pointer
            );
            assert!(
                !hit.clause.as_deref().unwrap_or_default().is_empty(),
                "{id}"
            );
        }
        if PolicyPack::shipped().severity(id) == Severity::Block {
            assert!(checked.findings.iter().any(Finding::blocks), "{id}");
        }
    }
}

#[test]
fn the_good_document_is_clean_and_runs() {
    for example in examples() {
        let checked = said(&example, &example.good);
        let serious: Vec<_> = checked
            .findings
            .iter()
            .filter(|one| one.id == example.id || one.severity != Severity::Warn)
            .collect();
        assert!(serious.is_empty(), "{}: {serious:#?}", example.id);
        assert!(checked.compiled.is_some(), "{}", example.id);
    }
}

#[test]
fn each_bad_document_is_one_change_away_from_lawful() {
    for example in examples() {
        let others: Vec<String> = said(&example, &example.bad)
            .findings
            .into_iter()
            .filter(|one| one.id.starts_with("REF-") && one.id != example.id && one.blocks())
            .map(|one| format!("{} {}", one.id, one.pointer))
            .collect();
        // A feature behind a share is both: a locked feature and a reward for sharing.
        let expected: &[&str] = match example.id.as_str() {
            "REF-L11" => &["REF-L08 /rules/1/when"],
            _ => &[],
        };
        assert_eq!(others, expected, "{}", example.id);
    }
}

/// What is left of a text without the document's own words, which stand in quotes or braces.
fn bare(text: &str) -> String {
    let mut left = String::new();
    let mut depth = 0_u32;
    for letter in text.chars() {
        match letter {
            '“' | '{' => depth += 1,
            '”' | '}' => depth = depth.saturating_sub(1),
            other if depth == 0 => left.push(other),
            _ => {}
        }
    }
    left
}

/// Words of a fix that tell somebody to do something.
const DEEDS: [&str; 20] = [
    "删",
    "改",
    "写",
    "加",
    "补",
    "降",
    "换",
    "打开",
    "设",
    "用",
    "确认",
    "拆",
    "给",
    "放",
    "对所有人",
    "任何账号",
    "最多",
    "排除",
    "调整",
    "选",
];

/// Plain Chinese: no letters outside quotes, short, and a fix that says what to do.
pub(crate) fn is_plain(finding: &Finding) -> Result<(), String> {
    for text in [&finding.message, &finding.fix] {
        let bare = bare(text);
        let chinese = bare
            .chars()
            .any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
        let foreign = bare.chars().any(|letter| letter.is_ascii_alphabetic());
        if !chinese || foreign || text.chars().count() > 120 {
            return Err(format!("{} {text}", finding.id));
        }
    }
    let does = DEEDS.iter().any(|deed| finding.fix.contains(deed));
    if does {
        Ok(())
    } else {
        Err(format!("{} {}", finding.id, finding.fix))
    }
}

#[test]
fn what_is_said_is_plain_chinese() {
    let mut wrong = Vec::new();
    for example in examples() {
        for document in [&example.bad, &example.good] {
            for finding in said(&example, document).findings {
                wrong.extend(is_plain(&finding).err());
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
