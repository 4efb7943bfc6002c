//! Events of third parties: which kinds there are, what they may say, and the check of what one says.
//!
//! The kinds are data (`config/events.json`), registered by name: nothing that is not in the table is listened to, and
//! nothing but its fields is looked at. Every text is one of a list, so no event can carry words about a person. There is
//! no kind for bodies, voices, children, health or address books (REF-L24, REF-L39, REF-L40), and a test keeps it so.

use super::event::EventKind;
use super::fact::{FactDef, Kind, Nature, Whose};
use super::value::{self, Facts, Value};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::sync::LazyLock;

const SHIPPED: &str = include_str!("../../config/events.json");

/// The first word of every kind.
const FAMILY: &str = "partner.";

// A file that cannot be read registers nothing; a test reads it.
static TABLE: LazyLock<Vec<PartnerDef>> = LazyLock::new(|| parse(SHIPPED).unwrap_or_default());

static FACTS: LazyLock<Vec<FactDef>> = LazyLock::new(|| {
    let rows = PartnerKind::all().zip(TABLE.iter());
    rows.flat_map(|(kind, def)| def.fields.iter().map(move |field| field.fact(kind)))
        .collect()
});

/// One registered kind, by its place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartnerKind(u8);

/// A registered kind.
#[derive(Debug, Deserialize, serde::Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartnerDef {
    /// `partner.<name>`, as rules and senders write it.
    pub kind: String,
    /// What it is called, zh-CN.
    pub label: String,
    /// What it is for, zh-CN.
    pub description: String,
    /// What it says.
    pub fields: Vec<FieldDef>,
    /// Its name in the outbox.
    #[serde(skip)]
    stream: String,
}

/// One field of a kind.
#[derive(Debug, Deserialize, serde::Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldDef {
    /// Its name in `data`.
    pub name: String,
    /// Type and scale.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What it is called, zh-CN.
    pub label: String,
    /// Unit shown to people.
    #[serde(default)]
    pub unit: String,
    /// The least it may be, as people write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub min: Option<serde_json::Number>,
    /// The most it may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub max: Option<serde_json::Number>,
    /// The only words it may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Whether it must be there.
    pub required: bool,
    /// Its name in the fact catalogue.
    #[serde(skip)]
    fact: String,
    #[serde(skip)]
    range: (i64, i64),
}

/// What is wrong with a field of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldFault {
    /// The field.
    pub field: String,
    /// `unknown`, `required`, `type`, `range` or `option`.
    pub code: &'static str,
    /// Why, zh-CN.
    pub detail: String,
}

impl PartnerKind {
    /// Every registered kind, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).take(TABLE.len()).map(Self)
    }

    /// Looks a kind up by its dotted name.
    pub fn parse(name: &str) -> Option<Self> {
        name.starts_with(FAMILY)
            .then(|| Self::all().find(|kind| kind.name() == name))?
    }

    /// Its row; there is one for every kind that was ever made.
    pub fn def(self) -> Option<&'static PartnerDef> {
        TABLE.get(usize::from(self.0))
    }

    /// Its dotted name.
    pub fn name(self) -> &'static str {
        self.def().map_or("partner.", |def| def.kind.as_str())
    }

    /// Its name in the outbox: `partner.<name>.v1`.
    pub fn stream(self) -> &'static str {
        self.def().map_or("partner.", |def| def.stream.as_str())
    }

    pub(super) fn label(self) -> &'static str {
        self.def().map_or("", |def| def.label.as_str())
    }

    /// Checks what an event says against its fields; every fault is told.
    ///
    /// # Errors
    /// The faults, when there are any.
    pub fn check(self, data: &Map<String, Json>) -> Result<(), Vec<FieldFault>> {
        let fields: &[FieldDef] = self.def().map_or(&[], |def| &def.fields);
        let fault = |field: &str, code, detail: String| FieldFault {
            field: field.to_owned(),
            code,
            detail,
        };
        let strange = data
            .keys()
            .filter(|key| fields.iter().all(|field| field.name != **key));
        let mut faults: Vec<_> = strange
            .map(|key| fault(key, "unknown", "这种事件没有这个字段".to_owned()))
            .collect();
        for field in fields {
            match data.get(&field.name) {
                None if field.required => {
                    faults.push(fault(&field.name, "required", "必须填写".to_owned()));
                }
                None => {}
                Some(given) => {
                    let read = field.read(given);
                    faults.extend(
                        read.err()
                            .map(|(code, detail)| fault(&field.name, code, detail)),
                    );
                }
            }
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    /// The facts of an event that passed [`PartnerKind::check`]; what does not pass is unknown.
    pub fn facts(self, data: &Map<String, Json>) -> Facts {
        let mut facts = Facts::new();
        for field in self.def().into_iter().flat_map(|def| &def.fields) {
            let read = data
                .get(&field.name)
                .and_then(|given| field.read(given).ok());
            facts.set_known(field.fact.as_str(), read);
        }
        facts
    }
}

impl FieldDef {
    fn read(&self, given: &Json) -> Result<Value, (&'static str, String)> {
        let whole = matches!(self.kind, Kind::Int | Kind::Count | Kind::Money);
        if whole && !given.is_number() {
            return Err(("type", "须是整数".to_owned()));
        }
        let read = value::read(self.kind, given).map_err(|reason| ("type", reason))?;
        match &read {
            Value::Int(number) if *number < self.range.0 || *number > self.range.1 => {
                let show = |number| value::show(self.kind, &self.unit, &Value::Int(number));
                let (least, most) = (show(self.range.0), show(self.range.1));
                Err(("range", format!("应在 {least} 到 {most} 之间")))
            }
            Value::Text(word) if !self.options.contains(word) => Err((
                "option",
                format!("应为其中之一:{}", self.options.join("、")),
            )),
            Value::Int(_) | Value::Text(_) | Value::Bool(_) | Value::List(_) => Ok(read),
        }
    }

    /// Its row in the fact catalogue. What a third party says of a person is a profile: it never sets a price (REF-L30).
    fn fact(&'static self, kind: PartnerKind) -> FactDef {
        let options: Vec<&'static str> = self.options.iter().map(String::as_str).collect();
        // Once per process: the table is read once.
        FactDef {
            name: &self.fact,
            kind: self.kind,
            unit: &self.unit,
            label: &self.label,
            owner: "intake",
            consent: Some("referral_profiling"),
            events: vec![EventKind::Partner(kind)].leak(),
            options: options.leak(),
            history: false,
            lint_only: false,
            nature: Nature::Profile,
            whose: Whose::Customer,
            min: self.range.0,
            max: self.range.1,
        }
    }
}

/// The facts events of third parties bring.
pub(super) fn facts() -> &'static [FactDef] {
    &FACTS
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "version")]
    _version: String,
    kinds: Vec<PartnerDef>,
}

