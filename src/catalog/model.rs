//! Quotes: answers in, minutes and price out.

use crate::kernel::{AppError, FieldError, Result};
use entity::service;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Visits are planned in half hours.
const GRID_MINUTES: i64 = 30;
/// Largest answer to a number question that names no `max`: far beyond any home, far below overflow.
const SANE_NUMBER: i64 = 100_000;
/// No visit is longer than a business day.
const LONGEST_MINUTES: i64 = 12 * 60;

/// A question whose answer changes minutes and price.
#[derive(Clone, Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    pub(super) key: String,
    pub(super) label: String,
    pub(super) kind: QuestionKind,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) options: Vec<Choice>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) effect: Option<Effect>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum QuestionKind {
    Number,
    Bool,
    Choice,
}

#[derive(Clone, Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
    #[serde(default)]
    pub(super) minutes: i64,
    #[serde(default)]
    pub(super) fen: i64,
}

/// For each `per` above `above` (numbers), or once (booleans): so many minutes and fen.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Effect {
    #[serde(default)]
    pub(super) minutes: i64,
    #[serde(default)]
    pub(super) fen: i64,
    #[serde(default)]
    pub(super) per: i64,
    #[serde(default)]
    pub(super) above: i64,
    #[serde(default)]
    pub(super) max: i64,
}

/// One SOP item of a service.
#[derive(Clone, Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChecklistEntry {
    /// Stable name.
    pub key: String,
    /// What to do.
    pub label: String,
    /// Whether the job cannot be completed without it.
    pub required: bool,
    /// Whether it wants an after photo.
    pub photo_required: bool,
}

/// One line of a quote.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
pub struct PriceLine {
    /// What it is for.
    pub label: String,
    /// How much, fen.
    pub fen: i64,
}

/// Duration and price of a visit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Quote {
    /// Minutes, a multiple of 30.
    pub minutes: i64,
    /// The whole price, fen.
    pub total_fen: i64,
    /// How it is made up.
    pub lines: Vec<PriceLine>,
}

pub(super) fn questions(service: &service::Model) -> Result<Vec<Question>> {
    Ok(serde_json::from_value(service.questionnaire.clone())?)
}

/// The checklist of a service.
///
/// # Errors
/// `internal` when the stored list is not one.
pub fn checklist(service: &service::Model) -> Result<Vec<ChecklistEntry>> {
    Ok(serde_json::from_value(service.checklist.clone())?)
}

/// Prices a visit from the answers. A question left out counts as its plain case (no extra, no, the first option), so
/// that a price can be shown before anything is asked; nothing but the questions may be answered.
///
/// # Errors
/// `validation` with a pointer for each wrong answer, or for an area the service does not serve.
pub fn quote(service: &service::Model, answers: &Map<String, Value>, area: &str) -> Result<Quote> {
    let areas: Vec<String> = serde_json::from_value(service.areas.clone())?;
    let questions = questions(service)?;
    let mut faults = Vec::new();
    if !areas.iter().any(|served| served == area) {
        faults.push(fault("/area", "not_served", "这个区域暂不提供该服务"));
    }
    for key in answers
        .keys()
        .filter(|key| questions.iter().all(|question| question.key != **key))
    {
        let key = key.replace('~', "~0").replace('/', "~1");
        faults.push(fault(format!("/answers/{key}"), "unknown", "没有这个问题"));
    }
    let mut minutes = i64::from(service.base_minutes);
    let mut lines = vec![PriceLine {
        label: service.name.clone(),
        fen: service.base_price_fen.0,
    }];
    for question in &questions {
        match answer(question, answers.get(&question.key)) {
            Ok((more, fen)) => {
                minutes = minutes.saturating_add(more);
                if fen != 0 {
                    lines.push(PriceLine {
                        label: question.label.clone(),
                        fen,
                    });
                }
            }
            Err(detail) => faults.push(fault(
                format!("/answers/{}", question.key),
                "answer",
                detail,
            )),
        }
    }
    let minutes = minutes.max(GRID_MINUTES).div_ceil_grid();
    if minutes > LONGEST_MINUTES && faults.is_empty() {
        faults.push(fault(
            "/answers",
            "too_long",
            "这次服务超过一天,请分两次预约",
        ));
    }
    if !faults.is_empty() {
        return Err(AppError::fields(faults));
    }
    let total_fen = lines
        .iter()
        .fold(0_i64, |sum, line| sum.saturating_add(line.fen))
        .max(0);
    Ok(Quote {
        minutes,
        total_fen,
        lines,
    })
}

