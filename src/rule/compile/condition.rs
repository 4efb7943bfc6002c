//! Typing of conditions: facts looked up, literals read exactly, impossible values refused, `not` pushed inward.

use crate::rule::document::{Comparison, Condition, Op, Operand, Segment};
use crate::rule::domain::Domain;
use crate::rule::fact::Kind;
use crate::rule::finding::{Finding, at};
use crate::rule::reference::{FactRef, Meaning};
use crate::rule::tree::{Node, Rhs, Test};
use crate::rule::value::{self, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most entries of an `in` list.
const MAX_LIST: usize = 1_000;

type Parameters = BTreeMap<String, Json>;

/// Types one condition; `negated` counts the `not`s above it.
pub(super) fn build(
    findings: &mut Vec<Finding>,
    parameters: &Parameters,
    condition: &Condition,
    negated: bool,
) -> Option<Node> {
    let group = |findings: &mut Vec<Finding>, inner: &[Condition]| -> Option<Vec<Node>> {
        let nodes: Vec<_> = inner
            .iter()
            .map(|one| build(findings, parameters, one, negated))
            .collect();
        nodes.into_iter().collect()
    };
    match (condition, negated) {
        (Condition::All(inner), false) | (Condition::Any(inner), true) => {
            group(findings, inner).map(Node::All)
        }
        (Condition::Any(inner), false) | (Condition::All(inner), true) => {
            group(findings, inner).map(Node::Any)
        }
        (Condition::Not(inner), _) => build(findings, parameters, inner, !negated),
        (Condition::Test(comparison), _) => {
            let mut test = typed(findings, parameters, comparison)?;
            if negated {
                test.op = test.op.negated();
            }
            Some(Node::Test(test))
        }
    }
}

/// Turns an audience line into a comparison.
pub(super) fn segment(findings: &mut Vec<Finding>, segment: &Segment) -> Option<Node> {
    let name = match segment.key.as_str() {
        "city" => "customer.city",
        "area" => "customer.area",
        "service" => "booking.service",
        other => {
            findings.push(Finding::block(
                "RULE-AUDIENCE",
                &segment.pointer,
                format!("不能按“{other}”圈人群"),
                "可用:“city”“area”“service”",
            ));
            return None;
        }
    };
    let fact: FactRef = name.parse().ok()?;
    let meaning = fact.meaning().ok()?;
    let words = segment.words.iter().cloned().map(Value::Text).collect();
    Some(Node::Test(test(
        &segment.pointer.as_str().into(),
        &fact,
        &meaning,
        Op::In,
        Rhs::Many(words),
    )))
}

fn test(pointer: &Arc<str>, fact: &FactRef, meaning: &Meaning, op: Op, rhs: Rhs) -> Test {
    Test {
        pointer: Arc::clone(pointer),
        fact: fact.clone(),
        key: fact.key(),
        kind: meaning.kind,
        range: (meaning.min, meaning.max),
        options: meaning.options,
        op,
        rhs,
    }
}

fn typed(
    findings: &mut Vec<Finding>,
    parameters: &Parameters,
    comparison: &Comparison,
) -> Option<Test> {
    let meaning = match comparison.fact.meaning() {
        Ok(meaning) => meaning,
        Err(reason) => {
            findings.push(Finding::block(
                "RULE-FACT",
                &at(&comparison.pointer, "fact"),
                reason,
                "从事实目录里选一个",
            ));
            return None;
        }
    };
    if let Err(reason) = suits(comparison.op, meaning.kind) {
        findings.push(Finding::block(
            "RULE-TYPE",
            &at(&comparison.pointer, "op"),
            format!("“{}”{reason}", meaning.label),
            "换一种比较",
        ));
        return None;
    }
    let place = || at(&comparison.pointer, "value");
    let rhs = match &comparison.operand {
        None => Ok(Rhs::Nothing),
        Some(Operand::Literal(json)) => literals(comparison.op, &meaning, json),
        Some(Operand::Parameter(name)) => match parameters.get(name) {
            Some(json) => literals(comparison.op, &meaning, json),
            None => Err(format!("parameters 里没有“{name}”")),
        },
        Some(Operand::Fact(other)) => other_fact(comparison.op, &meaning, other),
    };
    let rhs = match rhs {
        Ok(rhs) => rhs,
        Err(reason) => {
            findings.push(Finding::block(
                "RULE-TYPE",
                &place(),
                format!("“{}”:{reason}", meaning.label),
                "按事实的类型改写这个值",
            ));
            return None;
        }
    };
    let found = test(
        &comparison.pointer,
        &comparison.fact,
        &meaning,
        comparison.op,
        rhs,
    );
    if !surely_possible(&found) && Domain::of(&found).0.is_empty() {
        findings.push(Finding::block(
            "RULE-VALUE",
            &place(),
            format!("“{}”不可能是这个值{}", meaning.label, possible(&meaning)),
            "改成可能出现的值",
        ));
        return None;
    }
    Some(found)
}

/// Whether a comparison can hold, seen without working its values out: single words and numbers were each looked at when they
/// were read, and most bounds leave the greatest or the least number the fact can have.
fn surely_possible(test: &Test) -> bool {
    let (least, most) = test.range;
    match (test.op, &test.rhs) {
        (Op::Eq | Op::In, Rhs::One(_) | Rhs::Many(_)) => true,
        (Op::Gte, Rhs::One(Value::Int(low))) => *low <= most,
        (Op::Gt, Rhs::One(Value::Int(low))) => *low < most,
        (Op::Lte, Rhs::One(Value::Int(high))) => *high >= least,
        (Op::Lt, Rhs::One(Value::Int(high))) => *high > least,
        _ => false,
    }
}

fn possible(meaning: &Meaning) -> String {
    let shown = |number: i64| value::show(meaning.kind, meaning.unit, &Value::Int(number));
    match (meaning.kind.is_number(), meaning.max) {
        (true, i64::MAX) if meaning.min > i64::MIN => format!("(最小 {})", shown(meaning.min)),
        (true, i64::MAX) => String::new(),
        (true, max) => format!("(范围 {} 到 {})", shown(meaning.min), shown(max)),
        (false, _) if !meaning.options.is_empty() => {
            format!("(可选 {})", meaning.options.join("、"))
        }
        (false, _) => String::new(),
    }
}

/// Whether an operator makes sense for a kind.
fn suits(op: Op, kind: Kind) -> Result<(), &'static str> {
    match op {
        Op::IsKnown | Op::IsUnknown => Ok(()),
        Op::Eq | Op::Ne if kind != Kind::List => Ok(()),
        Op::Gt | Op::Gte | Op::Lt | Op::Lte | Op::Between | Op::NotBetween if kind.is_number() => {
            Ok(())
        }
        Op::In | Op::NotIn if kind.is_number() || kind == Kind::Text => Ok(()),
        Op::Contains | Op::NotContains if kind == Kind::List => Ok(()),
        Op::Gt | Op::Gte | Op::Lt | Op::Lte | Op::Between | Op::NotBetween => {
            Err("不是数字,不能比大小")
        }
        Op::Contains | Op::NotContains => Err("不是列表,不能用 contains"),
        Op::Eq | Op::Ne | Op::In | Op::NotIn => Err("不能这样比较,列表请用 contains"),
    }
}

