//! History aggregates: the last n entries or those of a span, folded where they are.
//!
//! The database finds the entries, newest first, and answers count, sum, least and greatest as one text; the sum comes in
//! two halves, because SQLite fails where a sum leaves 64 bits and we have to say "unknown" there.

use crate::{
    kernel::{AppError, Result},
    rule::{EventKind, Facts, Fold, Value as Fact, Window},
};
use chrono::{DateTime, Utc};
use sea_orm::{QueryResult, Value};

/// Most entries a span may bring in; more would be a campaign, not a history.
const MOST: u32 = 1000;

/// Where a past is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// The customer's ratings.
    Rating,
    /// His completed visits.
    Booking,
    /// Events of one kind about him.
    Event(EventKind),
}

impl Source {
    /// Table, its entries of this person, and the column of their time. Fixed texts, nothing typed in.
    const fn place(&self) -> (&'static str, &'static str) {
        match self {
            Self::Rating => (
                "rating h WHERE h.customer_id = ask.customer_id",
                "submitted_at",
            ),
            Self::Booking => (
                "booking h WHERE h.customer_id = ask.customer_id AND h.status = 'completed' AND h.completed_at IS NOT NULL",
                "completed_at",
            ),
            Self::Event(_) => (
                "outbox h WHERE h.subject_id = ask.customer_id AND h.kind = ?",
                "occurred_at",
            ),
        }
    }
}

/// The source of a fact's past and the expression of one entry; `None` when it has none.
pub(super) fn source(name: &str) -> Option<(Source, &'static str)> {
    let rating = |column| Some((Source::Rating, column));
    let booking = |column| Some((Source::Booking, column));
    match name {
        "rating.score" => rating("h.score"),
        "rating.quality" => rating("h.quality * 100"),
        "rating.punctuality" => rating("h.punctuality * 100"),
        "rating.attitude" => rating("h.attitude * 100"),
        "rating.communication" => rating("h.communication * 100"),
        "rating.value" => rating("h.value * 100"),
        "rating.has_comment" => rating("CASE WHEN h.comment IS NULL THEN 0 ELSE 1 END"),
        "booking.total_fen" => booking("h.total_fen"),
        "booking.prepaid_fen" => booking("h.prepaid_fen - h.refunded_fen"),
        "booking.prepaid_ratio" => booking(
            "CASE WHEN h.total_fen > 0 THEN (h.prepaid_fen - h.refunded_fen) * 10000 / h.total_fen END",
        ),
        "booking.is_rework" => booking("CASE WHEN h.rework_of IS NULL THEN 0 ELSE 1 END"),
        "booking.late_minutes" => {
            booking("(SELECT w.late_minutes FROM work_order w WHERE w.booking_id = h.id)")
        }
        "booking.sla_breached" => booking(
            "CASE WHEN (SELECT COUNT(*) FROM complaint c WHERE c.booking_id = h.id AND c.breached_at IS NOT NULL) > 0 \
             THEN 1 ELSE 0 END",
        ),
        _ => EventKind::parse(name).map(|kind| (Source::Event(kind), "1")),
    }
}

/// One look back: the entries of one source in one window, and what is folded of them.
pub(super) struct Stretch {
    source: Source,
    window: Window,
    /// Expressions of an entry, each with the folds of it: name in the facts, and fold.
    columns: Vec<(&'static str, Vec<(String, Fold)>)>,
}

impl Stretch {
    pub(super) const fn new(source: Source, window: Window) -> Self {
        Self {
            source,
            window,
            columns: Vec::new(),
        }
    }

    /// Asks for a fold of this expression.
    pub(super) fn add(&mut self, column: &'static str, name: String, fold: Fold) {
        let known = self
            .columns
            .iter_mut()
            .find(|(expression, _)| *expression == column);
        match known {
            Some((_, folds)) => folds.push((name, fold)),
            None => self.columns.push((column, vec![(name, fold)])),
        }
    }

