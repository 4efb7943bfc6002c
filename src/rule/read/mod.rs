//! From JSON to [`RuleSet`]: unknown fields, empty groups and anything beyond the bounds are refused with a pointer.

mod condition;
mod declared;
mod effect;
mod fields;
mod rule;
mod strict;
#[cfg(test)]
mod tests;

use super::document::{BenefitSpec, MAX_BYTES, MAX_RULES, ProgrammeCaps, Rule, RuleSet};
use super::finding::{Finding, at};
use chrono::NaiveDate;
use fields::{Faults, Fields, is_slug};
use serde_json::{Value as Json, error::Category};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

impl RuleSet {
    /// Reads a document as text; every fault comes with its pointer. At most 4 MiB, no key twice.
    pub fn parse(text: &str) -> Result<Self, Vec<Finding>> {
        if text.len() > MAX_BYTES {
            return Err(vec![too_large()]);
        }
        match serde_json::from_str::<strict::Strict>(text) {
            Ok(strict::Strict(json)) => read(&json),
            Err(error) => Err(vec![not_json(text, &error)]),
        }
    }

    /// Reads a document already parsed from JSON.
    pub fn from_json(json: &Json) -> Result<Self, Vec<Finding>> {
        let mut size = Size(0);
        // Fails exactly when the bound is passed.
        if serde_json::to_writer(&mut size, json).is_err() {
            return Err(vec![too_large()]);
        }
        read(json)
    }
}

/// What the reader says where commas and brackets are right.
const KNOWN: [(&str, &str); 3] = [
    ("recursion limit", "嵌套得太深"),
    ("control character", "的文字里有换行或别的控制字符"),
    ("number out of range", "的数字太大"),
];

/// Where the text stops being JSON, and why as far as people can use it: the reader's own reasons are for programmers.
fn not_json(text: &str, error: &serde_json::Error) -> Finding {
    // The reader counts bytes, editors count characters.
    let line = text.split('\n').nth(error.line().saturating_sub(1));
    let before = line.into_iter().flat_map(str::char_indices);
    let column = before
        .take_while(|(byte, _)| *byte < error.column())
        .count();
    let place = format!("第 {} 行第 {column} 列", error.line());
    let message = match error.classify() {
        Category::Eof => format!("文档到{place}就断了,后面还缺内容"),
        // What `strict` says, without the place the reader adds to it.
        Category::Data => {
            let said = error.to_string();
            let reason = said.rsplit_once(" at line ").map(|(reason, _)| reason);
            format!("{place}:{}", reason.unwrap_or(&said))
        }
        Category::Syntax | Category::Io => {
            let said = error.to_string();
            let known = KNOWN.iter().find(|(english, _)| said.contains(english));
            known.map_or_else(
                || format!("{place}不是合法的 JSON"),
                |(_, chinese)| format!("{place}{chinese}"),
            )
        }
    };
    Finding::block("RULE-JSON", "", message, "检查逗号、引号、括号和重复的字段")
}

fn too_large() -> Finding {
    Finding::block(
        "RULE-SIZE",
        "",
        "文档超过 4 MiB",
        "删减规则或拆成两个规则集",
    )
}

struct Size(usize);

impl Write for Size {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        if self.0 > MAX_BYTES {
            Err(std::io::ErrorKind::FileTooLarge.into())
        } else {
            Ok(bytes.len())
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn read(json: &Json) -> Result<RuleSet, Vec<Finding>> {
    let mut faults = Faults::default();
    nul(&mut faults, "", json);
    if !faults.0.is_empty() {
        return Err(faults.0);
    }
    let set = document(&mut faults, json);
    match set {
        Some(set) if faults.0.is_empty() => Ok(set),
        _ => Err(faults.0),
    }
}

/// Refuses NUL characters wherever they hide: PostgreSQL cannot keep them. The depth is the JSON reader's, 128 at most.
fn nul(faults: &mut Faults, pointer: &str, json: &Json) {
    match json {
        Json::String(text) if text.contains('\0') => {
            faults.add(
                pointer,
                "这里有看不见的 NUL 字符",
                "删掉它,重新输入这段文字",
            );
        }
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                nul(faults, &at(pointer, index), item);
            }
        }
        Json::Object(map) => {
            for (key, value) in map {
                if key.contains('\0') {
                    faults.add(
                        pointer,
                        "字段名里有看不见的 NUL 字符",
                        "删掉它,重新输入字段名",
                    );
                } else {
                    nul(faults, &at(pointer, key), value);
                }
            }
        }
        Json::String(_) | Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

fn document(faults: &mut Faults, json: &Json) -> Option<RuleSet> {
    let mut fields = Fields::open(faults, "", json)?;
    fields.need(faults, "schema");
    fields.int(faults, "schema", 1, 1);
    let name = fields.need_text(faults, "name", 100);
    let organiser = fields.text(faults, "organiser", 100);
    let (from, to) = fields
        .get("period")
        .map_or((None, None), |json| period(faults, json));
    let parameters = map_of(
        faults,
        &mut fields,
        "parameters",
        |faults, pointer, json| {
            if json.is_object() || json.is_null() {
                faults.add(
                    pointer,
                    "参数须是一个值或一列值",
                    "写成数字、文字、true/false 或它们的列表",
                );
                return None;
            }
            Some(json.clone())
        },
    );
    let rules = rules(faults, &mut fields);
    let benefits: BTreeMap<String, BenefitSpec> =
        map_of(faults, &mut fields, "benefits", effect::benefit);
    let generations = fields
        .get("generations")
        .map(|json| generations(faults, json))
        .unwrap_or_default();
    let inviter_thanks = fields.text(faults, "inviter_thanks", 64);
    let caps = fields
        .get("caps")
        .and_then(|json| programme_caps(faults, json))
        .unwrap_or_default();
    if let Some(json) = fields.get(super::file::EXPORTED_FROM) {
        origin(faults, json);
    }
    let declared = declared::read(faults, &mut fields);
    fields.finish(faults);
    Some(RuleSet {
        name: name?,
        organiser,
        from,
        to,
        parameters,
        rules,
        benefits,
        generations,
        inviter_thanks,
        caps,
        declared,
    })
}

/// Where an exported file came from; it says nothing about the rules.
fn origin(faults: &mut Faults, json: &Json) {
    let place = at("", super::file::EXPORTED_FROM);
    let Some(mut fields) = Fields::open(faults, &place, json) else {
        return;
    };
    fields.need(faults, "version");
    fields.int(faults, "version", 1, i64::from(i32::MAX));
    let sha256 = fields.need_text(faults, "sha256", 64);
    let good =
        |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if sha256.is_some_and(|text| !good(&text)) {
        faults.add(
            &fields.at("sha256"),
            "这不是校验值",
            "删掉整个 exported_from,或用原来导出的文件",
        );
    }
    fields.finish(faults);
}

fn period(faults: &mut Faults, json: &Json) -> (Option<NaiveDate>, Option<NaiveDate>) {
    let Some(mut fields) = Fields::open(faults, "/period", json) else {
        return (None, None);
    };
    let mut date = |faults: &mut Faults, key: &'static str| {
        let text = fields.text(faults, key, 10)?;
        let found = NaiveDate::parse_from_str(&text, "%Y-%m-%d")
            .ok()
            .filter(|_| text.len() == 10);
        if found.is_none() {
            faults.add(
                &at("/period", key),
                format!("“{text}”不是日期"),
                "写成 2026-03-01",
            );
        }
        found
    };
    let (from, to) = (date(faults, "from"), date(faults, "to"));
    fields.finish(faults);
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        faults.add("/period/to", "结束日早于开始日", "改正日期");
    }
    (from, to)
}

