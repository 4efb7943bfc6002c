//! From facts to the values and slots of one case.

use super::field::{Fields, Source};
use super::{Binding, Case, Matcher, Plan, Scratch};
use crate::rule::value::Facts;
use std::cmp::Ordering;
use std::sync::Arc;

/// Plain fields by the key of their fact, and the numbers of the others.
pub(super) fn inputs(fields: &Fields) -> (Vec<(Arc<str>, usize)>, Vec<usize>) {
    let (mut plain, mut derived) = (Vec::new(), Vec::new());
    for (number, field) in fields.all.iter().enumerate() {
        match &field.source {
            Source::Plain(key) => plain.push((Arc::clone(key), number)),
            Source::Has(..) | Source::Compared(..) => derived.push(number),
        }
    }
    plain.sort_unstable();
    (plain, derived)
}

impl Case {
    /// The value of a field, if known.
    pub(super) fn value(&self, field: usize) -> Option<i64> {
        self.0.get(field).copied().flatten()
    }

    fn set(&mut self, field: usize, value: Option<i64>) {
        if let Some(place) = self.0.get_mut(field) {
            *place = value;
        }
    }
}

impl Binding {
    /// What was found last, together with others.
    pub(crate) fn with(&mut self, others: impl Iterator<Item = u32>) -> &[u32] {
        let hits = &mut self.scratch.hits;
        hits.extend(others);
        hits.sort_unstable();
        hits.dedup();
        hits
    }
}

impl Matcher {
    /// A case of which nothing is known.
    pub fn case(&self) -> Case {
        Case(vec![None; self.fields.all.len()])
    }

    /// Room for this matcher's work.
    pub fn scratch(&self) -> Scratch {
        let (rows, columns) = match &self.plan {
            Plan::Walk(roots) => (roots.len(), 0),
            Plan::Index(index) => (index.rows.len(), index.columns.len()),
        };
        Scratch {
            slots: vec![0; columns],
            hits: Vec::with_capacity(rows),
            known: vec![(0, false); self.arena.len()],
            round: 0,
        }
    }

    /// A case of which nothing is known, and the room to match it in.
    pub fn binding(&self) -> Binding {
        Binding {
            case: self.case(),
            scratch: self.scratch(),
        }
    }

    /// Reads the facts of a case: one merge of two sorted lists, no allocation.
    pub fn bind(&self, case: &mut Case, facts: &Facts) {
        let mut known = facts.iter();
        let mut next = known.next();
        for (key, number) in &self.plain {
            let mut found = None;
            while let Some((name, value)) = next {
                match name.cmp(&**key) {
                    Ordering::Less => next = known.next(),
                    Ordering::Equal => {
                        found = Some(value);
                        break;
                    }
                    Ordering::Greater => break,
                }
            }
            let field = self.fields.all.get(*number);
            case.set(*number, field.and_then(|field| field.code(found?)));
        }
        for number in &self.derived {
            let field = self.fields.all.get(*number);
            case.set(*number, field.and_then(|field| field.derive(facts)));
        }
    }

    /// The numbers of the rules that hold for these facts, ascending.
    pub fn find<'b>(&self, facts: &Facts, binding: &'b mut Binding) -> &'b [u32] {
        self.bind(&mut binding.case, facts);
        self.matches(&binding.case, &mut binding.scratch)
    }
}
