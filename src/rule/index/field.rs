//! What rules look at, as numbered fields with integer values: numbers as they are, flags as 0 and 1, words by a dictionary.

use super::form::sign;
use crate::rule::fact::Kind;
use crate::rule::tree::{Test, fits};
use crate::rule::value::{Facts, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// The code of a known word no rule names.
const OTHER_WORD: i64 = -1;

/// Where a field's value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// A fact by its key.
    Plain(Arc<str>),
    /// Whether a list holds a word.
    Has(Arc<str>, String),
    /// How one fact compares with another.
    Compared(Arc<str>, String),
}

/// One field.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) source: Source,
    pub(super) kind: Kind,
    /// Codes of the words rules name.
    words: HashMap<String, i64>,
}

/// The fields of a partition, numbered as they are met.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) all: Vec<Field>,
    numbers: HashMap<Source, usize>,
}

impl Fields {
    fn number(&mut self, source: Source, kind: Kind) -> usize {
        if let Some(known) = self.numbers.get(&source) {
            return *known;
        }
        let number = self.all.len();
        self.numbers.insert(source.clone(), number);
        self.all.push(Field {
            source,
            kind,
            words: HashMap::new(),
        });
        number
    }

    /// The field of a fact.
    pub(super) fn plain(&mut self, test: &Test) -> usize {
        self.number(Source::Plain(Arc::clone(&test.key)), test.kind)
    }

    /// The field "the list holds this word".
    pub(super) fn has(&mut self, test: &Test, word: &str) -> usize {
        self.number(
            Source::Has(Arc::clone(&test.key), word.to_owned()),
            test.kind,
        )
    }

    /// The field "how this fact compares with that one".
    pub(super) fn compared(&mut self, test: &Test, other: &str) -> usize {
        let source = Source::Compared(Arc::clone(&test.key), other.to_owned());
        self.number(source, test.kind)
    }

    /// The code of a literal a fact is compared with; words get theirs here.
    pub(super) fn code(&mut self, field: usize, value: &Value) -> i64 {
        match value {
            Value::Bool(flag) => i64::from(*flag),
            Value::Int(number) => *number,
            Value::List(_) => 0,
            Value::Text(word) => self.all.get_mut(field).map_or(0, |field| field.coded(word)),
        }
    }
}

impl Field {
    /// The code of a word; the next one for a word not met before.
    fn coded(&mut self, word: &str) -> i64 {
        if let Some(known) = self.words.get(word) {
            return *known;
        }
        let next = i64::try_from(self.words.len()).unwrap_or(i64::MAX);
        self.words.insert(word.to_owned(), next);
        next
    }

    /// The integer a value stands for; `None` when it has the wrong shape and so counts as missing.
    pub(super) fn code(&self, value: &Value) -> Option<i64> {
        if !fits(self.kind, value) {
            return None;
        }
        Some(match value {
            Value::Bool(flag) => i64::from(*flag),
            Value::Int(number) => *number,
            Value::Text(word) => self.words.get(word).copied().unwrap_or(OTHER_WORD),
            Value::List(_) => 0,
        })
    }

    /// The value of a field that is computed from facts.
    pub(super) fn derive(&self, facts: &Facts) -> Option<i64> {
        let known = |key: &str| facts.get(key).filter(|value| fits(self.kind, value));
        match &self.source {
            Source::Plain(key) => self.code(known(key)?),
            Source::Has(key, word) => match known(key)? {
                Value::List(items) => Some(i64::from(items.contains(word))),
                _ => None,
            },
            Source::Compared(left, right) => Some(sign(self.kind, known(left)?, known(right)?)),
        }
    }
}
