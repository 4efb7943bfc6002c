//! Exact values: every number is an integer in the smallest unit of its fact; no floats.

use super::fact::Kind;
use super::reference::FactRef;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// A known value. Numbers are in the fact's smallest unit: hundredths of a score, basis points, fen, pieces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A count, or a number in the smallest unit (4.80 is 480).
    Int(i64),
    /// A slug or a word.
    Text(String),
    /// A list of slugs.
    List(Vec<String>),
}

/// Read by what stands there; an untagged derive would copy every value first, and replays read millions.
struct ValueVisitor;

impl<'de> serde::de::Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a flag, a whole number, a word or a list of words")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number).map(Value::Int).map_err(E::custom)
    }

    fn visit_str<E>(self, word: &str) -> Result<Value, E> {
        Ok(Value::Text(word.to_owned()))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut words = Vec::new();
        while let Some(word) = items.next_element()? {
            words.push(word);
        }
        Ok(Value::List(words))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<String>> for Value {
    fn from(value: Vec<String>) -> Self {
        Self::List(value)
    }
}

/// What is known about a customer at one moment, by fact name or history reference. A missing entry is unknown.
///
/// Serialises as one sorted JSON object, so that a decision can be reconstructed from its snapshot (PIPL-16).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Facts(BTreeMap<String, Value>);

impl FromIterator<(String, Value)> for Facts {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(known: I) -> Self {
        Self(known.into_iter().collect())
    }
}

impl Facts {
    /// Nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records a value, in the smallest unit of its fact.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) -> &mut Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// Records a value when there is one; `None` stays unknown.
    pub fn set_known(
        &mut self,
        name: impl Into<String>,
        value: Option<impl Into<Value>>,
    ) -> &mut Self {
        if let Some(value) = value {
            self.set(name, value);
        }
        self
    }

    /// Forgets a value.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The value, if known.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The number, if known and a number.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        }
    }

    /// All known values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

/// Longest decimal text read; enough for any amount and short enough to bound work.
const MAX_DIGITS: usize = 18;
/// Whole numbers below this need no text to be read exactly, whatever their kind's places.
const SHORT: u64 = 1_000_000_000_000;

/// Reads a decimal text exactly into units of `10^-places`. Exponents, signs other than `-`, and digits that would be lost are
/// refused with a zh-CN reason.
pub fn decimal(text: &str, places: u32) -> Result<i64, String> {
    let wrong = || format!("“{text}”不是普通的十进制数");
    let (negative, body) = text
        .strip_prefix('-')
        .map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = match body.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return Err(wrong()),
        None => (body, ""),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || body.len() > MAX_DIGITS {
        return Err(wrong());
    }
    let kept = fraction.trim_end_matches('0');
    let places = usize::try_from(places).unwrap_or(0);
    if kept.len() > places {
        return Err(match places {
            0 => format!("“{text}”须是整数"),
            _ => format!("“{text}”最多 {places} 位小数"),
        });
    }
    let scaled = scaled(whole, places).zip(scaled(kept, places - kept.len()));
    let sum = scaled.and_then(|(whole, kept)| whole.checked_add(kept));
    sum.map(|number| if negative { -number } else { number })
        .ok_or_else(wrong)
}

/// The number some digits write, times `10^places`; `None` when it is too great. No digits are zero.
fn scaled(digits: &str, places: usize) -> Option<i64> {
    let factor = 10_i64.checked_pow(u32::try_from(places).ok()?)?;
    let number = if digits.is_empty() {
        0
    } else {
        digits.parse::<i64>().ok()?
    };
    number.checked_mul(factor)
}

/// Writes units of `10^-places` as decimal text with all its places: 480 with two places is `4.80`.
pub fn decimal_text(value: i64, places: u32) -> String {
    let places = usize::try_from(places).unwrap_or(0);
    let sign = if value < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = places + 1);
    if places == 0 {
        return format!("{sign}{digits}");
    }
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(places));
    format!("{sign}{whole}.{fraction}")
}

/// Reads one JSON literal as a value of `kind`; the error is a zh-CN reason.
pub(crate) fn read(kind: Kind, literal: &Json) -> Result<Value, String> {
    match (kind, literal) {
        (Kind::Bool, Json::Bool(value)) => Ok(Value::Bool(*value)),
        (Kind::Bool, _) => Err("须是“true”或“false”".to_owned()),
        (Kind::Text | Kind::List, Json::String(text))
            if !text.is_empty() && text.chars().count() <= 100 =>
        {
            Ok(Value::Text(text.clone()))
        }
        (Kind::Text | Kind::List, _) => Err("须是 1 到 100 个字的文字".to_owned()),
        (_, Json::Number(number)) => match number.as_i64() {
            Some(whole) if whole.unsigned_abs() < SHORT => {
                Ok(Value::Int(whole * 10_i64.pow(kind.places())))
            }
            _ => decimal(&number.to_string(), kind.places()).map(Value::Int),
        },
        (_, Json::String(text)) => decimal(text, kind.places()).map(Value::Int),
        (_, _) => Err("须是数字,或写成文字的小数(如 \"4.80\")".to_owned()),
    }
}