fn literals(op: Op, meaning: &Meaning, json: &Json) -> Result<Rhs, String> {
    let one = |json: &Json| {
        let found = value::read(meaning.kind, json)?;
        possible_literal(op, meaning, &found).map(|()| found)
    };
    if !matches!(op, Op::In | Op::NotIn | Op::Between | Op::NotBetween) {
        return one(json).map(Rhs::One);
    }
    let items = json.as_array().ok_or("须是 […] 列表")?;
    if items.is_empty() || items.len() > MAX_LIST {
        return Err(format!("列表须有 1 到 {MAX_LIST} 项"));
    }
    let values = items.iter().map(one).collect::<Result<Vec<_>, _>>()?;
    if matches!(op, Op::Between | Op::NotBetween)
        && (values.len() != 2 || values.first() > values.last())
    {
        return Err("between 须是 [小, 大] 两个值".to_owned());
    }
    Ok(Rhs::Many(values))
}

/// A literal that must be met exactly must be one the fact can have.
fn possible_literal(op: Op, meaning: &Meaning, found: &Value) -> Result<(), String> {
    let exact = matches!(op, Op::Eq | Op::Ne | Op::In | Op::NotIn);
    let fits = match found {
        Value::Int(number) => (meaning.min..=meaning.max).contains(number),
        Value::Text(word) => meaning.options.is_empty() || meaning.options.contains(&word.as_str()),
        Value::Bool(_) | Value::List(_) => true,
    };
    if exact && !fits {
        Err(format!("不可能是这个值{}", possible(meaning)))
    } else {
        Ok(())
    }
}

fn other_fact(op: Op, meaning: &Meaning, other: &FactRef) -> Result<Rhs, String> {
    if matches!(
        op,
        Op::In | Op::NotIn | Op::Between | Op::NotBetween | Op::Contains | Op::NotContains
    ) {
        return Err("这种比较不能用另一个事实作值".to_owned());
    }
    let found = other.meaning()?;
    if found.kind == meaning.kind {
        Ok(Rhs::Fact(other.to_string()))
    } else {
        Err(format!("和“{}”的类型不同,不能比较", found.label))
    }
}
