//! Matching: AND the bitmaps of a case's slots, ask the survivors what the bitmaps do not decide.

use super::{Block, Case, Check, Column, Index, Matcher, Plan, Scratch, walk::Arena};

impl Column {
    /// Where the bitmap of a value's slot begins; a missing value has the last slot.
    pub(super) fn place(&self, value: Option<i64>, stride: usize) -> usize {
        let slot = value.map_or(self.starts.len() + 1, |number| {
            self.starts.partition_point(|start| *start <= number)
        });
        (self.base + slot) * stride
    }
}

impl Matcher {
    /// The numbers of the rules that hold for a case, ascending. Allocates nothing.
    pub fn matches<'s>(&self, case: &Case, scratch: &'s mut Scratch) -> &'s [u32] {
        scratch.begin();
        match &self.plan {
            Plan::Walk(roots) => {
                for (number, root) in (0_u32..).zip(roots) {
                    if self.arena.holds(*root, case) {
                        scratch.hits.push(number);
                    }
                }
                return &scratch.hits;
            }
            Plan::Index(index) => {
                index.locate(case, scratch);
                if index.summary.is_empty() {
                    index.blocks(&self.arena, case, scratch);
                } else {
                    index.words(&self.arena, case, scratch);
                }
            }
        }
        scratch.hits.sort_unstable();
        scratch.hits.dedup();
        &scratch.hits
    }
}

impl Scratch {
    /// Forgets the last case; every four billion cases the marks of the residuals start over.
    fn begin(&mut self) {
        self.hits.clear();
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.known.fill((0, false));
            self.round = 1;
        }
    }
}

fn and(left: &mut Block, right: &Block) {
    for (one, other) in left.iter_mut().zip(right) {
        *one &= other;
    }
}

const NOTHING: Block = [0; 4];

impl Index {
    /// Finds the slot of every column.
    fn locate(&self, case: &Case, scratch: &mut Scratch) {
        for (column, slot) in self.columns.iter().zip(&mut scratch.slots) {
            *slot = column.place(case.value(column.field), self.stride);
        }
    }

    /// Block after block through all columns, until nothing of it is left.
    fn blocks(&self, arena: &Arena, case: &Case, scratch: &mut Scratch) {
        for number in 0..self.stride {
            let mut left = self.bits.get(number).copied().unwrap_or(NOTHING);
            for slot in &scratch.slots {
                if let Some(bits) = self.bits.get(slot + number) {
                    and(&mut left, bits);
                }
                if left == NOTHING {
                    break;
                }
            }
            for (word, bits) in left.into_iter().enumerate() {
                self.survivors(arena, case, scratch, number * 4 + word, bits);
            }
        }
    }

    /// The same over a summary of one bit a word first; only words with something left are looked at.
    fn words(&self, arena: &Arena, case: &Case, scratch: &mut Scratch) {
        for number in 0..self.summary_stride {
            let mut left = self.summary.get(number).copied().unwrap_or(NOTHING);
            for slot in &scratch.slots {
                let place = slot / self.stride.max(1) * self.summary_stride + number;
                if let Some(bits) = self.summary.get(place) {
                    and(&mut left, bits);
                }
                if left == NOTHING {
                    break;
                }
            }
            for (part, mut words) in left.into_iter().enumerate() {
                while words != 0 {
                    let word = (number * 4 + part) * 64 + lowest(words);
                    words &= words.wrapping_sub(1);
                    let bits = self.word(scratch, word);
                    self.survivors(arena, case, scratch, word, bits);
                }
            }
        }
    }

    /// One word of the AND over all columns.
    fn word(&self, scratch: &Scratch, word: usize) -> u64 {
        let (block, part) = (word / 4, word % 4);
        let at = |place: usize| {
            let found = self.bits.get(place + block);
            found.and_then(|bits| bits.get(part)).copied().unwrap_or(0)
        };
        let mut left = at(0);
        for slot in &scratch.slots {
            left &= at(*slot);
            if left == 0 {
                break;
            }
        }
        left
    }

    fn survivors(
        &self,
        arena: &Arena,
        case: &Case,
        scratch: &mut Scratch,
        word: usize,
        mut bits: u64,
    ) {
        while bits != 0 {
            let row = word * 64 + lowest(bits);
            bits &= bits.wrapping_sub(1);
            let Some(row) = self.rows.get(row) else {
                continue;
            };
            let (from, to) = row.checks;
            let range = usize::try_from(from).unwrap_or(0)..usize::try_from(to).unwrap_or(0);
            let checks = self.checks.get(range).unwrap_or_default();
            if checks
                .iter()
                .all(|check| decide(arena, case, scratch, *check))
            {
                scratch.hits.push(row.rule);
            }
        }
    }
}

fn lowest(bits: u64) -> usize {
    usize::try_from(bits.trailing_zeros()).unwrap_or(0)
}

fn decide(arena: &Arena, case: &Case, scratch: &mut Scratch, check: Check) -> bool {
    match check {
        Check::Loose { field, set } => {
            let field = usize::try_from(field).unwrap_or(usize::MAX);
            arena.in_set(set, case.value(field))
        }
        Check::Residual(root) => arena.holds_once(root, case, scratch),
    }
}
