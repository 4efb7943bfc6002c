//! "Why not (yet)?" in plain Chinese, from a recorded decision and the facts it saw.

use super::decision::{ConditionResult, Decision, Outcome};
use super::document::Op;
use super::fact::Kind;
use super::reference::{FactRef, Meaning};
use super::tree::Truth;
use super::value::{self, Facts, Value};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// The answer to "why": what is missing, and the least that would have to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Why {
    /// Which rule.
    pub rule_id: String,
    /// What the rule is called.
    pub title: String,
    /// How it came out.
    pub outcome: Outcome,
    /// One sentence per unmet or unknown condition, or the reason it was held.
    pub sentences: Vec<String>,
    /// The smallest change that would let the rule fire; null when it fired, or when something else than its conditions is in the way.
    pub smallest_change: Option<String>,
}

/// Explains one decision. `facts` are those it was made with; they sharpen "预存达到 50%" into "再付 ¥200 即达到 50%".
pub fn why(decision: &Decision, facts: &Facts) -> Why {
    // Where the conditions hold as a whole, something else stands in the way: the reason says what.
    let unmet = matches!(decision.outcome, Outcome::Not | Outcome::Unknown);
    let conditions = decision.conditions.iter().filter(|_| unmet);
    let mut sentences: Vec<String> = conditions
        .clone()
        .filter(|result| result.unmet)
        .map(|result| sentence(result, facts))
        .collect();
    sentences.extend(decision.reason.clone());
    // With a reason besides, no change of the conditions alone would fire it.
    let changes: Vec<String> = conditions
        .filter(|result| result.decisive && decision.reason.is_none())
        .map(|result| sentence(result, facts))
        .collect();
    Why {
        rule_id: decision.rule_id.clone(),
        title: decision.title.clone(),
        outcome: decision.outcome,
        sentences,
        smallest_change: if changes.is_empty() {
            None
        } else {
            Some(changes.join(";"))
        },
    }
}

fn sentence(result: &ConditionResult, facts: &Facts) -> String {
    let Some(meaning) = result
        .fact
        .parse::<FactRef>()
        .ok()
        .and_then(|fact| fact.meaning().ok())
    else {
        return format!("“{}”未满足", result.fact);
    };
    let wanted = wish(&meaning, result.op, &result.want);
    if result.outcome == Truth::Unknown {
        return match other_fact(&result.want).filter(|_| !result.got.is_null()) {
            Some(other) => format!("还不知道“{}”(要求:{wanted})", other.label),
            None => format!("还不知道“{}”(要求:{wanted})", meaning.label),
        };
    }
    if let Some(pay) = still_to_pay(result, facts) {
        return pay;
    }
    match value::read_any(meaning.kind, &result.got).filter(|_| meaning.kind != Kind::Bool) {
        Some(got) => {
            let now = if meaning.kind == Kind::Score && !result.fact.contains('@') {
                "这次"
            } else {
                "现在"
            };
            format!(
                "{wanted}({now} {})",
                value::show(meaning.kind, meaning.unit, &got)
            )
        }
        None => wanted,
    }
}

/// What a condition asks for, as a wish; `want` in the scale people write.
pub(crate) fn wish(meaning: &Meaning, op: Op, want: &Json) -> String {
    let label = &meaning.label;
    if let Some(other) = other_fact(want) {
        return format!("{label}{}{}", relation(op), other.label);
    }
    let show = |json: &Json| {
        value::read(scalar(meaning.kind), json).map_or_else(
            |_| json.to_string(),
            |value| value::show(meaning.kind, meaning.unit, &value),
        )
    };
    let shown: Vec<String> = match want {
        Json::Array(items) => items.iter().map(show).collect(),
        one => vec![show(one)],
    };
    match (op, want) {
        (Op::Eq, Json::Bool(true)) | (Op::Ne, Json::Bool(false)) => format!("须是“{label}”"),
        (Op::Eq, Json::Bool(false)) | (Op::Ne, Json::Bool(true)) => format!("不能是“{label}”"),
        (Op::Between, _) => format!("{label}在 {} 之间", shown.join(" 到 ")),
        (Op::NotBetween, _) => format!("{label}不在 {} 之间", shown.join(" 到 ")),
        (Op::IsKnown, _) => format!("须知道“{label}”"),
        (Op::IsUnknown, _) => format!("“{label}”须还没有值"),
        (op, _) => format!("{label}{}{}", relation(op), spaced(&shown.join("、"))),
    }
}

