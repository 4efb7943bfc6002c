//! Conditions in the form the index works on: leaves are sets of values of one field, groups over one field are folded away.

use super::field::Fields;
use crate::rule::document::Op;
use crate::rule::fact::Kind;
use crate::rule::interval::{above, below, gaps, join, meet};
use crate::rule::tree::{Node, Rhs, Test};
use crate::rule::value::Value;
use std::collections::BTreeMap;

/// Values of one field: ascending disjoint intervals, and whether a missing value belongs to them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Set {
    pub(super) null: bool,
    pub(super) ints: Vec<(i64, i64)>,
}

impl Set {
    fn known(ints: Vec<(i64, i64)>) -> Self {
        Self { null: false, ints }
    }

    fn one(number: i64) -> Self {
        Self::known(vec![(number, number)])
    }

    /// Whether a value, or its absence, belongs to the set.
    pub(super) fn holds(&self, value: Option<i64>) -> bool {
        value.map_or(self.null, |number| {
            self.ints
                .iter()
                .any(|(low, high)| (*low..=*high).contains(&number))
        })
    }

    fn is_empty(&self) -> bool {
        !self.null && self.ints.is_empty()
    }

    fn is_full(&self) -> bool {
        self.null && self.ints == [(i64::MIN, i64::MAX)]
    }

    fn meet(&self, other: &Self) -> Self {
        Self {
            null: self.null && other.null,
            ints: meet(&self.ints, &other.ints),
        }
    }

    fn join(&self, other: &Self) -> Self {
        Self {
            null: self.null || other.null,
            ints: join(&self.ints, &other.ints),
        }
    }
}

/// A normalised condition. `All([])` holds always, `Any([])` never; children are sorted and unlike each other, so that
/// equal conditions are equal forms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    Leaf(usize, Set),
    Any(Vec<Form>),
    All(Vec<Form>),
}

impl Form {
    /// Normalises a condition tree; its comparisons become fields as they are met.
    pub(super) fn of(node: &Node, fields: &mut Fields) -> Self {
        match node {
            Node::Test(test) => leaf(test, fields),
            Node::All(inner) => Self::all(inner.iter().map(|one| Self::of(one, fields)).collect()),
            Node::Any(inner) => Self::any(inner.iter().map(|one| Self::of(one, fields)).collect()),
        }
    }

    fn never() -> Self {
        Self::Any(Vec::new())
    }

    fn always() -> Self {
        Self::All(Vec::new())
    }

    fn is_never(&self) -> bool {
        matches!(self, Self::Any(inner) if inner.is_empty())
    }

    fn is_always(&self) -> bool {
        matches!(self, Self::All(inner) if inner.is_empty())
    }

    /// All of them: nested groups flattened, one leaf a field.
    pub(super) fn all(inner: Vec<Self>) -> Self {
        let (leaves, mut rest) = sorted_out(inner, |form| match form {
            Self::All(inner) => Ok(inner),
            other => Err(other),
        });
        if rest.iter().any(Self::is_never) {
            return Self::never();
        }
        for (field, sets) in leaves {
            let met = sets.into_iter().reduce(|left, right| left.meet(&right));
            match met {
                Some(set) if set.is_empty() => return Self::never(),
                Some(set) if set.is_full() => {}
                Some(set) => rest.push(Self::Leaf(field, set)),
                None => {}
            }
        }
        Self::group(rest, Self::All)
    }

    /// Any of them: nested groups flattened, one leaf a field.
    pub(super) fn any(inner: Vec<Self>) -> Self {
        let (leaves, mut rest) = sorted_out(inner, |form| match form {
            Self::Any(inner) => Ok(inner),
            other => Err(other),
        });
        if rest.iter().any(Self::is_always) {
            return Self::always();
        }
        for (field, sets) in leaves {
            let joined = sets.into_iter().reduce(|left, right| left.join(&right));
            match joined {
                Some(set) if set.is_full() => return Self::always(),
                Some(set) if set.is_empty() => {}
                Some(set) => rest.push(Self::Leaf(field, set)),
                None => {}
            }
        }
        Self::group(rest, Self::Any)
    }

    fn group(mut inner: Vec<Self>, of: fn(Vec<Self>) -> Self) -> Self {
        inner.sort_unstable();
        inner.dedup();
        if inner.len() == 1 {
            inner.pop().unwrap_or_else(Self::never)
        } else {
            of(inner)
        }
    }

