//! Reading one rule: triggers, caps, audience, schedule.

use super::fields::{Faults, Fields};
use super::{condition, declared, effect};
use crate::rule::document::{Cap, Caps, Hours, Rule, Segment, Trigger};
use crate::rule::event::EventKind;
use crate::rule::finding::at;
use serde_json::Value as Json;

/// Most effects of one rule, caps of one kind, triggers, audience words.
const MAX_ENTRIES: usize = 64;

/// Reads one entry of `rules`.
pub(super) fn read(faults: &mut Faults, pointer: &str, json: &Json) -> Option<Rule> {
    let mut fields = Fields::open(faults, pointer, json)?;
    let before = faults.0.len();
    let id = fields.need_slug(faults, "id");
    let title = fields.need_text(faults, "title", 100);
    let on = triggers(faults, &mut fields);
    let when = fields
        .get("when")
        .map(|when| condition::read(faults, &at(pointer, "when"), when));
    fields.need(faults, "then");
    let then = entries(faults, &mut fields, "then", effect::read);
    let caps = fields
        .get("caps")
        .map(|json| caps(faults, &at(pointer, "caps"), json));
    let audience = fields
        .get("audience")
        .map(|json| audience(faults, &at(pointer, "audience"), json));
    let schedule = fields
        .get("schedule")
        .map(|json| schedule(faults, &at(pointer, "schedule"), json));
    let priority = fields.int(faults, "priority", -1_000, 1_000).unwrap_or(0);
    let exclusive_group = fields.slug(faults, "exclusive_group");
    let consent = declared::consent(faults, &mut fields);
    fields.finish(faults);
    if faults.0.len() > before {
        return None;
    }
    Some(Rule {
        pointer: pointer.to_owned(),
        id: id?,
        title: title?,
        on,
        when: when.flatten(),
        then,
        caps: caps.flatten().unwrap_or_default(),
        audience: audience.unwrap_or_default(),
        schedule: schedule.flatten(),
        priority,
        exclusive_group,
        consent,
    })
}

/// Reads every entry of a non-empty list with `one`; bounded.
pub(super) fn entries<T>(
    faults: &mut Faults,
    fields: &mut Fields<'_>,
    key: &'static str,
    one: impl Fn(&mut Faults, &str, &Json) -> Option<T>,
) -> Vec<T> {
    let pointer = fields.at(key);
    let items = fields.list(faults, key, 1).unwrap_or_default();
    if items.len() > MAX_ENTRIES {
        faults.add_as(
            "RULE-SIZE",
            &pointer,
            format!("“{key}”最多 {MAX_ENTRIES} 项"),
            "删掉一些",
        );
        return Vec::new();
    }
    items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| one(faults, &at(&pointer, index), item))
        .collect()
}

fn triggers(faults: &mut Faults, fields: &mut Fields<'_>) -> Vec<Trigger> {
    fields.need(faults, "on");
    let found = entries(faults, fields, "on", |faults, pointer, item| {
        match item.as_str() {
            Some(name) if name.chars().count() <= 64 => Some(
                EventKind::parse(name)
                    .map_or_else(|| Trigger::Other(name.to_owned()), Trigger::Known),
            ),
            _ => {
                faults.add(
                    pointer,
                    "事件须是文字(如“rating.submitted”)",
                    "从事件目录里选一个",
                );
                None
            }
        }
    });
    for (index, trigger) in found.iter().enumerate() {
        if found.iter().take(index).any(|earlier| earlier == trigger) {
            faults.add(
                &at(&fields.at("on"), index),
                "同一个事件写了两次",
                "删掉一个",
            );
        }
    }
    found
}

fn caps(faults: &mut Faults, pointer: &str, json: &Json) -> Option<Caps> {
    let mut fields = Fields::open(faults, pointer, json)?;
    let found = Caps {
        per_customer: entries_if_any(faults, &mut fields, "per_customer"),
        per_rule: entries_if_any(faults, &mut fields, "per_rule"),
        budget_fen: fields.int(faults, "budget_fen", 0, i64::MAX),
    };
    fields.finish(faults);
    Some(found)
}

/// Reads a list of caps that may be left out but not be empty.
pub(super) fn entries_if_any(
    faults: &mut Faults,
    fields: &mut Fields<'_>,
    key: &'static str,
) -> Vec<Cap> {
    entries(faults, fields, key, |faults, pointer, item| {
        let mut fields = Fields::open(faults, pointer, item)?;
        fields.need(faults, "times");
        fields.need(faults, "per");
        let times = fields
            .int(faults, "times", 1, 1_000_000)
            .and_then(|times| u32::try_from(times).ok());
        let per = fields.span(faults, "per");
        fields.finish(faults);
        Some(Cap {
            times: times?,
            per: per?,
        })
    })
}

fn audience(faults: &mut Faults, pointer: &str, json: &Json) -> Vec<Segment> {
    let Json::Object(map) = json else {
        faults.add(
            pointer,
            "“audience”须是 {…} 对象",
            "如 {\"city\": [\"上海\"]}",
        );
        return Vec::new();
    };
    let mut found = Vec::new();
    for (key, value) in map.iter().take(MAX_ENTRIES) {
        let place = at(pointer, key);
        let words: Option<Vec<String>> = match value.as_array() {
            Some(items) if (1..=MAX_ENTRIES).contains(&items.len()) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect(),
            _ => None,
        };
        match words {
            Some(words) => found.push(Segment {
                pointer: place,
                key: key.clone(),
                words,
            }),
            None => faults.add(
                &place,
                "须是 1 到 64 个文字的列表",
                "如 [\"上海\", \"北京\"]",
            ),
        }
    }
    if map.is_empty() {
        faults.add(pointer, "“audience”是空的", "写上人群,或整个删掉表示所有人");
    }
    found
}

fn schedule(faults: &mut Faults, pointer: &str, json: &Json) -> Option<Hours> {
    let mut fields = Fields::open(faults, pointer, json)?;
    let text = fields.need_text(faults, "hours", 11);
    let place = fields.at("hours");
    fields.finish(faults);
    let text = text?;
    let found = text.split_once('-').and_then(|(from, to)| {
        Some(Hours {
            from: minute(from)?,
            to: minute(to)?,
        })
    });
    match found {
        Some(hours) if hours.from < hours.to => Some(hours),
        _ => {
            faults.add(
                &place,
                format!("“{text}”不是时段"),
                "写成 09:00-20:30,后一个时刻须晚于前一个",
            );
            None
        }
    }
}

fn minute(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !two(hours) || !two(minutes) {
        return None;
    }
    let (hours, minutes) = (hours.parse::<u32>().ok()?, minutes.parse::<u32>().ok()?);
    (minutes < 60 && hours * 60 + minutes <= 24 * 60).then_some(hours * 60 + minutes)
}