/// A space before digits and `¥`-less values keeps Chinese and numbers apart.
fn spaced(text: &str) -> String {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        format!(" {text}")
    } else {
        text.to_owned()
    }
}

fn relation(op: Op) -> &'static str {
    match op {
        Op::Gte => "达到",
        Op::Gt => "高于",
        Op::Lte => "不超过",
        Op::Lt => "低于",
        Op::Eq => "须为",
        Op::Ne => "不能是",
        Op::In | Op::Between => "须是其中之一:",
        Op::NotIn | Op::NotBetween => "不能是其中任何一个:",
        Op::Contains => "须包含",
        Op::NotContains => "不能包含",
        Op::IsKnown => "须已知",
        Op::IsUnknown => "须未知",
    }
}

fn other_fact(want: &Json) -> Option<Meaning> {
    want.get("fact")?
        .as_str()?
        .parse::<FactRef>()
        .ok()?
        .meaning()
        .ok()
}

const fn scalar(kind: Kind) -> Kind {
    match kind {
        Kind::List => Kind::Text,
        other => other,
    }
}

/// The fact whose gap is told in yuan.
pub(super) const RATIO: &str = "booking.prepaid_ratio";
/// What telling it takes: the order's total and what was paid of it.
pub(super) const PAID: [&str; 2] = ["booking.total_fen", "booking.prepaid_fen"];