    /// Its leaves by field, and what is left: the groups over several fields.
    pub(super) fn conjunction(self) -> (BTreeMap<usize, Set>, Vec<Self>) {
        let parts = match self {
            Self::All(inner) => inner,
            other => vec![other],
        };
        let (mut leaves, mut rest) = (BTreeMap::new(), Vec::new());
        for part in parts {
            match part {
                Self::Leaf(field, set) => {
                    leaves.insert(field, set);
                }
                other => rest.push(other),
            }
        }
        (leaves, rest)
    }
}

type Sorted = (BTreeMap<usize, Vec<Set>>, Vec<Form>);

/// Splits the members of a group into leaves by field and the rest, groups of the same kind opened.
fn sorted_out(inner: Vec<Form>, open: fn(Form) -> Result<Vec<Form>, Form>) -> Sorted {
    let (mut leaves, mut rest): Sorted = Default::default();
    for form in inner {
        let members = open(form).unwrap_or_else(|other| vec![other]);
        for member in members {
            match member {
                Form::Leaf(field, set) => leaves.entry(field).or_default().push(set),
                other => rest.push(other),
            }
        }
    }
    (leaves, rest)
}

fn leaf(test: &Test, fields: &mut Fields) -> Form {
    let everything = || Set::known(vec![(i64::MIN, i64::MAX)]);
    let (field, set) = match (test.op, &test.rhs) {
        (Op::IsKnown, _) => (fields.plain(test), everything()),
        (Op::IsUnknown, _) => (
            fields.plain(test),
            Set {
                null: true,
                ints: Vec::new(),
            },
        ),
        (Op::Contains, Rhs::One(Value::Text(word))) => (fields.has(test, word), Set::one(1)),
        (Op::NotContains, Rhs::One(Value::Text(word))) => (fields.has(test, word), Set::one(0)),
        (op, Rhs::Fact(other)) => (fields.compared(test, other), Set::known(signs(op))),
        (op, Rhs::One(value)) => {
            let field = fields.plain(test);
            (field, literal(test, op, &fields.codes(field, &[value])))
        }
        (op, Rhs::Many(values)) => {
            let field = fields.plain(test);
            let values: Vec<_> = values.iter().collect();
            (field, literal(test, op, &fields.codes(field, &values)))
        }
        (_, Rhs::Nothing) => return Form::never(),
    };
    // A set may come out empty (`lt` of the least number) or full.
    if set.is_empty() {
        Form::never()
    } else if set.is_full() {
        Form::always()
    } else {
        Form::Leaf(field, set)
    }
}

/// The set a comparison with literals picks, over all integers: no range is assumed, so that the index agrees with the tree
/// on any value.
fn literal(test: &Test, op: Op, codes: &[i64]) -> Set {
    let first = codes.first().copied();
    let last = codes.last().copied();
    let points = || {
        let singles: Vec<_> = codes.iter().map(|code| (*code, *code)).collect();
        join(&singles, &[])
    };
    let (Some(low), Some(high)) = (first, last) else {
        return Set::known(Vec::new());
    };
    // Words are coded in the order they are met: only equality may look at their codes.
    let ordered = test.kind.is_number();
    Set::known(match op {
        Op::Eq | Op::In => points(),
        Op::Ne | Op::NotIn => gaps(&points()),
        Op::Gt if ordered => above(low),
        Op::Gte if ordered => vec![(low, i64::MAX)],
        Op::Lt if ordered => below(low),
        Op::Lte if ordered => vec![(i64::MIN, low)],
        Op::Between if ordered && low <= high => vec![(low, high)],
        Op::NotBetween if ordered => join(&below(low), &above(high)),
        _ => Vec::new(),
    })
}

/// The signs of `left - right` for which a comparison of two facts holds.
fn signs(op: Op) -> Vec<(i64, i64)> {
    match op {
        Op::Eq => vec![(0, 0)],
        Op::Ne => vec![(-1, -1), (1, 1)],
        Op::Gt => vec![(1, 1)],
        Op::Gte => vec![(0, 1)],
        Op::Lt => vec![(-1, -1)],
        Op::Lte => vec![(-1, 0)],
        Op::Between
        | Op::NotBetween
        | Op::In
        | Op::NotIn
        | Op::Contains
        | Op::NotContains
        | Op::IsKnown
        | Op::IsUnknown => Vec::new(),
    }
}

/// How a comparison of two values of a kind is coded; kinds without an order only know equal and unequal.
pub(super) fn sign(kind: Kind, left: &Value, right: &Value) -> i64 {
    match left.cmp(right) {
        std::cmp::Ordering::Equal => 0,
        std::cmp::Ordering::Less if kind.is_number() => -1,
        std::cmp::Ordering::Less | std::cmp::Ordering::Greater => 1,
    }
}
