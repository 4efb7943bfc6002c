//! When a message goes out: pure, in business time.

use crate::{
    config::{Referral, TimeOfDay},
    kernel::{business_date, business_minute, day_bounds},
    rule::{Hours, SendAt},
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
    hours: Option<Hours>,
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
    next_allowed(wished, hours, settings)
}

/// The first moment from `at` on that lies in the rule's hours and not in the quiet ones. Hours that lie wholly in the
/// quiet ones (the lint refuses them, REF-L31) give way.
pub(super) fn next_allowed(
    at: DateTime<Utc>,
    hours: Option<Hours>,
    settings: &Referral,
) -> DateTime<Utc> {
    let mut moment = after_quiet(at, settings);
    let Some(hours) = hours else { return moment };
    // The end of the quiet hours, the opening, and once more of each: then it has gone round.
    for _ in 0..4 {
        let opening = hours.opening(moment);
        if opening == moment {
            return moment;
        }
        moment = after_quiet(opening, settings);
    }
    moment
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
            send_at(
                at("2026-03-01T12:00:00Z"),
                SendAt::BestHour,
                None,
                &settings
            ),
            at("2026-03-02T11:00:00Z")
        );
        assert_eq!(
            send_at(
                at("2026-03-01T02:00:00Z"),
                SendAt::BestHour,
                None,
                &settings
            ),
            at("2026-03-01T11:00:00Z")
        );
    }

    #[test]
    fn now_waits_for_nine_in_the_morning_at_night() {
        let settings = settings();
        // 22:30 and 03:00 in Shanghai.
        assert_eq!(
            send_at(at("2026-03-01T14:30:00Z"), SendAt::Now, None, &settings),
            at("2026-03-02T01:00:00Z")
        );
        assert_eq!(
            send_at(at("2026-03-01T19:00:00Z"), SendAt::Now, None, &settings),
            at("2026-03-02T01:00:00Z")
        );
        assert_eq!(
            send_at(at("2026-03-01T03:00:00Z"), SendAt::Now, None, &settings),
            at("2026-03-01T03:00:00Z")
        );
    }

    #[test]
    fn the_rules_hours_are_kept_beside_the_best_hour_and_the_quiet_ones() {
        let settings = settings();
        let hours = |from: u32, to: u32| {
            Some(Hours {
                from: from * 60,
                to: to * 60,
            })
        };
        // 10:00 in Shanghai; the best hour is 19:00, which the rule does not allow.
        let morning = at("2026-03-01T02:00:00Z");
        assert_eq!(
            send_at(morning, SendAt::BestHour, hours(9, 12), &settings),
            at("2026-03-02T01:00:00Z")
        );
        assert_eq!(
            send_at(morning, SendAt::Now, hours(14, 16), &settings),
            at("2026-03-01T06:00:00Z")
        );
        // Hours that begin in the night are kept from nine o'clock on.
        assert_eq!(
            send_at(
                at("2026-03-01T12:30:00Z"),
                SendAt::Now,
                hours(6, 10),
                &settings
            ),
            at("2026-03-02T01:00:00Z")
        );
        let night = send_at(morning, SendAt::Now, hours(22, 24), &settings);
        assert!(!is_quiet(night, settings.quiet_from, settings.quiet_to));
    }

    proptest! {
        #[test]
        fn nothing_is_ever_sent_in_quiet_hours_or_before_its_time(seconds in 1_700_000_000_i64..2_000_000_000, best in proptest::bool::ANY) {
            let settings = settings();
            let from = DateTime::from_timestamp(seconds, 0).unwrap();
            let send = if best { SendAt::BestHour } else { SendAt::Now };
            let out = send_at(from, send, None, &settings);
            prop_assert!(out >= from);
            prop_assert!(out - from <= Duration::hours(36));
            prop_assert!(!is_quiet(out, settings.quiet_from, settings.quiet_to));
        }
    }
}
