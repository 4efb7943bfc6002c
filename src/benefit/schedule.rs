//! When a message goes out: pure, in business time.

use crate::{
    config::{Referral, TimeOfDay},
    kernel::{business_date, business_minute, day_bounds},
    rule::SendAt,
};
use chrono::{DateTime, Duration, Utc};

/// Whether a moment lies in the quiet hours (REF-23), which may cross midnight.
pub(super) fn is_quiet(at: DateTime<Utc>, from: TimeOfDay, to: TimeOfDay) -> bool {
    let (minute, from, to) = (business_minute(at), from.minutes(), to.minutes());
    if from <= to {
        (from..to).contains(&minute)
    } else {
        minute >= from || minute < to
    }
}

/// The first moment from `at` on that is not quiet.
pub(super) fn after_quiet(at: DateTime<Utc>, settings: &Referral) -> DateTime<Utc> {
    if !is_quiet(at, settings.quiet_from, settings.quiet_to) {
        return at;
    }
    next_at(at, settings.quiet_to)
}

/// The next time the business clock shows `hour`, at or after `at`.
fn next_at(at: DateTime<Utc>, hour: TimeOfDay) -> DateTime<Utc> {
    let (midnight, next) = day_bounds(business_date(at));
    let offset = Duration::minutes(i64::from(hour.minutes()));
    if midnight + offset >= at {
        midnight + offset
    } else {
        next + offset
    }
}

/// When an invitation goes out: not before `not_before`, at the wished hour, never in quiet hours.
pub(super) fn send_at(
    not_before: DateTime<Utc>,
    send: SendAt,
    settings: &Referral,
) -> DateTime<Utc> {
    let recall = settings
        .recall_window
        .parse::<crate::kernel::Span>()
        .map_or(Duration::zero(), crate::kernel::Span::get);
    let earliest = not_before + recall;
    let wished = match send {
        SendAt::Now => earliest,
        SendAt::BestHour => next_at(earliest, settings.best_hour),
    };
    after_quiet(wished, settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, proptest};

    fn settings() -> Referral {
        crate::config::with_overrides(&[]).unwrap().referral
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn an_evening_rating_is_answered_the_next_evening_and_a_morning_one_the_same_day() {
        let settings = settings();
        // 20:00 in Shanghai: 19:00 has passed.
        assert_eq!(
            send_at(at("2026-03-01T12:00:00Z"), SendAt::BestHour, &settings),
            at("2026-03-02T11:00:00Z")
        );
        assert_eq!(
            send_at(at("2026-03-01T02:00:00Z"), SendAt::BestHour, &settings),
            at("2026-03-01T11:00:00Z")
        );
    }

    #[test]
    fn now_waits_for_nine_in_the_morning_at_night() {
        let settings = settings();
        // 22:30 and 03:00 in Shanghai.
        assert_eq!(
            send_at(at("2026-03-01T14:30:00Z"), SendAt::Now, &settings),
            at("2026-03-02T01:00:00Z")
        );
        assert_eq!(
            send_at(at("2026-03-01T19:00:00Z"), SendAt::Now, &settings),
            at("2026-03-02T01:00:00Z")
        );
        assert_eq!(
            send_at(at("2026-03-01T03:00:00Z"), SendAt::Now, &settings),
            at("2026-03-01T03:00:00Z")
        );
    }

    proptest! {
        #[test]
        fn nothing_is_ever_sent_in_quiet_hours_or_before_its_time(seconds in 1_700_000_000_i64..2_000_000_000, best in proptest::bool::ANY) {
            let settings = settings();
            let from = DateTime::from_timestamp(seconds, 0).unwrap();
            let send = if best { SendAt::BestHour } else { SendAt::Now };
            let out = send_at(from, send, &settings);
            prop_assert!(out >= from);
            prop_assert!(out - from <= Duration::hours(36));
            prop_assert!(!is_quiet(out, settings.quiet_from, settings.quiet_to));
        }
    }
}