trait Grid {
    fn div_ceil_grid(self) -> Self;
}

impl Grid for i64 {
    fn div_ceil_grid(self) -> Self {
        self.saturating_add(GRID_MINUTES - 1) / GRID_MINUTES * GRID_MINUTES
    }
}

fn fault(pointer: impl Into<String>, code: &str, detail: impl Into<String>) -> FieldError {
    FieldError {
        pointer: pointer.into(),
        code: code.into(),
        detail: detail.into(),
    }
}

/// What a question adds that nobody answered.
fn plain_case(question: &Question) -> (i64, i64) {
    match question.kind {
        QuestionKind::Number | QuestionKind::Bool => (0, 0),
        QuestionKind::Choice => question
            .options
            .first()
            .map_or((0, 0), |option| (option.minutes, option.fen)),
    }
}

/// Minutes and fen an answer adds.
fn answer(question: &Question, given: Option<&Value>) -> Result<(i64, i64), String> {
    let Some(given) = given else {
        return Ok(plain_case(question));
    };
    let effect = question.effect;
    match question.kind {
        QuestionKind::Number => {
            let max = effect
                .map(|effect| effect.max)
                .filter(|max| *max > 0)
                .unwrap_or(SANE_NUMBER);
            let number = given.as_i64().filter(|number| (0..=max).contains(number));
            let number = number.ok_or_else(|| format!("应为 0 到 {max} 的整数"))?;
            Ok(effect.map_or((0, 0), |effect| {
                let over = number.saturating_sub(effect.above).max(0);
                // Begun steps count: 61 m² is one step above 60.
                let steps = over.saturating_add(effect.per.max(1) - 1) / effect.per.max(1);
                (
                    steps.saturating_mul(effect.minutes),
                    steps.saturating_mul(effect.fen),
                )
            }))
        }
        QuestionKind::Bool => match given.as_bool() {
            Some(true) => Ok(effect.map_or((0, 0), |effect| (effect.minutes, effect.fen))),
            Some(false) => Ok((0, 0)),
            None => Err("应为 true 或 false".into()),
        },
        QuestionKind::Choice => {
            let chosen = given
                .as_str()
                .and_then(|value| question.options.iter().find(|option| option.value == value));
            let words = || {
                question
                    .options
                    .iter()
                    .map(|option| option.value.as_str())
                    .collect::<Vec<_>>()
                    .join("、")
            };
            chosen
                .map(|option| (option.minutes, option.fen))
                .ok_or_else(|| format!("应为其中之一:{}", words()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use entity::{ids::ServiceId, values::Fen};
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
    use serde_json::json;

    fn service() -> service::Model {
        service::Model {
            id: ServiceId(uuid::Uuid::nil()),
            slug: "deep".into(),
            name: "深度保洁".into(),
            base_minutes: 180,
            base_price_fen: Fen(36_000),
            price_rules: json!([]),
            skill: "deep".into(),
            questionnaire: json!([
                {"key": "area_sqm", "label": "面积", "kind": "number",
                 "effect": {"per": 10, "above": 60, "minutes": 15, "fen": 2000, "max": 500}},
                {"key": "pets", "label": "宠物", "kind": "bool", "effect": {"fen": 2000}},
                {"key": "stains", "label": "污渍", "kind": "choice", "options": [
                    {"value": "none", "label": "无"}, {"value": "heavy", "label": "重", "minutes": 30, "fen": 6000}]},
            ]),
            checklist: json!([]),
            areas: json!(["浦东"]),
            active: true,
            created_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    fn ask(sqm: i64, pets: bool, stains: &str) -> Result<Quote> {
        let answers = json!({"area_sqm": sqm, "pets": pets, "stains": stains});
        quote(&service(), answers.as_object().unwrap(), "浦东")
    }

    #[test]
    fn answers_change_minutes_and_price() {
        let quote = ask(90, true, "heavy").unwrap();
        // 3 steps of 15 minutes and 30 more: 255, planned as 270.
        assert_eq!(
            (quote.minutes, quote.total_fen),
            (270, 36_000 + 3 * 2000 + 2000 + 6000)
        );
        assert_eq!(quote.lines.len(), 4);
    }

    #[test]
    fn every_wrong_answer_is_named_at_once() {
        let answers = json!({"area_sqm": "big", "stains": "blue", "colour": 1});
        let error = quote(&service(), answers.as_object().unwrap(), "月球").unwrap_err();
        let mut pointers: Vec<&str> = error
            .fields
            .iter()
            .map(|fault| fault.pointer.as_str())
            .collect();
        pointers.sort_unstable();
        assert_eq!(
            pointers,
            [
                "/answers/area_sqm",
                "/answers/colour",
                "/answers/stains",
                "/area"
            ]
        );
    }

    #[test]
    fn what_is_not_answered_counts_as_the_plain_case() {
        let none = quote(&service(), &Map::new(), "浦东").unwrap();
        assert_eq!((none.minutes, none.total_fen), (180, 36_000));
        assert_eq!(none, ask(60, false, "none").unwrap());
        // The first option is the plain case even where it costs something.
        let mut dear = service();
        dear.questionnaire = json!([{"key": "stains", "label": "污渍", "kind": "choice", "options": [
            {"value": "some", "label": "有", "minutes": 30, "fen": 500}]}]);
        assert_eq!(quote(&dear, &Map::new(), "浦东").unwrap().total_fen, 36_500);
        let null = json!({"pets": null});
        let error = quote(&service(), null.as_object().unwrap(), "浦东").unwrap_err();
        assert_eq!(error.fields[0].pointer, "/answers/pets");
    }

    #[test]
    fn a_number_without_a_limit_can_be_answered_up_to_a_sane_one() {
        let mut open = service();
        open.questionnaire = json!([{"key": "rooms", "label": "房间", "kind": "number", "effect": {"fen": 10, "per": 1}}]);
        let ask = |rooms: i64| {
            let answers = json!({ "rooms": rooms });
            quote(&open, answers.as_object().unwrap(), "浦东")
        };
        assert_eq!(ask(3).unwrap().total_fen, 36_030);
        assert!(ask(SANE_NUMBER).is_ok());
        assert!(ask(SANE_NUMBER + 1).is_err() && ask(-1).is_err());
    }

    proptest! {
        #[test]
        fn a_larger_home_is_never_cheaper_or_quicker(sqm in 0_i64..340, more in 0_i64..60, pets in proptest::bool::ANY) {
            let (small, large) = (ask(sqm, pets, "none").unwrap(), ask(sqm + more, pets, "none").unwrap());
            prop_assert!(large.total_fen >= small.total_fen && large.minutes >= small.minutes);
        }

        #[test]
        fn lines_sum_to_the_total_and_minutes_fit_the_grid(sqm in 0_i64..400, pets in proptest::bool::ANY) {
            let quote = ask(sqm, pets, "heavy").unwrap();
            prop_assert_eq!(quote.lines.iter().map(|line| line.fen).sum::<i64>(), quote.total_fen);
            prop_assert_eq!(quote.minutes % 30, 0);
        }
    }
}
