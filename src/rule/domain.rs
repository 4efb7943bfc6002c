//! Sets of values a fact may have under a condition: integer intervals, words, and whether the fact may be missing.

use super::document::Op;
use super::fact::Kind;
use super::interval::{above, below, gaps, join, meet, points};
use super::tree::{Rhs, Test};
use super::value::Value;
use std::collections::BTreeSet;

/// The values of one fact that are still possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Domain {
    null: bool,
    set: Set,
}

/// Disjoint ascending intervals (both ends included), or words.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Set {
    Ints(Vec<(i64, i64)>),
    Only(BTreeSet<String>),
    Except(BTreeSet<String>),
}

impl Domain {
    /// The values for which a comparison holds. The flag is false when the set is only an upper bound (comparisons of two
    /// facts, words in lists).
    pub(crate) fn of(test: &Test) -> (Self, bool) {
        let full = Set::full(test);
        let known = |set: Set| Self { null: false, set };
        let values: &[Value] = match &test.rhs {
            Rhs::One(value) => std::slice::from_ref(value),
            Rhs::Many(values) => values,
            Rhs::Nothing | Rhs::Fact(_) => &[],
        };
        match test.op {
            Op::IsKnown => return (known(full), true),
            Op::IsUnknown => {
                return (
                    Self {
                        null: true,
                        set: full.nothing(),
                    },
                    true,
                );
            }
            Op::Contains | Op::NotContains => return (known(full), false),
            _ if values.is_empty() => return (known(full), false),
            _ => {}
        }
        (known(full.meet(&chosen(test, values))), true)
    }

    /// Whether nothing is possible.
    pub(crate) fn is_empty(&self) -> bool {
        !self.null && self.set.is_empty()
    }

    /// Whether only known numbers above zero are possible.
    pub(crate) fn is_above_zero(&self) -> bool {
        let Set::Ints(intervals) = &self.set else {
            return false;
        };
        !self.null && intervals.iter().all(|(low, _)| *low > 0)
    }

    /// What both allow.
    pub(crate) fn meet(&self, other: &Self) -> Self {
        Self {
            null: self.null && other.null,
            set: self.set.meet(&other.set),
        }
    }

    /// What either allows.
    pub(crate) fn join(&self, other: &Self) -> Self {
        Self {
            null: self.null || other.null,
            set: self.set.join(&other.set),
        }
    }

    /// How much work one operation on this set is.
    pub(crate) fn size(&self) -> usize {
        match &self.set {
            Set::Ints(intervals) => intervals.len().saturating_add(1),
            Set::Only(words) | Set::Except(words) => words.len().saturating_add(1),
        }
    }

    /// Whether everything `other` allows is allowed here too.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        (self.null || !other.null) && self.set.meet(&other.set) == other.set
    }
}

/// The set a comparison with literals picks, before it is cut to what the fact can be.
fn chosen(test: &Test, values: &[Value]) -> Set {
    if test.kind == Kind::Text {
        let words: BTreeSet<_> = values
            .iter()
            .filter_map(|value| match value {
                Value::Text(word) => Some(word.clone()),
                _ => None,
            })
            .collect();
        return if matches!(test.op, Op::Ne | Op::NotIn) {
            Set::Except(words)
        } else {
            Set::Only(words)
        };
    }
    let numbers: Vec<i64> = values
        .iter()
        .filter_map(|value| match value {
            Value::Int(number) => Some(*number),
            Value::Bool(flag) => Some(i64::from(*flag)),
            Value::Text(_) | Value::List(_) => None,
        })
        .collect();
    let low = numbers.first().copied().unwrap_or(i64::MIN);
    let high = numbers.last().copied().unwrap_or(i64::MAX);
    Set::Ints(match test.op {
        Op::Gt => above(low),
        Op::Gte => vec![(low, i64::MAX)],
        Op::Lt => below(low),
        Op::Lte => vec![(i64::MIN, low)],
        Op::Between => vec![(low, high)],
        Op::NotBetween => join(&below(low), &above(high)),
        Op::Ne | Op::NotIn => gaps(&points(&numbers)),
        Op::Eq | Op::In | Op::Contains | Op::NotContains | Op::IsKnown | Op::IsUnknown => {
            points(&numbers)
        }
    })
}

impl Set {
    fn full(test: &Test) -> Self {
        match test.kind {
            Kind::List => Self::Except(BTreeSet::new()),
            Kind::Text if test.options.is_empty() => Self::Except(BTreeSet::new()),
            Kind::Text => Self::Only(test.options.iter().map(|word| (*word).to_owned()).collect()),
            Kind::Bool | Kind::Int | Kind::Count | Kind::Score | Kind::Ratio | Kind::Money => {
                Self::Ints(vec![test.range])
            }
        }
    }

    fn nothing(&self) -> Self {
        match self {
            Self::Ints(_) => Self::Ints(Vec::new()),
            Self::Only(_) | Self::Except(_) => Self::Only(BTreeSet::new()),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Ints(intervals) => intervals.is_empty(),
            Self::Only(words) => words.is_empty(),
            Self::Except(_) => false,
        }
    }

    fn meet(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Ints(left), Self::Ints(right)) => Self::Ints(meet(left, right)),
            (Self::Only(left), Self::Only(right)) => Self::Only(left & right),
            (Self::Only(only), Self::Except(except)) | (Self::Except(except), Self::Only(only)) => {
                Self::Only(only - except)
            }
            (Self::Except(left), Self::Except(right)) => Self::Except(left | right),
            // One fact has one type; keeping the left side only widens the bound.
            (Self::Ints(_), _) | (_, Self::Ints(_)) => self.clone(),
        }
    }

    fn join(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Ints(left), Self::Ints(right)) => Self::Ints(join(left, right)),
            (Self::Only(left), Self::Only(right)) => Self::Only(left | right),
            (Self::Only(only), Self::Except(except)) | (Self::Except(except), Self::Only(only)) => {
                Self::Except(except - only)
            }
            (Self::Except(left), Self::Except(right)) => Self::Except(left & right),
            (Self::Ints(_), _) | (_, Self::Ints(_)) => self.clone(),
        }
    }
}
