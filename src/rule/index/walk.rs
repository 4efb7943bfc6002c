//! Conditions as a flat arena: equal parts are stored once, and evaluating allocates nothing.

use super::{Case, Form, Scratch, Set};
use std::collections::BTreeMap;

/// Interned conditions and sets.
#[derive(Clone, Debug, Default)]
pub(super) struct Arena {
    nodes: Vec<Node>,
    children: Vec<u32>,
    sets: Vec<Set>,
    node_numbers: BTreeMap<Form, u32>,
    set_numbers: BTreeMap<Set, u32>,
}

#[derive(Clone, Copy, Debug)]
enum Node {
    Leaf { field: u32, set: u32 },
    All { from: u32, to: u32 },
    Any { from: u32, to: u32 },
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Arena {
    /// The number of a set, the same for equal sets.
    pub(super) fn set(&mut self, set: &Set) -> u32 {
        if let Some(known) = self.set_numbers.get(set) {
            return *known;
        }
        let fresh = number(self.sets.len());
        self.sets.push(set.clone());
        self.set_numbers.insert(set.clone(), fresh);
        fresh
    }

    /// The number of a condition, the same for equal conditions.
    pub(super) fn intern(&mut self, form: &Form) -> u32 {
        if let Some(known) = self.node_numbers.get(form) {
            return *known;
        }
        let node = match form {
            Form::Leaf(field, set) => Node::Leaf {
                field: number(*field),
                set: self.set(set),
            },
            Form::All(inner) => {
                let (from, to) = self.group(inner);
                Node::All { from, to }
            }
            Form::Any(inner) => {
                let (from, to) = self.group(inner);
                Node::Any { from, to }
            }
        };
        let fresh = number(self.nodes.len());
        self.nodes.push(node);
        self.node_numbers.insert(form.clone(), fresh);
        fresh
    }

    fn group(&mut self, inner: &[Form]) -> (u32, u32) {
        let members: Vec<u32> = inner.iter().map(|form| self.intern(form)).collect();
        let from = number(self.children.len());
        self.children.extend(members);
        (from, number(self.children.len()))
    }

    /// Drops what only interning needs.
    pub(super) fn finish(&mut self) {
        self.node_numbers.clear();
        self.set_numbers.clear();
    }

    /// How many conditions are stored.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn bytes(&self) -> usize {
        let sets: usize = self
            .sets
            .iter()
            .map(|set| size_of_val(set.ints.as_slice()) + size_of::<Set>())
            .sum();
        size_of_val(self.nodes.as_slice()) + size_of_val(self.children.as_slice()) + sets
    }

    /// Whether a value belongs to a set.
    pub(super) fn in_set(&self, set: u32, value: Option<i64>) -> bool {
        self.sets
            .get(index(set))
            .is_some_and(|set| set.holds(value))
    }

    /// Whether a condition holds for the values of a case.
    pub(super) fn holds(&self, root: u32, case: &Case) -> bool {
        match self.nodes.get(index(root)) {
            Some(Node::Leaf { field, set }) => {
                let value = case.value(index(*field));
                self.in_set(*set, value)
            }
            Some(Node::All { from, to }) => self
                .members(*from, *to)
                .iter()
                .all(|one| self.holds(*one, case)),
            Some(Node::Any { from, to }) => self
                .members(*from, *to)
                .iter()
                .any(|one| self.holds(*one, case)),
            None => false,
        }
    }

    fn members(&self, from: u32, to: u32) -> &[u32] {
        self.children
            .get(index(from)..index(to))
            .unwrap_or_default()
    }

    /// As [`Self::holds`], at most once per case.
    pub(super) fn holds_once(&self, root: u32, case: &Case, scratch: &mut Scratch) -> bool {
        match scratch.known.get(index(root)) {
            Some((round, holds)) if *round == scratch.round => return *holds,
            _ => {}
        }
        let holds = self.holds(root, case);
        if let Some(known) = scratch.known.get_mut(index(root)) {
            *known = (scratch.round, holds);
        }
        holds
    }
}
