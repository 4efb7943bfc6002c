//! Ascending disjoint integer intervals, both ends included: the arithmetic under domains and the index.

/// Everything greater than a number.
pub(super) fn above(number: i64) -> Vec<(i64, i64)> {
    number
        .checked_add(1)
        .map_or_else(Vec::new, |from| vec![(from, i64::MAX)])
}

/// Everything less than a number.
pub(super) fn below(number: i64) -> Vec<(i64, i64)> {
    number
        .checked_sub(1)
        .map_or_else(Vec::new, |to| vec![(i64::MIN, to)])
}

/// Everything outside ascending disjoint intervals.
pub(super) fn gaps(intervals: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut found = Vec::new();
    let mut from = Some(i64::MIN);
    for (low, high) in intervals {
        if let (Some(start), Some(end)) = (from, low.checked_sub(1))
            && start <= end
        {
            found.push((start, end));
        }
        from = high.checked_add(1);
    }
    found.extend(from.map(|start| (start, i64::MAX)));
    found
}

/// What both allow; one pass over both ascending lists.
pub(super) fn meet(left: &[(i64, i64)], right: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let (mut found, mut mine, mut theirs) = (Vec::new(), left.iter(), right.iter());
    let (mut one, mut other) = (mine.next(), theirs.next());
    while let (Some((low, high)), Some((other_low, other_high))) = (one, other) {
        let (from, to) = (*low.max(other_low), *high.min(other_high));
        if from <= to {
            found.push((from, to));
        }
        if high < other_high {
            one = mine.next();
        } else {
            other = theirs.next();
        }
    }
    found
}

/// What either allows.
pub(super) fn join(left: &[(i64, i64)], right: &[(i64, i64)]) -> Vec<(i64, i64)> {
    union(left.iter().chain(right).copied().collect())
}

/// These numbers, neighbours as one interval.
pub(super) fn points(numbers: &[i64]) -> Vec<(i64, i64)> {
    union(numbers.iter().map(|number| (*number, *number)).collect())
}

/// Intervals in any order, made ascending and disjoint.
fn union(mut all: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    all.sort_unstable();
    all.dedup_by(|next, last| {
        let touching = next.0 <= last.1.saturating_add(1);
        if touching {
            last.1 = last.1.max(next.1);
        }
        touching
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn intervals() -> impl Strategy<Value = Vec<(i64, i64)>> {
        proptest::collection::vec((-20_i64..20, 0_i64..5), 0..5).prop_map(|raw| {
            raw.into_iter().fold(Vec::new(), |set, (low, length)| {
                join(&set, &[(low, low + length)])
            })
        })
    }

    fn holds(set: &[(i64, i64)], number: i64) -> bool {
        set.iter()
            .any(|(low, high)| (*low..=*high).contains(&number))
    }

    proptest! {
        #[test]
        fn set_algebra_agrees_with_membership(left in intervals(), right in intervals(), number in -30_i64..30) {
            prop_assert_eq!(holds(&meet(&left, &right), number), holds(&left, number) && holds(&right, number));
            prop_assert_eq!(holds(&join(&left, &right), number), holds(&left, number) || holds(&right, number));
            prop_assert_eq!(holds(&gaps(&left), number), !holds(&left, number));
        }
    }
}