    /// The sub-query. Only as many entries as the window may hold are read, newest first; of two of one moment the younger
    /// id, so that the same past always gives the same answer.
    pub(super) fn sql(&self) -> String {
        let (mut packed, mut entries) = (Vec::new(), Vec::new());
        for (index, (column, _)) in self.columns.iter().enumerate() {
            entries.push(format!("CAST({column} AS BIGINT) AS e{index}"));
            packed.push(format!(
                "COUNT(e{index}) || ' ' || COALESCE(SUM(e{index} >> 32), 0) || ' ' || \
                 COALESCE(SUM(e{index} & 4294967295), 0) || ' ' || COALESCE(MIN(e{index}), 0) || ' ' || \
                 COALESCE(MAX(e{index}), 0)"
            ));
        }
        let (place, time) = self.source.place();
        let (since, most) = match self.window {
            Window::Last(entries) => (String::new(), entries),
            Window::Within(_) => (format!(" AND h.{time} >= ?"), MOST),
        };
        format!(
            "(SELECT {} FROM (SELECT {} FROM {place}{since} ORDER BY h.{time} DESC, h.id DESC LIMIT {most}) entries)",
            packed.join(" || ' ' || "),
            entries.join(", "),
        )
    }

    /// Its parameters, in the order of [`Stretch::sql`].
    pub(super) fn values(&self, now: DateTime<Utc>) -> Vec<Value> {
        let mut values = Vec::new();
        if let Source::Event(kind) = self.source {
            values.push(format!("{}.v1", kind.name()).into());
        }
        if let Window::Within(span) = self.window {
            let since = now.checked_sub_signed(span.get());
            values.push(since.unwrap_or(DateTime::UNIX_EPOCH).into());
        }
        values
    }

    /// Unpacks the text; NULL where it was not looked at.
    pub(super) fn take(&self, row: &QueryResult, index: usize, facts: &mut Facts) -> Result<()> {
        let Some(text) = row.try_get_by_index::<Option<String>>(index)? else {
            return Ok(());
        };
        let numbers = text
            .split(' ')
            .map(str::parse)
            .collect::<Result<Vec<i64>, _>>()
            .map_err(AppError::internal)?;
        for ((_, folds), found) in self.columns.iter().zip(numbers.chunks(5)) {
            let &[count, high, low, least, greatest] = found else {
                return Err(AppError::internal("a history without its five numbers"));
            };
            let past = Past {
                count,
                sum: (i128::from(high) << 32) + i128::from(low),
                least,
                greatest,
            };
            for (name, fold) in folds {
                facts.set_known(name.clone(), past.fold(*fold));
            }
        }
        Ok(())
    }
}

/// What is known of the entries.
struct Past {
    count: i64,
    sum: i128,
    least: i64,
    greatest: i64,
}

impl Past {
    /// Counting or adding up nothing is zero, anything else of nothing is unknown; so is what does not fit.
    fn fold(&self, fold: Fold) -> Option<Fact> {
        let some = self.count > 0;
        let share = |of: i128| {
            of.checked_div(i128::from(self.count))
                .and_then(|share| i64::try_from(share).ok())
        };
        let value = match fold {
            Fold::Count => Some(self.count),
            Fold::Sum => i64::try_from(self.sum).ok(),
            Fold::Min => some.then_some(self.least),
            Fold::Max => some.then_some(self.greatest),
            Fold::Mean => share(self.sum),
            Fold::Rate => share(self.sum * 10_000),
        };
        value.map(Fact::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_exact_and_nothing_is_unknown_except_counted_or_added_up() {
        let past = Past {
            count: 3,
            sum: 1420,
            least: 440,
            greatest: 500,
        };
        assert_eq!(past.fold(Fold::Min), Some(Fact::from(440_i64)));
        assert_eq!(past.fold(Fold::Max), Some(Fact::from(500_i64)));
        assert_eq!(past.fold(Fold::Mean), Some(Fact::from(473_i64)));
        assert_eq!(past.fold(Fold::Sum), Some(Fact::from(1420_i64)));
        let flags = Past {
            count: 3,
            sum: 2,
            least: 0,
            greatest: 1,
        };
        assert_eq!(flags.fold(Fold::Rate), Some(Fact::from(6666_i64)));
        let nothing = Past {
            count: 0,
            sum: 0,
            least: 0,
            greatest: 0,
        };
        assert_eq!(nothing.fold(Fold::Count), Some(Fact::from(0_i64)));
        assert_eq!(nothing.fold(Fold::Sum), Some(Fact::from(0_i64)));
        for fold in [Fold::Min, Fold::Max, Fold::Mean, Fold::Rate] {
            assert_eq!(nothing.fold(fold), None);
        }
        let huge = Past {
            count: 2,
            sum: i128::from(i64::MAX) + 1,
            least: 1,
            greatest: i64::MAX,
        };
        assert_eq!(huge.fold(Fold::Sum), None);
        assert_eq!(huge.fold(Fold::Mean), Some(Fact::from(i64::MAX / 2 + 1)));
    }
}
