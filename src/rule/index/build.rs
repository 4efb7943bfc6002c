//! Building the bitmaps: rows, cuts, order.

use super::form::Leaves;
use super::walk::Arena;
use super::{Block, Check, Column, Form, Index, Row, Set};

/// Most cuts of a field; beyond it sets that lie across a slot are asked again when they survive.
const MAX_CUTS: usize = 256;
/// Fewest cuts a field is left with, however many rows there are.
const MIN_CUTS: usize = 16;
/// Bytes the bitmaps of one partition may take before fields get fewer cuts.
const BUDGET: usize = 16 * 1024 * 1024;
/// Widest group that becomes alternative rows instead of a residual.
const MAX_ALTERNATIVES: usize = 8;
/// From so many rows the summary goes first.
const SUMMARY_FROM: usize = 10_000;

/// A conjunction before it has its place.
struct Draft {
    rule: u32,
    /// Ascending by field, one a field.
    leaves: Leaves,
    residuals: Vec<Form>,
}

impl Draft {
    fn leaf(&self, field: usize) -> Option<&Set> {
        let place = self
            .leaves
            .binary_search_by_key(&field, |(known, _)| *known);
        self.leaves.get(place.ok()?).map(|(_, set)| set)
    }
}

/// The index of normalised conditions.
pub(super) fn index(forms: Vec<Form>, fields: usize, arena: &mut Arena) -> Index {
    let mut drafts = Vec::with_capacity(forms.len());
    for (rule, form) in (0_u32..).zip(forms) {
        alternatives(&mut drafts, rule, form);
    }
    let mut cuts = cuts(&drafts, fields);
    let order = order(&drafts, &cuts);
    let drafts = sorted(&drafts, &order);
    let mut index = Index {
        stride: drafts.len().div_ceil(256),
        ..Index::default()
    };
    all_rows(&mut index, drafts.len());
    for field in order {
        let starts = cuts.get_mut(field).map(std::mem::take).unwrap_or_default();
        column(&mut index, &drafts, field, starts);
    }
    for draft in drafts {
        row(&mut index, arena, draft);
    }
    if index.rows.len() >= SUMMARY_FROM {
        summarise(&mut index);
    }
    index
}

/// A rule as one conjunction, or as a few when a narrow enough group stands in it.
fn alternatives(drafts: &mut Vec<Draft>, rule: u32, form: Form) {
    if form == Form::Any(Vec::new()) {
        return;
    }
    let (leaves, mut residuals) = form.conjunction();
    let narrow = residuals
        .iter()
        .position(|form| matches!(form, Form::Any(inner) if inner.len() <= MAX_ALTERNATIVES));
    let Some(narrow) = narrow else {
        drafts.push(Draft {
            rule,
            leaves,
            residuals,
        });
        return;
    };
    let Form::Any(branches) = residuals.swap_remove(narrow) else {
        return;
    };
    for branch in branches {
        let mut parts: Vec<Form> = residuals.clone();
        let shared = leaves.iter();
        parts.extend(shared.map(|(field, set)| Form::Leaf(*field, set.clone())));
        parts.push(branch);
        let whole = Form::all(parts);
        if whole == Form::Any(Vec::new()) {
            continue;
        }
        let (leaves, residuals) = whole.conjunction();
        drafts.push(Draft {
            rule,
            leaves,
            residuals,
        });
    }
}

/// Where each field's integers are cut: at the ends of its sets, thinned out when there are too many.
fn cuts(drafts: &[Draft], fields: usize) -> Vec<Vec<i64>> {
    let mut ends: Vec<Vec<i64>> = vec![Vec::new(); fields];
    for draft in drafts {
        for (field, set) in &draft.leaves {
            let Some(ends) = ends.get_mut(*field) else {
                continue;
            };
            for (low, high) in &set.ints {
                ends.extend((*low > i64::MIN).then_some(*low));
                ends.extend(high.checked_add(1));
            }
        }
    }
    let row_bytes = drafts.len().div_ceil(8).max(1);
    let used = ends.iter().filter(|ends| !ends.is_empty()).count().max(1);
    let most = (BUDGET / row_bytes / used).clamp(MIN_CUTS, MAX_CUTS);
    for ends in &mut ends {
        ends.sort_unstable();
        ends.dedup();
        if ends.len() > most {
            // Even steps through the distinct ends: each slot holds about as many of them.
            let all = std::mem::take(ends);
            *ends = (0..most)
                .filter_map(|step| all.get(step * all.len() / most).copied())
                .collect();
        }
    }
    ends
}

