//! The span a report looks at.

use crate::kernel::{AppError, Result, day_bounds};
use chrono::{DateTime, NaiveDate, Utc};

/// A moment (RFC 3339) or a business date. A date as the end of a span means its whole day.
fn bound(name: &'static str, text: &str, end: bool) -> Result<DateTime<Utc>> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        let (midnight, next) = day_bounds(day);
        return Ok(if end { next } else { midnight });
    }
    // A `+` in a query string arrives as a blank.
    let moment = DateTime::parse_from_rfc3339(&text.replace(' ', "+"));
    moment.map(|at| at.to_utc()).map_err(|_| {
        AppError::field(
            format!("/query/{name}"),
            "format",
            "应为 YYYY-MM-DD 或 RFC 3339 时间",
        )
    })
}

/// `[from, to)`; unsaid ends are open.
pub(super) fn window(
    from: Option<&str>,
    to: Option<&str>,
) -> Result<(DateTime<Utc>, DateTime<Utc>)> {
    let both = from.is_some() && to.is_some();
    let earliest = DateTime::<Utc>::UNIX_EPOCH;
    let latest = DateTime::from_timestamp(32_503_680_000, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let from = from
        .map_or(Ok(earliest), |text| bound("from", text, false))?
        .clamp(earliest, latest);
    let to = to
        .map_or(Ok(latest), |text| bound("to", text, true))?
        .clamp(earliest, latest);
    if from > to || (both && from == to) {
        return Err(AppError::field("/query/from", "range", "from 不能晚于 to"));
    }
    Ok((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_whole_business_day_and_nonsense_names_its_parameter() {
        let (from, to) = window(Some("2026-03-01"), Some("2026-03-01")).unwrap();
        assert_eq!(to - from, chrono::Duration::days(1));
        assert_eq!(from.to_rfc3339(), "2026-02-28T16:00:00+00:00");
        let (from, _) = window(Some("2026-03-01T08:00:00 08:00"), None).unwrap();
        assert_eq!(from.to_rfc3339(), "2026-03-01T00:00:00+00:00");
        assert_eq!(
            window(None, Some("soon")).unwrap_err().fields[0].pointer,
            "/query/to"
        );
        assert!(window(Some("2026-03-02"), Some("2026-03-01")).is_err());
        assert!(window(Some("+262142-12-31"), None).is_ok_and(|(from, to)| from == to));
    }
}