/// Reads the table; the error says what is wrong with it.
fn parse(text: &str) -> Result<Vec<PartnerDef>, String> {
    let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut kinds = file.kinds;
    let word = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let mut names = std::collections::BTreeSet::new();
    for def in &mut kinds {
        let name = def.kind.clone();
        if !name.strip_prefix(FAMILY).is_some_and(word) || !names.insert(name.clone()) {
            return Err(format!("{name}: 种类须写作 partner.<名字>,且不重复"));
        }
        def.stream = format!("{name}.v1");
        for field in &mut def.fields {
            let place = format!("{name}.{}", field.name);
            if !word(&field.name) || !names.insert(place.clone()) {
                return Err(format!("{place}: 字段名有误或重复"));
            }
            // Free text could say anything of anybody.
            if field.kind == Kind::List || (field.kind == Kind::Text) == field.options.is_empty() {
                return Err(format!("{place}: 文字须列出可选值,其他类型不列"));
            }
            field.range = range(field).map_err(|reason| format!("{place}: {reason}"))?;
            field.fact = place;
        }
    }
    if kinds.len() > usize::from(u8::MAX) {
        return Err("种类过多".to_owned());
    }
    Ok(kinds)
}

/// The bounds in the smallest unit; what is not written is the type's own.
fn range(field: &FieldDef) -> Result<(i64, i64), String> {
    let (least, most) = match field.kind {
        Kind::Bool => (0, 1),
        Kind::Int => (i64::MIN, i64::MAX),
        Kind::Score => (100, 500),
        Kind::Ratio => (0, 10_000),
        Kind::Count | Kind::Money => (0, i64::MAX),
        Kind::Text | Kind::List => (0, 0),
    };
    let bound = |written: Option<&serde_json::Number>, own| match written {
        Some(number) if field.kind.is_number() => {
            value::decimal(&number.to_string(), field.kind.places())
        }
        Some(_) => Err("这种类型没有上下限".to_owned()),
        None => Ok(own),
    };
    let (low, high) = (
        bound(field.min.as_ref(), least)?,
        bound(field.max.as_ref(), most)?,
    );
    if low < least || high > most || low > high {
        return Err("上下限超出类型的范围".to_owned());
    }
    Ok((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{PolicyPack, fact};
    use proptest::prelude::*;
    use serde_json::json;

    fn data(json: &Json) -> Map<String, Json> {
        json.as_object().unwrap().clone()
    }

    fn codes(kind: &str, json: &Json) -> Vec<(String, &'static str)> {
        let found = PartnerKind::parse(kind).unwrap().check(&data(json));
        let faults = found.err().unwrap_or_default();
        faults
            .into_iter()
            .map(|one| (one.field, one.code))
            .collect()
    }

    #[test]
    fn the_shipped_table_is_sound_and_says_nothing_about_bodies_or_families() {
        let kinds = parse(SHIPPED).unwrap();
        assert!((4..=20).contains(&kinds.len()));
        let text = serde_json::to_string(&kinds).unwrap().to_lowercase();
        assert!(PolicyPack::shipped().sensitive_word_in(&text).is_none());
        for word in [
            "voice",
            "face",
            "sensor",
            "声纹",
            "人脸",
            "通讯录",
            "儿童",
            "健康",
            "phone",
        ] {
            assert!(!text.contains(word), "{word}");
        }
        for row in facts() {
            assert_eq!(fact::find(row.name).map(|found| found.name), Some(row.name));
            assert_eq!(
                (row.consent, row.history),
                (Some("referral_profiling"), false)
            );
        }
    }

    #[test]
    fn a_kind_is_found_by_its_name_and_by_no_other() {
        for kind in PartnerKind::all() {
            assert_eq!(PartnerKind::parse(kind.name()), Some(kind));
            assert_eq!(
                EventKind::parse(kind.name()),
                Some(EventKind::Partner(kind))
            );
            assert_eq!(kind.stream(), format!("{}.v1", kind.name()));
        }
        for name in ["partner.", "partner.colour", "filter_due", ""] {
            assert_eq!(PartnerKind::parse(name), None);
        }
    }

    #[test]
    fn each_fault_of_the_data_is_told_with_its_field() {
        let of = |json: Json| codes("partner.filter_due", &json);
        assert_eq!(of(json!({"appliance": "range_hood", "life_left": 0.1})), []);
        assert_eq!(
            of(json!({"appliance": "range_hood", "life_left": "0.10"})),
            []
        );
        for (json, field, code) in [
            (json!({}), "appliance", "required"),
            (json!({"appliance": null}), "appliance", "type"),
            (json!({"appliance": 7}), "appliance", "type"),
            (json!({"appliance": "toaster"}), "appliance", "option"),
            (
                json!({"appliance": "range_hood", "colour": 1}),
                "colour",
                "unknown",
            ),
            (
                json!({"appliance": "range_hood", "life_left": 1.5}),
                "life_left",
                "range",
            ),
            (
                json!({"appliance": "range_hood", "life_left": 1e300}),
                "life_left",
                "type",
            ),
            (
                json!({"appliance": "range_hood", "life_left": true}),
                "life_left",
                "type",
            ),
        ] {
            assert_eq!(of(json), [(field.to_owned(), code)]);
        }
        let wrong = json!({"area_sqm": "60"});
        assert_eq!(
            codes("partner.renovation_done", &wrong),
            [("area_sqm".to_owned(), "type")]
        );
    }

    #[test]
    fn an_event_becomes_facts_in_the_smallest_unit() {
        let kind = PartnerKind::parse("partner.renovation_done").unwrap();
        let facts = kind.facts(&data(&json!({"area_sqm": 90, "acceptance_score": 4.8})));
        assert_eq!(facts.int("partner.renovation_done.area_sqm"), Some(90));
        assert_eq!(
            facts.int("partner.renovation_done.acceptance_score"),
            Some(480)
        );
        assert_eq!(facts.get("partner.renovation_done.budget_fen"), None);
    }

    #[test]
    fn a_table_that_would_let_free_text_in_is_refused() {
        let kind = |field: Json| {
            json!({"version": "1", "kinds": [{"kind": "partner.x", "label": "试", "description": "试",
                "fields": [field]}]})
            .to_string()
        };
        let field =
            |kind: &str| json!({"name": "a", "type": kind, "label": "甲", "required": true});
        assert!(parse(&kind(field("count"))).is_ok());
        assert!(parse(&kind(field("text"))).is_err());
        assert!(parse(&kind(field("list"))).is_err());
        let mut wide = field("score");
        wide["max"] = json!(6);
        assert!(parse(&kind(wide)).is_err());
        assert!(parse("{}").is_err());
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<f64>().prop_map(Json::from),
            ".{0,12}".prop_map(Json::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                proptest::collection::btree_map("[a-z_]{0,10}", inner, 0..4)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_data_makes_the_check_panic_and_what_passes_is_known(
            index in 0_usize..5,
            given in proptest::collection::btree_map("area_sqm|home|appliance|life_left|service|[a-z]{1,6}", any_json(), 0..5),
        ) {
            let kind = PartnerKind::all().nth(index).unwrap();
            let given: Map<String, Json> = given.into_iter().collect();
            let known = kind.facts(&given);
            if kind.check(&given).is_ok() {
                prop_assert_eq!(known.iter().count(), given.len());
            }
        }
    }
}