/// "再付 ¥200 即达到 50%", when the order's total and what was paid are known.
fn still_to_pay(result: &ConditionResult, facts: &Facts) -> Option<String> {
    if result.fact != RATIO || !matches!(result.op, Op::Gte | Op::Gt | Op::Eq) {
        return None;
    }
    let Ok(Value::Int(ratio)) = value::read(Kind::Ratio, &result.want) else {
        return None;
    };
    let [total, paid] = PAID.map(|name| facts.int(name));
    let (total, paid) = (total?, paid?);
    let goal = if result.op == Op::Gt {
        ratio.checked_add(1)?
    } else {
        ratio
    };
    // The ratio is rounded down to basis points, so the least payment is rounded up to fen.
    let least = total
        .checked_mul(goal)?
        .checked_add(9_999)?
        .checked_div(10_000)?;
    let missing = least.checked_sub(paid).filter(|missing| *missing > 0)?;
    let reached = if result.op == Op::Gt {
        "超过"
    } else {
        "达到"
    };
    Some(format!(
        "再付 {} 即{reached} {}",
        value::yuan(missing),
        value::show(Kind::Ratio, "", &Value::Int(ratio))
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::tests::{decide, facts};
    use serde_json::json;

    fn rule(when: &Json) -> Json {
        json!({"schema": 1, "name": "试", "rules": [{"id": "r", "title": "邀约", "on": ["rating.submitted"], "when": when,
            "then": [{"effect": "invite", "template": "baseline"}]}]})
    }

    fn explain(when: &Json, facts: &Facts) -> Why {
        why(&decide(&rule(when), "rating.submitted", facts)[0], facts)
    }

    #[test]
    fn the_missing_payment_is_named_in_yuan() {
        let facts = facts(&[
            ("booking.prepaid_ratio", 3000),
            ("booking.total_fen", 100_000),
            ("booking.prepaid_fen", 30_000),
        ]);
        let found = explain(
            &json!({"fact": "booking.prepaid_ratio", "op": "gte", "value": 0.5}),
            &facts,
        );
        assert_eq!(
            found.smallest_change.as_deref(),
            Some("再付 ¥200 即达到 50%")
        );
    }

    #[test]
    fn a_low_score_is_shown_beside_the_wanted_one() {
        let found = explain(
            &json!({"fact": "rating.score", "op": "gte", "value": 4.8}),
            &facts(&[("rating.score", 440)]),
        );
        assert_eq!(found.sentences, ["评分达到 4.80 分(这次 4.40 分)"]);
    }

    #[test]
    fn unknown_facts_are_named() {
        let found = explain(
            &json!({"fact": "rating.score", "op": "gte", "value": 4.8}),
            &Facts::new(),
        );
        assert_eq!(found.outcome, Outcome::Unknown);
        assert_eq!(found.sentences, ["还不知道“评分”(要求:评分达到 4.80 分)"]);
    }

    #[test]
    fn the_cheaper_branch_of_any_is_the_smallest_change() {
        let when = json!({"any": [
            {"all": [{"fact": "rating.score", "op": "gte", "value": 4.8}, {"fact": "rating.quality", "op": "gte", "value": 5}]},
            {"fact": "customer.open_complaints", "op": "eq", "value": 0}]});
        let found = explain(
            &when,
            &facts(&[
                ("rating.score", 440),
                ("rating.quality", 400),
                ("customer.open_complaints", 1),
            ]),
        );
        assert_eq!(found.sentences.len(), 3);
        assert_eq!(
            found.smallest_change.as_deref(),
            Some("未结投诉须为 0 件(现在 1 件)")
        );
    }

    #[test]
    fn a_branch_another_branch_makes_up_for_is_not_in_the_way() {
        let when = json!({"all": [
            {"any": [{"fact": "booking.prepaid_ratio", "op": "gte", "value": 0.5}, {"fact": "rating.score", "op": "gte", "value": 4.8}]},
            {"fact": "rating.quality", "op": "gte", "value": 5}]});
        let found = explain(
            &when,
            &facts(&[
                ("booking.prepaid_ratio", 6_000),
                ("rating.score", 440),
                ("rating.quality", 400),
            ]),
        );
        assert_eq!(found.sentences, ["质量分达到 5.00 分(这次 4.00 分)"]);
    }

    #[test]
    fn when_the_campaign_is_over_or_asking_is_vetoed_no_change_of_the_conditions_is_promised() {
        let low = facts(&[("rating.score", 440)]);
        let mut over = rule(&json!({"fact": "rating.score", "op": "gte", "value": 4.8}));
        over["period"] = json!({"from": "2026-01-01", "to": "2026-01-31"});
        let found = why(&decide(&over, "rating.submitted", &low)[0], &low);
        let wanted = "评分达到 4.80 分(这次 4.40 分)";
        assert_eq!(found.sentences, [wanted, "不在规则集的有效期内"]);
        assert_eq!(found.smallest_change, None);
        let mut complaining = low;
        complaining.set("customer.open_complaints", 1);
        let found = explain(
            &json!({"fact": "rating.score", "op": "gte", "value": 4.8}),
            &complaining,
        );
        assert_eq!(
            found.sentences,
            [wanted, "有投诉还没有办结,办结之前不发送邀约"]
        );
        assert_eq!(found.smallest_change, None);
    }

    #[test]
    fn a_negated_flag_reads_as_a_plain_wish() {
        let mut facts = Facts::new();
        facts.set("booking.sla_breached", true);
        let found = explain(
            &json!({"not": {"fact": "booking.sla_breached", "op": "eq", "value": true}}),
            &facts,
        );
        assert_eq!(found.sentences, ["不能是“工单超时”"]);
    }

    #[test]
    fn what_fired_has_nothing_to_change() {
        let found = explain(
            &json!({"fact": "rating.score", "op": "gte", "value": 4.8}),
            &facts(&[("rating.score", 480)]),
        );
        assert_eq!(
            (found.outcome, found.sentences.len(), found.smallest_change),
            (Outcome::Fired, 0, None)
        );
    }
}
