//! Reading conditions: groups, comparisons, operands.

use super::fields::{Faults, Fields};
use crate::rule::document::{Comparison, Condition, MAX_CONDITIONS, MAX_NESTING, Op, Operand};
use crate::rule::finding::at;
use crate::rule::reference::FactRef;
use serde_json::Value as Json;

/// Builds a group from its members.
type Group = fn(Vec<Condition>) -> Condition;

/// Reads the `when` of one rule and counts its comparisons.
pub(super) fn read(faults: &mut Faults, pointer: &str, json: &Json) -> Option<Condition> {
    let before = faults.0.len();
    let mut tests = 0;
    let tree = node(faults, pointer, json, 1, &mut tests);
    if tests > MAX_CONDITIONS {
        faults.add_as(
            "RULE-SIZE",
            pointer,
            format!("一条规则最多 {MAX_CONDITIONS} 个条件,这里超过了"),
            "拆成几条规则",
        );
    }
    tree.filter(|_| faults.0.len() == before)
}

fn node(
    faults: &mut Faults,
    pointer: &str,
    json: &Json,
    depth: usize,
    tests: &mut usize,
) -> Option<Condition> {
    let mut fields = Fields::open(faults, pointer, json)?;
    let is_group = ["all", "any", "not"]
        .into_iter()
        .any(|word| json.get(word).is_some());
    if is_group && depth > MAX_NESTING {
        faults.add_as(
            "RULE-SIZE",
            pointer,
            format!("条件最多嵌套 {MAX_NESTING} 层"),
            "把条件摊平",
        );
        return None;
    }
    let groups: [(&'static str, Group); 2] = [("all", Condition::All), ("any", Condition::Any)];
    for (word, build) in groups {
        if let Some(inner) = fields.get(word) {
            let found = group(faults, &at(pointer, word), inner, depth, tests).map(build);
            fields.finish(faults);
            return found;
        }
    }
    if let Some(inner) = fields.get("not") {
        let found = node(faults, &at(pointer, "not"), inner, depth + 1, tests);
        fields.finish(faults);
        return found.map(|inner| Condition::Not(Box::new(inner)));
    }
    *tests += 1;
    if *tests > MAX_CONDITIONS {
        return None;
    }
    comparison(faults, fields).map(Condition::Test)
}

fn group(
    faults: &mut Faults,
    pointer: &str,
    json: &Json,
    depth: usize,
    tests: &mut usize,
) -> Option<Vec<Condition>> {
    match json.as_array() {
        // An empty `all` would invite everybody.
        Some(items) if items.is_empty() => {
            faults.add(
                pointer,
                "条件组是空的:空的“all”会对所有人生效",
                "写上条件,或删掉整个“when”",
            );
            None
        }
        Some(items) => {
            let mut found = Vec::new();
            for (index, item) in items.iter().enumerate() {
                if *tests > MAX_CONDITIONS || faults.full() {
                    return None;
                }
                found.push(node(faults, &at(pointer, index), item, depth + 1, tests));
            }
            found.into_iter().collect()
        }
        None => {
            faults.add(pointer, "条件组须是 […] 列表", "改成列表");
            None
        }
    }
}

fn comparison(faults: &mut Faults, mut fields: Fields<'_>) -> Option<Comparison> {
    let pointer = fields.pointer.clone();
    let fact = fields
        .need_text(faults, "fact", 120)
        .and_then(|text| reference(faults, &fields.at("fact"), &text));
    let op = fields.need_text(faults, "op", 20).and_then(|text| {
        let found = Op::WORDS
            .into_iter()
            .find(|(word, _)| *word == text)
            .map(|(_, op)| op);
        if found.is_none() {
            let words: Vec<_> = Op::WORDS.iter().map(|(word, _)| *word).collect();
            faults.add(
                &fields.at("op"),
                format!("不认识的比较“{text}”"),
                format!("可用:“{}”", words.join("”“")),
            );
        }
        found
    });
    let value = fields.get("value");
    let place = fields.at("value");
    fields.finish(faults);
    let op = op?;
    let operand = match (op, value) {
        (Op::IsKnown | Op::IsUnknown, None) => None,
        (Op::IsKnown | Op::IsUnknown, Some(_)) => {
            faults.add(&place, "这种比较不带“value”", "删掉“value”");
            return None;
        }
        (_, None) => {
            faults.add(&pointer, "缺少“value”", "补上要比较的值");
            return None;
        }
        (_, Some(json)) => Some(operand(faults, &place, json)?),
    };
    Some(Comparison {
        pointer: pointer.into(),
        fact: fact?,
        op,
        operand,
    })
}

fn operand(faults: &mut Faults, pointer: &str, json: &Json) -> Option<Operand> {
    if !json.is_object() {
        return Some(Operand::Literal(json.clone()));
    }
    let mut fields = Fields::open(faults, pointer, json)?;
    let fact = fields.text(faults, "fact", 120);
    let parameter = fields.text(faults, "parameter", 64);
    fields.finish(faults);
    match (fact, parameter) {
        (Some(text), None) => reference(faults, &at(pointer, "fact"), &text).map(Operand::Fact),
        (None, Some(name)) => Some(Operand::Parameter(name)),
        (_, _) => {
            faults.add(
                pointer,
                "须恰好写一个“fact”或“parameter”",
                "写成 {\"fact\": …} 或 {\"parameter\": …}",
            );
            None
        }
    }
}

fn reference(faults: &mut Faults, pointer: &str, text: &str) -> Option<FactRef> {
    match text.parse() {
        Ok(found) => Some(found),
        Err(reason) => {
            faults.add_as("RULE-FACT", pointer, reason, "从事实目录里选一个");
            None
        }
    }
}
