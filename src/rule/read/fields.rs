//! Reading one JSON object field by field, collecting every fault with its pointer instead of stopping at the first.

use crate::kernel::Span;
use crate::rule::finding::{Finding, at};
use serde_json::{Map, Value as Json};

/// Most faults reported; a hopeless document need not fill the screen.
const MAX_FAULTS: usize = 100;

/// The faults found so far.
#[derive(Default)]
pub(super) struct Faults(pub(super) Vec<Finding>);

impl Faults {
    pub(super) fn add(
        &mut self,
        pointer: &str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add_as("RULE-FIELD", pointer, message, fix);
    }

    pub(super) fn add_as(
        &mut self,
        id: &str,
        pointer: &str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(Finding::block(id, pointer, message, fix));
        }
    }

    /// Whether enough faults were found to stop looking.
    pub(super) fn full(&self) -> bool {
        self.0.len() >= MAX_FAULTS
    }
}

/// One object being read; `finish` refuses what nobody asked for.
pub(super) struct Fields<'a> {
    pub(super) pointer: String,
    map: &'a Map<String, Json>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(super) fn open(faults: &mut Faults, pointer: &str, json: &'a Json) -> Option<Self> {
        if let Json::Object(map) = json {
            return Some(Self {
                pointer: pointer.to_owned(),
                map,
                known: Vec::new(),
            });
        }
        faults.add(pointer, "这里须是一个 {…} 对象", "照文档样例写成对象");
        None
    }

    pub(super) fn at(&self, key: &str) -> String {
        at(&self.pointer, key)
    }

    pub(super) fn get(&mut self, key: &'static str) -> Option<&'a Json> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.map.get(key)
    }

    pub(super) fn need(&mut self, faults: &mut Faults, key: &'static str) -> Option<&'a Json> {
        let found = self.get(key);
        if found.is_none() {
            faults.add(
                &self.pointer,
                format!("缺少“{key}”"),
                format!("补上“{key}”"),
            );
        }
        found
    }

    /// An optional text of 1 to `longest` characters.
    pub(super) fn text(
        &mut self,
        faults: &mut Faults,
        key: &'static str,
        longest: usize,
    ) -> Option<String> {
        let json = self.get(key)?;
        match json.as_str() {
            Some(text) if !text.trim().is_empty() && text.chars().count() <= longest => {
                Some(text.to_owned())
            }
            _ => {
                faults.add(
                    &self.at(key),
                    format!("“{key}”须是 1 到 {longest} 个字的文字"),
                    "改成这样的文字",
                );
                None
            }
        }
    }

    /// A text that must be there.
    pub(super) fn need_text(
        &mut self,
        faults: &mut Faults,
        key: &'static str,
        longest: usize,
    ) -> Option<String> {
        self.need(faults, key)?;
        self.text(faults, key, longest)
    }

    /// A slug that must be there: small letters, digits, `-` and `_`.
    pub(super) fn need_slug(&mut self, faults: &mut Faults, key: &'static str) -> Option<String> {
        self.need(faults, key)?;
        self.slug(faults, key)
    }

    /// An optional slug.
    pub(super) fn slug(&mut self, faults: &mut Faults, key: &'static str) -> Option<String> {
        let text = self.text(faults, key, 64)?;
        if is_slug(&text) {
            return Some(text);
        }
        faults.add(
            &self.at(key),
            format!("“{text}”须由小写字母、数字、- 和 _ 组成"),
            "换一个这样的名字",
        );
        None
    }

    /// An optional whole number between two bounds.
    pub(super) fn int(
        &mut self,
        faults: &mut Faults,
        key: &'static str,
        least: i64,
        most: i64,
    ) -> Option<i64> {
        let json = self.get(key)?;
        let found = json
            .as_i64()
            .filter(|number| (least..=most).contains(number));
        if found.is_none() {
            faults.add(
                &self.at(key),
                format!("“{key}”须是 {least} 到 {most} 的整数"),
                "改成这个范围内的整数",
            );
        }
        found
    }

    /// An optional yes or no; no when unsaid.
    pub(super) fn flag(&mut self, faults: &mut Faults, key: &'static str) -> bool {
        match self.get(key) {
            None => false,
            Some(Json::Bool(value)) => *value,
            Some(_) => {
                faults.add(
                    &self.at(key),
                    format!("“{key}”须是“true”或“false”"),
                    "改成“true”或“false”",
                );
                false
            }
        }
    }

    /// An optional ISO 8601 span.
    pub(super) fn span(&mut self, faults: &mut Faults, key: &'static str) -> Option<Span> {
        let json = self.get(key)?;
        match json.as_str().unwrap_or_default().parse() {
            Ok(span) => Some(span),
            Err(reason) => {
                faults.add(&self.at(key), reason, "写成 P7D、PT2H 这样的时长");
                None
            }
        }
    }

    /// An optional list; `least` entries or more.
    pub(super) fn list(
        &mut self,
        faults: &mut Faults,
        key: &'static str,
        least: usize,
    ) -> Option<&'a [Json]> {
        let json = self.get(key)?;
        match json.as_array() {
            Some(items) if items.len() >= least => Some(items),
            Some(_) => {
                faults.add(
                    &self.at(key),
                    format!("“{key}”不能是空的"),
                    "至少写一项,或整个删掉",
                );
                None
            }
            None => {
                faults.add(&self.at(key), format!("“{key}”须是 […] 列表"), "改成列表");
                None
            }
        }
    }

    /// Refuses unknown keys.
    pub(super) fn finish(self, faults: &mut Faults) {
        for key in self.map.keys() {
            if !self.known.contains(&key.as_str()) {
                let shown: String = key.chars().take(40).collect();
                faults.add(
                    &at(&self.pointer, key),
                    format!("不认识的字段“{shown}”"),
                    format!("删掉它;这里可写:“{}”", self.known.join("”“")),
                );
            }
        }
    }
}

/// Whether a text is 1 to 64 small letters, digits, `-` or `_`.
pub(super) fn is_slug(text: &str) -> bool {
    let fits = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
    };
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}
