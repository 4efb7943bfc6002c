//! History aggregates: the last n entries or those of a span, folded.

use crate::{
    kernel::Result,
    platform::{Ctx, statement},
    rule::{EventKind, FactRef, Fold, History, Value as Fact, Window},
};
use chrono::{DateTime, Utc};
use entity::ids::AccountId;
use sea_orm::{ConnectionTrait, Value};

/// Most entries a span may bring in; more would be a campaign, not a history.
const MOST: u64 = 1000;

/// The aggregate, or `None` (unknown) when there is nothing to fold or the fact has no history here.
pub(super) async fn read(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    customer: AccountId,
    reference: &FactRef,
) -> Result<Option<Fact>> {
    let Some(history) = reference.history else {
        return Ok(None);
    };
    let Some((column, from, time)) = source(&reference.name) else {
        return Ok(None);
    };
    let now = ctx.env.now();
    let (since, limit) = match history.window {
        Window::Last(n) => (DateTime::<Utc>::UNIX_EPOCH, u64::from(n)),
        Window::Within(span) => (now - span.get(), MOST),
    };
    let event = EventKind::parse(&reference.name).map(|kind| format!("{}.v1", kind.name()));
    let mut values: Vec<Value> = vec![customer.0.into()];
    let by_kind = if event.is_some() { " AND kind = ?" } else { "" };
    values.extend(event.map(Value::from));
    values.push(since.into());
    values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    let sql = format!(
        "SELECT CAST({column} AS BIGINT) AS entry FROM {from} = ?{by_kind} AND {time} >= ? ORDER BY {time} DESC LIMIT ?"
    );
    let rows = db
        .query_all_raw(statement(db.get_database_backend(), &sql, values))
        .await?;
    let entries = rows
        .iter()
        .map(|row| row.try_get::<Option<i64>>("", "entry"))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(fold(
        history,
        &entries.into_iter().flatten().collect::<Vec<_>>(),
    ))
}

/// Where a fact's past is kept: expression, table with the owner's column, time column. Fixed texts, nothing typed in.
fn source(name: &str) -> Option<(&'static str, &'static str, &'static str)> {
    const RATING: &str = "rating WHERE customer_id";
    const BOOKING: &str = "booking WHERE status = 'completed' AND customer_id";
    let rating = |column| Some((column, RATING, "submitted_at"));
    let booking = |column| Some((column, BOOKING, "completed_at"));
    match name {
        "rating.score" => rating("score"),
        "rating.quality" => rating("quality * 100"),
        "rating.punctuality" => rating("punctuality * 100"),
        "rating.attitude" => rating("attitude * 100"),
        "rating.communication" => rating("communication * 100"),
        "rating.value" => rating("value * 100"),
        "booking.total_fen" => booking("total_fen"),
        "booking.prepaid_fen" => booking("prepaid_fen - refunded_fen"),
        "booking.prepaid_ratio" => booking(
            "CASE WHEN total_fen > 0 THEN (prepaid_fen - refunded_fen) * 10000 / total_fen END",
        ),
        "booking.is_rework" => booking("CASE WHEN rework_of IS NULL THEN 0 ELSE 1 END"),
        "booking.late_minutes" => {
            booking("(SELECT w.late_minutes FROM work_order w WHERE w.booking_id = booking.id)")
        }
        "booking.sla_breached" => booking(
            "CASE WHEN EXISTS (SELECT 1 FROM complaint c WHERE c.booking_id = booking.id AND c.breached_at IS NOT NULL) \
             THEN 1 ELSE 0 END",
        ),
        _ if EventKind::parse(name).is_some() => {
            Some(("1", "outbox WHERE subject_id", "occurred_at"))
        }
        _ => None,
    }
}

/// Folds entries; counting nothing is zero, anything else of nothing is unknown.
fn fold(history: History, entries: &[i64]) -> Option<Fact> {
    let count = i64::try_from(entries.len()).unwrap_or(i64::MAX);
    let sum = entries
        .iter()
        .fold(0_i128, |sum, entry| sum + i128::from(*entry));
    let value = match history.fold {
        Fold::Count => Some(count),
        Fold::Sum => i64::try_from(sum).ok(),
        Fold::Min => entries.iter().min().copied(),
        Fold::Max => entries.iter().max().copied(),
        Fold::Mean => sum
            .checked_div(i128::from(count))
            .and_then(|mean| i64::try_from(mean).ok()),
        Fold::Rate => (sum * 10_000)
            .checked_div(i128::from(count))
            .and_then(|rate| i64::try_from(rate).ok()),
    };
    value.map(Fact::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(fold: Fold) -> History {
        History {
            window: Window::Last(3),
            fold,
        }
    }

    #[test]
    fn folds_are_exact_and_nothing_is_unknown_except_counted() {
        let entries = [480, 500, 440];
        let of = |kind| super::fold(over(kind), &entries);
        assert_eq!(of(Fold::Min), Some(Fact::from(440_i64)));
        assert_eq!(of(Fold::Mean), Some(Fact::from(473_i64)));
        assert_eq!(of(Fold::Sum), Some(Fact::from(1420_i64)));
        assert_eq!(
            super::fold(over(Fold::Rate), &[1, 0, 1]),
            Some(Fact::from(6666_i64))
        );
        assert_eq!(super::fold(over(Fold::Count), &[]), Some(Fact::from(0_i64)));
        assert_eq!(super::fold(over(Fold::Mean), &[]), None);
    }
}