/// Reads facts as people write them (`{"rating.score": 4.9}`); each fault with its fact and a zh-CN reason.
pub fn read_facts(written: &serde_json::Map<String, Json>) -> Result<Facts, Vec<(String, String)>> {
    let (mut facts, mut faults) = (Facts::new(), Vec::new());
    for (name, json) in written {
        let read = name.parse::<FactRef>().and_then(|fact| {
            let kind = fact.meaning()?.kind;
            if kind == Kind::List {
                return read_any(kind, json).ok_or_else(|| "须是一列文字".to_owned());
            }
            read(kind, json)
        });
        match read {
            Ok(value) => {
                facts.set(name.clone(), value);
            }
            Err(reason) => faults.push((name.clone(), reason)),
        }
    }
    if faults.is_empty() {
        Ok(facts)
    } else {
        Err(faults)
    }
}

/// Reads a recorded value back, lists included; `None` when unknown.
pub(crate) fn read_any(kind: Kind, recorded: &Json) -> Option<Value> {
    match recorded {
        Json::Null => None,
        Json::Array(items) => Some(Value::List(
            items
                .iter()
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect(),
        )),
        _ => read(kind, recorded).ok(),
    }
}

/// Writes a value as JSON in the scale people write it: score 480 as `4.8`, ratio 5000 as `0.5`, fen as an integer.
pub(crate) fn write(kind: Kind, value: &Value) -> Json {
    match value {
        Value::Int(number) if kind.places() > 0 => decimal_text(*number, kind.places())
            .parse::<serde_json::Number>()
            .map_or_else(|_| Json::from(*number), Json::Number),
        Value::Int(number) => Json::from(*number),
        Value::Bool(value) => Json::Bool(*value),
        Value::Text(text) => Json::String(text.clone()),
        Value::List(items) => Json::from(items.clone()),
    }
}

/// Writes a value for people: `4.80 分`, `50%`, `¥200`, `3 次`, `是`.
pub(crate) fn show(kind: Kind, unit: &str, value: &Value) -> String {
    match (kind, value) {
        (Kind::Score, Value::Int(number)) => format!("{} 分", decimal_text(*number, 2)),
        (Kind::Ratio, Value::Int(number)) => {
            let percent = decimal_text(*number, 2);
            format!("{}%", percent.trim_end_matches('0').trim_end_matches('.'))
        }
        (Kind::Money, Value::Int(number)) => yuan(*number),
        (_, Value::Int(number)) if unit.is_empty() => number.to_string(),
        (_, Value::Int(number)) => format!("{number} {unit}"),
        (_, Value::Bool(true)) => "是".to_owned(),
        (_, Value::Bool(false)) => "否".to_owned(),
        (_, Value::Text(text)) => format!("“{text}”"),
        (_, Value::List(items)) => format!("“{}”", items.join("、")),
    }
}

/// Fen as yuan for people: 20000 is `¥200`, 20050 is `¥200.50`.
pub(crate) fn yuan(fen: i64) -> String {
    let text = decimal_text(fen, 2);
    format!("¥{}", text.strip_suffix(".00").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn numbers_and_decimal_strings_read_the_same() {
        for literal in [json!(4.8), json!("4.8"), json!("4.80"), json!("4.800")] {
            assert_eq!(
                read(Kind::Score, &literal),
                Ok(Value::Int(480)),
                "{literal}"
            );
        }
        assert_eq!(read(Kind::Ratio, &json!(0.5)), Ok(Value::Int(5000)));
        assert_eq!(read(Kind::Money, &json!(3000)), Ok(Value::Int(3000)));
    }

    #[test]
    fn what_would_be_lost_or_guessed_is_refused() {
        for text in [
            "4.805",
            "1e2",
            "+4",
            "",
            ".5",
            "5.",
            "4,8",
            "0x10",
            "NaN",
            "1 ",
            "9999999999999999999",
        ] {
            assert!(decimal(text, 2).is_err(), "{text}");
        }
        assert!(read(Kind::Score, &json!(1e-7)).is_err());
        assert!(read(Kind::Score, &json!(1e30)).is_err());
        assert!(read(Kind::Bool, &json!("true")).is_err());
        assert!(read(Kind::Count, &json!(1.5)).is_err());
    }

    #[test]
    fn facts_survive_their_snapshot() {
        let mut facts = Facts::new();
        facts
            .set("rating.score", 480)
            .set("booking.sla_breached", false)
            .set("customer.city", "上海");
        facts.set("customer.tags", vec!["有宠物".to_owned()]);
        let text = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<Facts>(&text).unwrap(), facts);
    }

    #[test]
    fn values_are_shown_as_people_write_them() {
        assert_eq!(show(Kind::Score, "分", &Value::Int(440)), "4.40 分");
        assert_eq!(show(Kind::Ratio, "", &Value::Int(5000)), "50%");
        assert_eq!(show(Kind::Ratio, "", &Value::Int(3333)), "33.33%");
        assert_eq!(yuan(20_000), "¥200");
        assert_eq!(yuan(20_050), "¥200.50");
    }

    proptest! {
        #[test]
        fn decimals_round_trip_exactly(value in -1_000_000_000_000_i64..1_000_000_000_000, places in 0_u32..5) {
            prop_assert_eq!(decimal(&decimal_text(value, places), places), Ok(value));
        }

        #[test]
        fn written_values_are_read_back_exactly(value in 0_i64..100_000) {
            for kind in [Kind::Score, Kind::Ratio, Kind::Money, Kind::Count] {
                prop_assert_eq!(read(kind, &write(kind, &Value::Int(value))), Ok(Value::Int(value)));
            }
        }

        #[test]
        fn reading_any_text_never_panics(text in ".{0,40}", places in 0_u32..5) {
            let _ = decimal(&text, places);
        }
    }
}
