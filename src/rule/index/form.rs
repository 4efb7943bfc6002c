//! Conditions in the form the index works on: leaves are sets of values of one field, groups over one field are folded away.

use super::field::Fields;
use crate::rule::document::Op;
use crate::rule::fact::Kind;
use crate::rule::interval::{above, below, gaps, join, meet, points};
use crate::rule::tree::{Node, Rhs, Test};
use crate::rule::value::Value;

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
        let open = |form| match form {
            Self::All(inner) => Ok(inner),
            other => Err(other),
        };
        let (leaves, mut rest) = sorted_out(inner, open, Set::meet);
        if rest.iter().any(Self::is_never) {
            return Self::never();
        }
        rest.reserve(leaves.len());
        for (field, set) in leaves {
            if set.is_empty() {
                return Self::never();
            }
            if !set.is_full() {
                rest.push(Self::Leaf(field, set));
            }
        }
        Self::group(rest, Self::All)
    }

    /// Any of them: nested groups flattened, one leaf a field.
    pub(super) fn any(inner: Vec<Self>) -> Self {
        let open = |form| match form {
            Self::Any(inner) => Ok(inner),
            other => Err(other),
        };
        let (leaves, mut rest) = sorted_out(inner, open, Set::join);
        if rest.iter().any(Self::is_always) {
            return Self::always();
        }
        rest.reserve(leaves.len());
        for (field, set) in leaves {
            if set.is_full() {
                return Self::always();
            }
            if !set.is_empty() {
                rest.push(Self::Leaf(field, set));
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

    /// Its leaves, ascending by field and one a field, and what is left: the groups over several fields.
    pub(super) fn conjunction(self) -> (Leaves, Vec<Self>) {
        let parts = match self {
            Self::All(inner) => inner,
            other => vec![other],
        };
        let (mut leaves, mut rest) = (Vec::with_capacity(parts.len()), Vec::new());
        for part in parts {
            match part {
                Self::Leaf(field, set) => leaves.push((field, set)),
                other => rest.push(other),
            }
        }
        (leaves, rest)
    }
}

/// Sets by field.
pub(super) type Leaves = Vec<(usize, Set)>;

/// Splits the members of a group, groups of the same kind opened, into leaves and the rest; leaves of one field are merged,
/// and come out ascending by field.
fn sorted_out(
    inner: Vec<Form>,
    open: fn(Form) -> Result<Vec<Form>, Form>,
    merge: fn(&Set, &Set) -> Set,
) -> (Leaves, Vec<Form>) {
    let (mut leaves, mut rest) = (Leaves::with_capacity(inner.len()), Vec::new());
    let mut place = |form| match form {
        Form::Leaf(field, set) => leaves.push((field, set)),
        other => rest.push(other),
    };
    for form in inner {
        match open(form) {
            Ok(members) => members.into_iter().for_each(&mut place),
            Err(other) => place(other),
        }
    }
    leaves.sort_by_key(|(field, _)| *field);
    leaves.dedup_by(|(next, set), (last, merged)| {
        let same = next == last;
        if same {
            *merged = merge(merged, set);
        }
        same
    });
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
            (field, literal(test, op, &[fields.code(field, value)]))
        }
        (op, Rhs::Many(values)) => {
            let field = fields.plain(test);
            let codes = values.iter().map(|value| fields.code(field, value));
            (field, literal(test, op, &codes.collect::<Vec<_>>()))
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
    let (Some(low), Some(high)) = (first, last) else {
        return Set::known(Vec::new());
    };
    // Words are coded in the order they are met: only equality may look at their codes.
    let ordered = test.kind.is_number();
    Set::known(match op {
        Op::Eq | Op::In => points(codes),
        Op::Ne | Op::NotIn => gaps(&points(codes)),
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
