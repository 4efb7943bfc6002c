//! Three-valued logic and the typed condition tree in negation normal form: the oracle every faster evaluator must agree with.

use super::document::Op;
use super::fact::Kind;
use super::reference::FactRef;
use super::value::{Facts, Value};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Kleene's three values. A missing fact is unknown, not false: `null <= 0.1` must not put a customer into the top 10 %.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// Does not hold.
    False,
    /// A fact it needs is missing.
    Unknown,
    /// Holds.
    True,
}

impl Truth {
    /// False wins, then unknown.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.min(other)
    }

    /// True wins, then unknown.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.max(other)
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::Unknown => Self::Unknown,
            Self::False => Self::True,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// A condition with every `not` pushed into its comparisons. An empty `All` is "always".
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Test(Test),
}

/// One typed comparison.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Test {
    pub(crate) pointer: Arc<str>,
    pub(crate) fact: FactRef,
    /// The text of `fact`, its key in [`Facts`].
    pub(crate) key: Arc<str>,
    pub(crate) kind: Kind,
    /// Least and greatest value the fact can have.
    pub(crate) range: (i64, i64),
    /// The only words the fact can hold; empty when free.
    pub(crate) options: &'static [&'static str],
    pub(crate) op: Op,
    pub(crate) rhs: Rhs,
}

/// The typed right-hand side.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rhs {
    Nothing,
    One(Value),
    Many(Vec<Value>),
    Fact(String),
}

impl Node {
    /// The value of the tree.
    pub(crate) fn truth(&self, facts: &Facts) -> Truth {
        match self {
            Self::All(inner) => inner
                .iter()
                .map(|one| one.truth(facts))
                .fold(Truth::True, Truth::and),
            Self::Any(inner) => inner
                .iter()
                .map(|one| one.truth(facts))
                .fold(Truth::False, Truth::or),
            Self::Test(test) => test.truth(facts),
        }
    }

    /// Calls `visit` with every comparison, in document order.
    pub(crate) fn each<'a>(&'a self, visit: &mut impl FnMut(&'a Test)) {
        match self {
            Self::All(inner) | Self::Any(inner) => inner.iter().for_each(|one| one.each(visit)),
            Self::Test(test) => visit(test),
        }
    }

    /// The value of the tree, and per comparison, in document order, whether it stands in the way of its being true: a branch of
    /// an `any` that holds otherwise does not.
    pub(crate) fn unmet(&self, facts: &Facts, found: &mut Vec<bool>) -> Truth {
        let from = found.len();
        match self {
            Self::All(inner) => inner
                .iter()
                .map(|one| one.unmet(facts, found))
                .fold(Truth::True, Truth::and),
            Self::Any(inner) => {
                let truth = inner
                    .iter()
                    .map(|one| one.unmet(facts, found))
                    .fold(Truth::False, Truth::or);
                if truth == Truth::True {
                    found.iter_mut().skip(from).for_each(|unmet| *unmet = false);
                }
                truth
            }
            Self::Test(test) => {
                let truth = test.truth(facts);
                found.push(truth != Truth::True);
                truth
            }
        }
    }

    /// The pointers of a smallest set of comparisons which, once true, make the tree true.
    pub(crate) fn missing<'a>(&'a self, facts: &Facts) -> Vec<&'a str> {
        match self {
            Self::All(inner) => inner.iter().flat_map(|one| one.missing(facts)).collect(),
            Self::Any(inner) => inner
                .iter()
                .map(|one| one.missing(facts))
                .min_by_key(Vec::len)
                .unwrap_or_default(),
            Self::Test(test) if test.truth(facts) == Truth::True => Vec::new(),
            Self::Test(test) => vec![&*test.pointer],
        }
    }
}

impl Test {
    /// The value found, if there is one of the right type.
    pub(crate) fn got<'a>(&self, facts: &'a Facts) -> Option<&'a Value> {
        facts.get(&self.key).filter(|value| fits(self.kind, value))
    }

    /// The value of the comparison.
    pub(crate) fn truth(&self, facts: &Facts) -> Truth {
        let got = self.got(facts);
        match self.op {
            Op::IsKnown => return got.is_some().into(),
            Op::IsUnknown => return got.is_none().into(),
            _ => {}
        }
        let Some(got) = got else {
            return Truth::Unknown;
        };
        match &self.rhs {
            Rhs::One(want) => self.holds(got, std::slice::from_ref(want)).into(),
            Rhs::Many(want) => self.holds(got, want).into(),
            Rhs::Fact(other) => match facts.get(other).filter(|value| fits(self.kind, value)) {
                Some(want) => self.holds(got, std::slice::from_ref(want)).into(),
                None => Truth::Unknown,
            },
            Rhs::Nothing => Truth::Unknown,
        }
    }

    fn holds(&self, got: &Value, want: &[Value]) -> bool {
        let (first, last) = (want.first(), want.last());
        let ordered =
            |holds: fn(std::cmp::Ordering) -> bool| first.is_some_and(|want| holds(got.cmp(want)));
        let within = || first.is_some_and(|low| got >= low) && last.is_some_and(|high| got <= high);
        let holds_word = || match (got, first) {
            (Value::List(items), Some(Value::Text(word))) => items.contains(word),
            _ => false,
        };
        match self.op {
            Op::Eq => ordered(std::cmp::Ordering::is_eq),
            Op::Ne => ordered(std::cmp::Ordering::is_ne),
            Op::Gt => ordered(std::cmp::Ordering::is_gt),
            Op::Gte => ordered(std::cmp::Ordering::is_ge),
            Op::Lt => ordered(std::cmp::Ordering::is_lt),
            Op::Lte => ordered(std::cmp::Ordering::is_le),
            Op::Between => within(),
            Op::NotBetween => !within(),
            Op::In => want.contains(got),
            Op::NotIn => !want.contains(got),
            Op::Contains => holds_word(),
            Op::NotContains => !holds_word(),
            Op::IsKnown | Op::IsUnknown => false,
        }
    }
}

/// Whether a value has the shape of a kind; a value of the wrong shape counts as missing.
pub(crate) fn fits(kind: Kind, value: &Value) -> bool {
    match value {
        Value::Bool(_) => kind == Kind::Bool,
        Value::Int(_) => kind.is_number(),
        Value::Text(_) => kind == Kind::Text,
        Value::List(_) => kind == Kind::List,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn truth() -> impl Strategy<Value = Truth> {
        prop_oneof![Just(Truth::False), Just(Truth::Unknown), Just(Truth::True)]
    }

    proptest! {
        #[test]
        fn kleene_laws_hold(a in truth(), b in truth(), c in truth()) {
            prop_assert_eq!(!!a, a);
            prop_assert_eq!(!(a.and(b)), (!a).or(!b));
            prop_assert_eq!(!(a.or(b)), (!a).and(!b));
            prop_assert_eq!(a.and(b), b.and(a));
            prop_assert_eq!(a.or(b.and(c)), a.or(b).and(a.or(c)));
        }
    }

    #[test]
    fn unknown_is_neither_true_nor_false() {
        assert_eq!(Truth::Unknown.and(Truth::True), Truth::Unknown);
        assert_eq!(Truth::Unknown.and(Truth::False), Truth::False);
        assert_eq!(Truth::Unknown.or(Truth::True), Truth::True);
        assert_eq!(!Truth::Unknown, Truth::Unknown);
    }
}