fn rules(faults: &mut Faults, fields: &mut Fields<'_>) -> Vec<Rule> {
    fields.need(faults, "rules");
    let items = fields.list(faults, "rules", 0).unwrap_or_default();
    if items.len() > MAX_RULES {
        faults.add_as(
            "RULE-SIZE",
            "/rules",
            format!("最多 {MAX_RULES} 条规则,这里有 {} 条", items.len()),
            "删减规则",
        );
        return Vec::new();
    }
    let mut found: Vec<Rule> = Vec::new();
    let mut ids = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        if faults.full() {
            break;
        }
        let pointer = at("/rules", index);
        if let Some(rule) = rule::read(faults, &pointer, item) {
            if !ids.insert(rule.id.clone()) {
                faults.add(
                    &at(&pointer, "id"),
                    format!("规则编号“{}”重复", rule.id),
                    "每条规则用不同的编号",
                );
            }
            found.push(rule);
        }
    }
    found
}

fn map_of<T>(
    faults: &mut Faults,
    fields: &mut Fields<'_>,
    key: &'static str,
    one: impl Fn(&mut Faults, &str, &Json) -> Option<T>,
) -> BTreeMap<String, T> {
    let pointer = fields.at(key);
    let Some(json) = fields.get(key) else {
        return BTreeMap::new();
    };
    let Json::Object(map) = json else {
        faults.add(
            &pointer,
            format!("“{key}”须是 {{…}} 对象"),
            "照文档样例写成对象",
        );
        return BTreeMap::new();
    };
    if map.len() > 1_000 {
        faults.add_as(
            "RULE-SIZE",
            &pointer,
            format!("“{key}”最多 1000 项"),
            "删减",
        );
        return BTreeMap::new();
    }
    let mut found = BTreeMap::new();
    for (name, value) in map {
        let place = at(&pointer, name);
        if !is_slug(name) {
            faults.add(
                &place,
                "名字须由小写字母、数字、- 和 _ 组成",
                "换一个这样的名字",
            );
        }
        if let Some(value) = one(faults, &place, value) {
            found.insert(name.clone(), value);
        }
    }
    found
}

/// Keys are kept as written ("4", "3+"): what is beyond the third generation is the lint's to name (REF-L12).
fn generations(faults: &mut Faults, json: &Json) -> BTreeMap<String, String> {
    let Json::Object(map) = json else {
        faults.add(
            "/generations",
            "“generations”须是 {…} 对象",
            "如 {\"1\": \"welcome_1\"}",
        );
        return BTreeMap::new();
    };
    let mut found = BTreeMap::new();
    for (key, value) in map.iter().take(100) {
        match value.as_str() {
            Some(benefit) if (1..=64).contains(&benefit.len()) && key.len() <= 20 => {
                found.insert(key.clone(), benefit.to_owned());
            }
            _ => faults.add(
                &at("/generations", key),
                "须是权益的名字",
                "写“benefits”里的一个名字",
            ),
        }
    }
    found
}

fn programme_caps(faults: &mut Faults, json: &Json) -> Option<ProgrammeCaps> {
    let mut fields = Fields::open(faults, "/caps", json)?;
    let per_inviter = rule::entries_if_any(faults, &mut fields, "per_inviter");
    let budget_fen = fields.int(faults, "budget_fen", 0, i64::MAX);
    fields.finish(faults);
    Some(ProgrammeCaps {
        per_inviter,
        budget_fen,
    })
}
