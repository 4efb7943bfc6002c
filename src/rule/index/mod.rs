//! The compiled matcher: which rules of a partition hold for one case, without looking at each of them.
//!
//! Conditions are normalised ([`form`]): every conjunct over one field becomes a set of integer intervals plus a null flag,
//! words and flags are small integers, comparisons of two facts and words in lists become fields of their own. What is left
//! (`any` over several fields) is a residual, shared by all rules that have it and evaluated at most once per case. Per field
//! the sets' ends cut the integers into slots; per slot one bitmap says which rows the field does not exclude ([`build`]). A
//! case is one slot per field; its rows are the AND of the slots' bitmaps ([`scan`]). Small partitions are walked.
//!
//! The plain tree walk ([`super::tree`]) stays the oracle: both agree on every case (a property of the tests).

mod bind;
mod build;
mod field;
mod form;
mod scan;
#[cfg(test)]
mod tests;
mod walk;

use super::tree::Node;
use field::Fields;
use form::{Form, Set};
use std::sync::Arc;
use walk::Arena;

/// How a matcher finds the rules that hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// By the number of rules.
    #[default]
    Auto,
    /// Each rule's normalised condition, one after the other.
    Walk,
    /// Bitmaps per field and slot.
    Index,
}

/// Below so many rules walking them is quicker than looking slots up.
const FEW: usize = 20;

/// Four words: the bitmaps are ANDed 256 rows at a time.
type Block = [u64; 4];

/// Finds which of the rules it was made from hold.
#[derive(Clone, Debug)]
pub struct Matcher {
    fields: Fields,
    /// Facts of plain fields, sorted by key, with the number of their field: bound by one merge with the sorted facts.
    plain: Vec<(Arc<str>, usize)>,
    /// Fields computed from facts.
    derived: Vec<usize>,
    arena: Arena,
    plan: Plan,
    rules: usize,
}

#[derive(Clone, Debug)]
enum Plan {
    /// The root of each rule.
    Walk(Vec<u32>),
    Index(Box<Index>),
}

/// The bitmaps of a partition.
#[derive(Clone, Debug, Default)]
struct Index {
    /// One per field that excludes rows, the most selective first.
    columns: Vec<Column>,
    /// All bitmaps, one after the other; the first is the one of all rows.
    bits: Vec<Block>,
    /// A bit per word of `bits`: whether any row of it is left; empty while there are few rows.
    summary: Vec<Block>,
    /// Blocks of a bitmap, and of a summary.
    stride: usize,
    summary_stride: usize,
    rows: Vec<Row>,
    /// What survivors are asked again, by row.
    checks: Vec<Check>,
}

/// A field's slots.
#[derive(Clone, Debug)]
struct Column {
    field: usize,
    /// First number of each slot after the first.
    starts: Vec<i64>,
    /// Where its bitmaps begin, in blocks of a bitmap.
    base: usize,
}

/// A conjunction of a rule; several rows of one rule are its alternatives.
#[derive(Clone, Debug)]
struct Row {
    rule: u32,
    checks: (u32, u32),
}

/// What the bitmaps do not decide.
#[derive(Clone, Copy, Debug)]
enum Check {
    /// A set cut through a slot.
    Loose { field: u32, set: u32 },
    /// A group over several fields.
    Residual(u32),
}

/// What a matcher knows of one case: a value per field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case(Vec<Option<i64>>);

/// The room a matcher works in; made once, used for many cases.
#[derive(Clone, Debug)]
pub struct Scratch {
    /// Where the bitmap of each column's slot begins, in column order: blocks of a bitmap.
    slots: Vec<usize>,
    hits: Vec<u32>,
    /// Per residual: the round it was evaluated in, and how it came out.
    known: Vec<(u32, bool)>,
    round: u32,
}

/// A case and the room to match it in.
#[derive(Clone, Debug)]
pub struct Binding {
    case: Case,
    scratch: Scratch,
}

impl Matcher {
    /// Makes a matcher of conditions; rules are numbered in the order given.
    pub(crate) fn new<'a>(
        conditions: impl ExactSizeIterator<Item = &'a Node>,
        method: Method,
    ) -> Self {
        let rules = conditions.len();
        let mut fields = Fields::default();
        let forms: Vec<Form> = conditions.map(|node| Form::of(node, &mut fields)).collect();
        let walk = match method {
            Method::Auto => rules < FEW,
            Method::Walk => true,
            Method::Index => false,
        };
        let mut arena = Arena::default();
        let plan = if walk {
            Plan::Walk(forms.iter().map(|form| arena.intern(form)).collect())
        } else {
            Plan::Index(Box::new(build::index(forms, fields.all.len(), &mut arena)))
        };
        arena.finish();
        let (facts, derived) = bind::inputs(&fields);
        Self {
            fields,
            plain: facts,
            derived,
            arena,
            plan,
            rules,
        }
    }

    /// How many rules it was made from.
    pub fn len(&self) -> usize {
        self.rules
    }

    /// Whether it was made from none.
    pub fn is_empty(&self) -> bool {
        self.rules == 0
    }

    /// The bytes its tables take, about.
    pub fn bytes(&self) -> usize {
        let index = match &self.plan {
            Plan::Walk(roots) => size_of_val(roots.as_slice()),
            Plan::Index(index) => index.bytes(),
        };
        index.saturating_add(self.arena.bytes())
    }
}

impl Index {
    fn bytes(&self) -> usize {
        let columns = self.columns.iter();
        let starts: usize = columns
            .map(|column| size_of_val(column.starts.as_slice()))
            .sum();
        size_of_val(self.bits.as_slice())
            + size_of_val(self.summary.as_slice())
            + size_of_val(self.rows.as_slice())
            + size_of_val(self.checks.as_slice())
            + starts
    }
}
