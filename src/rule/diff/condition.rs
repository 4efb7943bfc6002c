//! Conditions compared by what they ask for: parameters filled in, `not` pushed inward, groups flattened, order aside.

use super::Favours;
use crate::rule::document::{Comparison, Condition, Op, Operand, RuleSet};
use crate::rule::explain::wish;
use crate::rule::fact::Kind;
use crate::rule::value::{self, Value};
use serde_json::{Value as Json, json};
use std::cmp::Ordering;

/// A condition in its plainest form. Equal forms ask for the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    All(Vec<Form>),
    Any(Vec<Form>),
    Leaf(Leaf),
}

/// One comparison, in words, with what is needed to see which of two is stricter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    fact: String,
    op: Op,
    words: String,
    number: Option<i64>,
    list: Option<Vec<String>>,
}

/// Everything a rule asks for at once; empty for "always".
pub(super) fn asked(set: &RuleSet, when: Option<&Condition>) -> Vec<Form> {
    let Some(when) = when else {
        return Vec::new();
    };
    match form(set, when, false) {
        Form::All(inner) => inner,
        other => vec![other],
    }
}

fn form(set: &RuleSet, condition: &Condition, negated: bool) -> Form {
    match condition {
        Condition::Not(inner) => form(set, inner, !negated),
        Condition::Test(test) => Form::Leaf(leaf(set, test, negated)),
        Condition::All(inner) => group(set, inner, negated, !negated),
        Condition::Any(inner) => group(set, inner, negated, negated),
    }
}

/// Members of the same kind are taken up, doubles dropped, the rest put in one order.
fn group(set: &RuleSet, inner: &[Condition], negated: bool, all: bool) -> Form {
    let mut members = Vec::new();
    for one in inner {
        match form(set, one, negated) {
            Form::All(more) if all => members.extend(more),
            Form::Any(more) if !all => members.extend(more),
            other => members.push(other),
        }
    }
    members.sort_by_cached_key(words);
    members.dedup();
    if members.len() == 1
        && let Some(only) = members.pop()
    {
        return only;
    }
    if all {
        Form::All(members)
    } else {
        Form::Any(members)
    }
}

fn leaf(set: &RuleSet, test: &Comparison, negated: bool) -> Leaf {
    let op = if negated { test.op.negated() } else { test.op };
    let want = match &test.operand {
        None => Json::Null,
        Some(Operand::Literal(json)) => json.clone(),
        Some(Operand::Fact(fact)) => json!({ "fact": fact }),
        Some(Operand::Parameter(name)) => set.parameters.get(name).cloned().unwrap_or_default(),
    };
    let fact = test.fact.to_string();
    let Ok(meaning) = test.fact.meaning() else {
        let words = format!("{fact} {op:?} {want}");
        return Leaf {
            fact,
            op,
            words,
            number: None,
            list: None,
        };
    };
    let kind = if meaning.kind == Kind::List {
        Kind::Text
    } else {
        meaning.kind
    };
    let number = match value::read(kind, &want) {
        Ok(Value::Int(number)) => Some(number),
        _ => None,
    };
    let list = want.as_array().map(|items| {
        let shown = |item: &Json| {
            value::read(kind, item).map_or_else(
                |_| item.to_string(),
                |value| value::show(kind, meaning.unit, &value),
            )
        };
        let mut list: Vec<String> = items.iter().map(shown).collect();
        if op != Op::Between && op != Op::NotBetween {
            list.sort();
            list.dedup();
        }
        list
    });
    let words = match &list {
        // A list is told in one order, so that the order it was written in is no difference.
        Some(list) if op == Op::In || op == Op::NotIn => {
            let relation = if op == Op::In {
                "须是其中之一:"
            } else {
                "不能是其中任何一个:"
            };
            format!("{}{relation}{}", meaning.label, list.join("、"))
        }
        _ => wish(&meaning, op, &want),
    };
    Leaf {
        fact,
        op,
        words,
        number,
        list,
    }
}

/// A condition as people read it.
pub(super) fn words(form: &Form) -> String {
    let join = |inner: &[Form], with: &str| inner.iter().map(words).collect::<Vec<_>>().join(with);
    match form {
        Form::Leaf(leaf) => leaf.words.clone(),
        Form::All(inner) => format!("({})", join(inner, " 且 ")),
        Form::Any(inner) => format!("({})", join(inner, " 或 ")),
    }
}

/// What changed between two lists of demands, in words, and whether it is harder to meet.
pub(super) fn changes(old: &[Form], new: &[Form]) -> Vec<(String, Option<Ordering>)> {
    let gone: Vec<Form> = old
        .iter()
        .filter(|one| !new.contains(one))
        .cloned()
        .collect();
    let mut came: Vec<Form> = new
        .iter()
        .filter(|one| !old.contains(one))
        .cloned()
        .collect();
    let mut out = Vec::new();
    for was in gone {
        let twin = came.iter().position(|is| same_fact(&was, is));
        match twin.map(|index| came.remove(index)) {
            Some(is) => {
                let text = format!("条件由“{}”改为“{}”", words(&was), words(&is));
                out.push((text, harder(&was, &is)));
            }
            None => out.push((format!("取消条件“{}”", words(&was)), Some(Ordering::Less))),
        }
    }
    for is in came {
        out.push((format!("新增条件“{}”", words(&is)), Some(Ordering::Greater)));
    }
    out
}

fn same_fact(one: &Form, other: &Form) -> bool {
    match (one, other) {
        (Form::Leaf(one), Form::Leaf(other)) => one.fact == other.fact,
        _ => false,
    }
}

/// Whether the second demand is harder to meet than the first (`Greater`) or easier; `None` when that cannot be said.
fn harder(was: &Form, is: &Form) -> Option<Ordering> {
    let (Form::Leaf(was), Form::Leaf(is)) = (was, is) else {
        return None;
    };
    if was.op != is.op {
        return None;
    }
    if let (Some(was_number), Some(is_number)) = (was.number, is.number) {
        return match was.op {
            Op::Gte | Op::Gt => Some(is_number.cmp(&was_number)),
            Op::Lte | Op::Lt => Some(was_number.cmp(&is_number)),
            _ => None,
        };
    }
    let (was_list, is_list) = (was.list.as_ref()?, is.list.as_ref()?);
    let fewer = is_list.iter().all(|one| was_list.contains(one));
    let more = was_list.iter().all(|one| is_list.contains(one));
    match (was.op, fewer, more) {
        (Op::In, true, false) | (Op::NotIn, false, true) => Some(Ordering::Greater),
        (Op::In, false, true) | (Op::NotIn, true, false) => Some(Ordering::Less),
        _ => None,
    }
}

/// Whom a harder or easier demand favours, given whom the rule does good.
pub(super) fn favours(boon: Favours, harder: Option<Ordering>) -> Favours {
    match harder {
        Some(Ordering::Greater) => boon.turned(),
        Some(Ordering::Less) => boon,
        _ => Favours::Neither,
    }
}