/// The fields that exclude rows, those first that leave the fewest on average over their slots.
fn order(drafts: &[Draft], cuts: &[Vec<i64>]) -> Vec<usize> {
    // Per field: rows that look at it, and slots they leave open.
    let mut sums = vec![(0_usize, 0_usize); cuts.len()];
    for (field, set) in drafts.iter().flat_map(|draft| &draft.leaves) {
        if let (Some((bound, open)), Some(starts)) = (sums.get_mut(*field), cuts.get(*field)) {
            let spans = set.ints.iter().map(|span| {
                let (from, to) = slots_of(starts, *span);
                to - from + 1
            });
            *bound += 1;
            *open += spans.sum::<usize>() + usize::from(set.null);
        }
    }
    let used = sums.into_iter().zip(cuts).enumerate();
    let mut used: Vec<_> = used
        .filter(|(_, ((bound, _), _))| *bound > 0)
        .map(|(field, ((bound, open), starts))| {
            let slots = starts.len() + 2;
            let left = open + (drafts.len() - bound) * slots;
            (left * 1_000 / slots, field)
        })
        .collect();
    used.sort_unstable();
    used.into_iter().map(|(_, field)| field).collect()
}

/// Rows that are alike in the most selective fields next to each other, so that whole blocks of them fall out at once.
fn sorted<'a>(drafts: &'a [Draft], order: &[usize]) -> Vec<&'a Draft> {
    let keyed = drafts.iter().map(|draft| {
        let mut key = [None; 3];
        for (set, field) in key.iter_mut().zip(order) {
            *set = draft.leaf(*field);
        }
        (key, draft)
    });
    let mut keyed: Vec<_> = keyed.collect();
    keyed.sort_by(|(left, one), (right, other)| (left, one.rule).cmp(&(right, other.rule)));
    keyed.into_iter().map(|(_, draft)| draft).collect()
}

/// First and last slot an interval touches.
fn slots_of(starts: &[i64], (low, high): (i64, i64)) -> (usize, usize) {
    let slot = |number: i64| starts.partition_point(|start| *start <= number);
    (slot(low), slot(high))
}

/// Whether the cuts fall on every end of a set, so that its slots hold nothing else.
fn exact(starts: &[i64], set: &Set) -> bool {
    let cut = |number: i64| starts.binary_search(&number).is_ok();
    set.ints
        .iter()
        .all(|(low, high)| (*low == i64::MIN || cut(*low)) && high.checked_add(1).is_none_or(cut))
}

fn put(bits: &mut [Block], row: usize) {
    if let Some(word) = bits
        .get_mut(row / 256)
        .and_then(|block| block.get_mut(row / 64 % 4))
    {
        *word |= 1 << (row % 64);
    }
}

fn all_rows(index: &mut Index, rows: usize) {
    index.bits = vec![[0; 4]; index.stride];
    for row in 0..rows {
        put(&mut index.bits, row);
    }
}

fn column(index: &mut Index, drafts: &[&Draft], field: usize, starts: Vec<i64>) {
    let stride = index.stride;
    let mut free: Vec<Block> = vec![[0; 4]; stride];
    for (row, draft) in drafts.iter().enumerate() {
        if draft.leaf(field).is_none() {
            put(&mut free, row);
        }
    }
    let slots = starts.len() + 2;
    let from = index.bits.len();
    for _ in 0..slots {
        index.bits.extend_from_slice(&free);
    }
    let base = from.checked_div(stride).unwrap_or(0);
    let mut set_bit = |slot: usize, row: usize| {
        let start = from + slot * stride;
        if let Some(bits) = index.bits.get_mut(start..start + stride) {
            put(bits, row);
        }
    };
    for (row, draft) in drafts.iter().enumerate() {
        let Some(set) = draft.leaf(field) else {
            continue;
        };
        for span in &set.ints {
            let (first, last) = slots_of(&starts, *span);
            for slot in first..=last {
                set_bit(slot, row);
            }
        }
        if set.null {
            set_bit(slots - 1, row);
        }
    }
    index.columns.push(Column {
        field,
        starts,
        base,
    });
}

fn row(index: &mut Index, arena: &mut Arena, draft: &Draft) {
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let from = number(index.checks.len());
    for column in &index.columns {
        if let Some(set) = draft.leaf(column.field)
            && !exact(&column.starts, set)
        {
            index.checks.push(Check::Loose {
                field: number(column.field),
                set: arena.set(set),
            });
        }
    }
    let residuals = draft.residuals.iter().map(|form| arena.intern(form));
    index.checks.extend(residuals.map(Check::Residual));
    index.rows.push(Row {
        rule: draft.rule,
        checks: (from, number(index.checks.len())),
    });
}

/// One bit per word of every bitmap.
fn summarise(index: &mut Index) {
    let words = index.stride * 4;
    index.summary_stride = words.div_ceil(256);
    for bitmap in index.bits.chunks(index.stride.max(1)) {
        let mut summary = vec![[0; 4]; index.summary_stride];
        for (word, bits) in bitmap.iter().flatten().enumerate() {
            if *bits != 0 {
                put(&mut summary, word);
            }
        }
        index.summary.extend(summary);
    }
}
