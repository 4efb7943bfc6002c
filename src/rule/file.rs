//! A rule set as a file: always in the same order and layout, with where it came from, so that files compare line by line
//! and an export that was imported unchanged is exported again byte by byte.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value as Json, json};

/// Where a document came from: kept in it for as long as nobody changes anything else.
pub(super) const EXPORTED_FROM: &str = "exported_from";

/// The grammar's keys in the order people read them. Names that people choose follow by the alphabet.
const ORDER: &[&str] = &[
    "schema",
    "version",
    "sha256",
    "id",
    "name",
    "title",
    "organiser",
    "period",
    "from",
    "to",
    "parameters",
    "rules",
    "on",
    "when",
    "all",
    "any",
    "not",
    "fact",
    "op",
    "value",
    "parameter",
    "then",
    "effect",
    "template",
    "send",
    "benefit",
    "once",
    "tag",
    "text",
    "role",
    "feature",
    "for",
    "appeal",
    "kind",
    "fen",
    "sku",
    "value_fen",
    "privilege",
    "expires_after",
    "benefits",
    "generations",
    "inviter_thanks",
    "caps",
    "per_inviter",
    "per_customer",
    "per_rule",
    "budget_fen",
];

/// Widest line a list or an object is written in.
const WIDTH: usize = 110;

/// The document as a file of version `version`, or of the file it came from if nothing else was changed since.
pub fn export_text(document: &Json, version: i32) -> String {
    let Json::Object(map) = document else {
        return text(document);
    };
    let mut map = map.clone();
    let origin = map.remove(EXPORTED_FROM);
    let sha256 = hex::encode(digest(
        &SHA256,
        one_line(&Json::Object(map.clone())).as_bytes(),
    ));
    let unchanged = origin.filter(|origin| origin.get("sha256") == Some(&json!(sha256)));
    let origin = unchanged.unwrap_or_else(|| json!({ "version": version, "sha256": sha256 }));
    map.insert(EXPORTED_FROM.to_owned(), origin);
    text(&Json::Object(map))
}

fn text(json: &Json) -> String {
    let mut out = String::new();
    write(&mut out, json, 0);
    out.push('\n');
    out
}

fn rank(key: &str) -> usize {
    ORDER
        .iter()
        .position(|known| *known == key)
        .unwrap_or(ORDER.len())
}

/// Entries in the order of the file; where it came from goes last.
fn entries(map: &Map<String, Json>) -> Vec<(&String, &Json)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by(|(a, _), (b, _)| {
        let key = |name: &str| (name == EXPORTED_FROM, rank(name));
        key(a).cmp(&key(b)).then_with(|| a.cmp(b))
    });
    entries
}

fn one_line(json: &Json) -> String {
    match json {
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(one_line).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(map) => {
            let entry = |(key, value): (&String, &Json)| {
                format!("{}: {}", Json::from(key.as_str()), one_line(value))
            };
            let entries: Vec<String> = entries(map).into_iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// Whether a value is short enough for one line; looks no further than it must.
fn fits(json: &Json, room: usize) -> Option<usize> {
    let used = match json {
        Json::Array(items) => items.iter().try_fold(2, |sum, item| {
            Some(fits(item, room)? + sum + 2).filter(|sum| *sum <= room)
        })?,
        Json::Object(map) => map.iter().try_fold(2, |sum, (key, value)| {
            Some(fits(value, room)? + sum + key.len() + 6).filter(|sum| *sum <= room)
        })?,
        Json::String(text) => text.len() + 2,
        other => other.to_string().len(),
    };
    Some(used).filter(|used| *used <= room)
}

fn write(out: &mut String, json: &Json, depth: usize) {
    let short = depth > 1 && fits(json, WIDTH.saturating_sub(depth * 2)).is_some();
    match json {
        Json::Array(items) if !short && !items.is_empty() => {
            let lines = items.iter().map(|item| (String::new(), item));
            block(out, ['[', ']'], lines, depth);
        }
        Json::Object(map) if !short && !map.is_empty() => {
            let lines = entries(map)
                .into_iter()
                .map(|(key, value)| (format!("{}: ", Json::from(key.as_str())), value));
            block(out, ['{', '}'], lines, depth);
        }
        other => out.push_str(&one_line(other)),
    }
}

fn block<'a>(
    out: &mut String,
    [open, close]: [char; 2],
    lines: impl Iterator<Item = (String, &'a Json)>,
    depth: usize,
) {
    out.push(open);
    for (index, (key, value)) in lines.enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(depth + 1));
        out.push_str(&key);
        write(out, value, depth + 1);
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push(close);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{DEFAULT_RULESET, RuleSet};

    fn shipped() -> Json {
        serde_json::from_str(DEFAULT_RULESET).unwrap()
    }

    #[test]
    fn an_export_reads_back_as_the_same_rules_and_exports_again_byte_by_byte() {
        let first = export_text(&shipped(), 3);
        let back: Json = serde_json::from_str(&first).unwrap();
        assert_eq!(
            RuleSet::parse(&first).unwrap(),
            RuleSet::from_json(&shipped()).unwrap()
        );
        assert_eq!(export_text(&back, 9), first, "the origin is kept");
        assert_eq!(back["exported_from"]["version"], 3);
        assert!(first.lines().all(|line| line.chars().count() <= 130));
    }

    #[test]
    fn what_was_changed_has_a_new_origin() {
        let mut back: Json = serde_json::from_str(&export_text(&shipped(), 3)).unwrap();
        let before = back["exported_from"]["sha256"].clone();
        back["benefits"]["thanks"]["fen"] = json!(2500);
        let changed: Json = serde_json::from_str(&export_text(&back, 9)).unwrap();
        assert_eq!(changed["exported_from"]["version"], 9);
        assert_ne!(changed["exported_from"]["sha256"], before);
    }

    #[test]
    fn the_order_of_keys_in_the_document_does_not_matter() {
        let (a, b) = (
            r#"{"schema":1,"name":"a","rules":[]}"#,
            r#"{"rules":[],"name":"a","schema":1}"#,
        );
        let read = |text: &str| serde_json::from_str::<Json>(text).unwrap();
        assert_eq!(export_text(&read(a), 1), export_text(&read(b), 1));
    }

    #[test]
    fn an_origin_that_is_none_is_refused_with_its_pointer() {
        let mut document = shipped();
        for wrong in [
            json!("v3"),
            json!({"version": 0, "sha256": "0".repeat(64)}),
            json!({"version": 1, "sha256": "zz"}),
            json!({"version": 1, "sha256": "0".repeat(64), "by": "wang"}),
        ] {
            document["exported_from"] = wrong.clone();
            let faults = RuleSet::from_json(&document).unwrap_err();
            assert!(
                faults
                    .iter()
                    .all(|one| one.pointer.starts_with("/exported_from")),
                "{wrong}: {faults:?}"
            );
        }
    }
}
