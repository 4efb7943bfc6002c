//! Spans, business days and times of day. Business time is Asia/Shanghai, which has had no summer time since 1991.

use chrono::{DateTime, Duration, FixedOffset, NaiveDate, TimeZone, Timelike, Utc};
use std::str::FromStr;

/// The first and the last day a query may name; beyond them there is no business.
const FIRST_DAY: NaiveDate = day_or_epoch(NaiveDate::from_ymd_opt(1970, 1, 1));
const LAST_DAY: NaiveDate = day_or_epoch(NaiveDate::from_ymd_opt(9999, 12, 31));

const fn day_or_epoch(day: Option<NaiveDate>) -> NaiveDate {
    match day {
        Some(day) => day,
        None => NaiveDate::MIN,
    }
}

/// The offset of business time, UTC+8.
pub fn shanghai() -> FixedOffset {
    FixedOffset::east_opt(8 * 3600).unwrap_or_else(|| chrono::Offset::fix(&Utc))
}

/// The business date of a moment.
pub fn business_date(at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&shanghai()).date_naive()
}

/// Minutes since business midnight, 0 to 1439.
pub fn business_minute(at: DateTime<Utc>) -> u32 {
    let local = at.with_timezone(&shanghai());
    local.hour() * 60 + local.minute()
}

/// The two moments that bound a business day: midnight and the next midnight.
pub fn day_bounds(day: NaiveDate) -> (DateTime<Utc>, DateTime<Utc>) {
    // What no database can store (PostgreSQL ends at 4713 BC) is brought to the nearest year that all can.
    let day = day.clamp(FIRST_DAY, LAST_DAY);
    let start = day
        .and_hms_opt(0, 0, 0)
        .and_then(|naive| shanghai().from_local_datetime(&naive).single())
        .map_or(DateTime::<Utc>::MIN_UTC, |local| local.with_timezone(&Utc));
    (
        start,
        start.checked_add_signed(Duration::days(1)).unwrap_or(start),
    )
}

/// An ISO 8601 duration from days to seconds (`P7D`, `PT2H`), at most ten years. Months and years have no fixed
/// length and are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

impl Span {
    const MAX: Duration = Duration::days(3660);

    /// The length.
    pub fn get(self) -> Duration {
        self.0
    }

    /// A span of whole days.
    pub fn days(days: u32) -> Self {
        Self(Duration::days(i64::from(days)).min(Self::MAX))
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("“{text}”不是 ISO 8601 时长(如 P7D、PT2H,从天到秒)");
        let parsed = text
            .parse::<iso8601_duration::Duration>()
            .map_err(|_| wrong())?;
        // The library converts floats unchecked and panics beyond chrono's range, so the range is asked for first.
        let days = f64::from(parsed.day)
            + f64::from(parsed.hour) / 24.0
            + f64::from(parsed.minute) / 1_440.0
            + f64::from(parsed.second) / 86_400.0;
        let whole = [parsed.day, parsed.hour, parsed.minute, parsed.second]
            .iter()
            .all(|part| part.fract() == 0.0);
        let fixed = parsed.year == 0.0 && parsed.month == 0.0;
        if !fixed || !whole || !(0.0..=3_660.0).contains(&days) {
            return Err(wrong());
        }
        let length = parsed.to_chrono().ok_or_else(wrong)?;
        if length <= Duration::zero() || length > Self::MAX {
            return Err(wrong());
        }
        Ok(Self(length))
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0.num_seconds();
        if seconds % 86_400 == 0 {
            write!(f, "P{}D", seconds / 86_400)
        } else {
            write!(f, "PT{seconds}S")
        }
    }
}

impl serde::Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_days_to_seconds_and_refuse_months() {
        assert_eq!("P7D".parse::<Span>().map(Span::get), Ok(Duration::days(7)));
        assert_eq!(
            "P1DT2H".parse::<Span>().map(Span::get),
            Ok(Duration::hours(26))
        );
        for bad in [
            "P1M",
            "P1Y",
            "-P1D",
            "P0D",
            "1h",
            "",
            "P99999D",
            "PT0.5S",
            "P1000000000000D",
            "PT99999999999999999999999999999999999999999S",
        ] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_business_day_starts_at_four_in_the_afternoon_utc() {
        let (start, end) = day_bounds(NaiveDate::from_ymd_opt(2026, 3, 1).unwrap());
        assert_eq!(start.to_rfc3339(), "2026-02-28T16:00:00+00:00");
        assert_eq!(
            business_date(end),
            NaiveDate::from_ymd_opt(2026, 3, 2).unwrap()
        );
        assert_eq!(business_minute(start), 0);
    }

    #[test]
    fn a_day_outside_history_is_brought_to_its_edge() {
        let (first, _) = day_bounds(NaiveDate::MIN);
        let (last, end) = day_bounds(NaiveDate::MAX);
        assert!(first < last && last < end);
    }
}
