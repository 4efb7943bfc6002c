//! Pure decisions of a booking: the grid, the states, the money.

use crate::config::Booking as Settings;
use crate::kernel::{AppError, Result, business_date, business_minute};
use chrono::{DateTime, Duration, Timelike, Utc};
use entity::{
    booking,
    values::{BookingStatus, Fen},
};
use serde::{Deserialize, Serialize};

/// Minutes of a cell.
pub(super) const CELL_MINUTES: i64 = 30;

/// Where somebody lives; stored sealed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Address {
    /// Street, house, flat.
    pub line: String,
    /// Latitude, degrees, if the customer chose a point.
    pub lat: Option<f64>,
    /// Longitude, degrees.
    pub lng: Option<f64>,
}

/// What can happen to a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Confirm,
    Expire,
    Cancel,
    Begin,
    Finish,
    Complete,
}

impl Step {
    #[cfg(test)]
    pub(super) const ALL: [Self; 6] = [
        Self::Confirm,
        Self::Expire,
        Self::Cancel,
        Self::Begin,
        Self::Finish,
        Self::Complete,
    ];
}

/// Where a step leads, if the state allows it.
pub(super) fn after(from: BookingStatus, step: Step) -> Option<BookingStatus> {
    use BookingStatus::{
        AwaitingAcceptance, Cancelled, Completed, Confirmed, Expired, InService, PendingPayment,
    };
    match (from, step) {
        (PendingPayment, Step::Confirm) => Some(Confirmed),
        (PendingPayment, Step::Expire) => Some(Expired),
        (PendingPayment | Confirmed, Step::Cancel) => Some(Cancelled),
        (Confirmed, Step::Begin) => Some(InService),
        (InService, Step::Finish) => Some(AwaitingAcceptance),
        (AwaitingAcceptance, Step::Complete) => Some(Completed),
        _ => None,
    }
}

/// [`after`], or `invalid_state` with a sentence.
pub(super) fn step(from: BookingStatus, step: Step) -> Result<BookingStatus> {
    after(from, step).ok_or_else(|| {
        let what = match step {
            Step::Confirm => "确认",
            Step::Expire => "过期",
            Step::Cancel => "取消",
            Step::Begin => "开始服务",
            Step::Finish => "完成服务",
            Step::Complete => "验收",
        };
        AppError::invalid_state(format!("预约现在的状态({})不能{what}", from.word()))
    })
}

/// The cells a visit takes: its own half hours and the travel time after it. Because every visit takes its travel time
/// after itself, any two visits of a worker are at least that far apart.
pub(super) fn cells(
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    buffer: Duration,
) -> Vec<DateTime<Utc>> {
    let cell = Duration::minutes(CELL_MINUTES);
    let until = end + buffer;
    let mut cells = Vec::new();
    let mut at = start;
    while at < until {
        cells.push(at);
        at += cell;
    }
    cells
}

/// Whether a start is on the half hour.
pub(super) fn on_grid(at: DateTime<Utc>) -> bool {
    at.nanosecond() == 0 && at.second() == 0 && i64::from(at.minute()) % CELL_MINUTES == 0
}

/// Checks a wished visit against hours and horizon.
///
/// # Errors
/// `validation` on `/start_at`.
pub(super) fn check_start(
    start: DateTime<Utc>,
    minutes: i64,
    now: DateTime<Utc>,
    settings: &Settings,
) -> Result<DateTime<Utc>> {
    let fault = |code: &str, detail: &str| AppError::field("/start_at", code, detail);
    if !on_grid(start) {
        return Err(fault("grid", "开始时间应为整点或半点"));
    }
    if start <= now {
        return Err(fault("past", "开始时间已过"));
    }
    if start > now + settings.horizon.get() {
        return Err(fault("horizon", "还不能预约这么远的日期"));
    }
    let end = start + Duration::minutes(minutes);
    if !in_hours(start, minutes, settings) {
        return Err(fault("hours", "整个服务须在营业时间内"));
    }
    Ok(end)
}

/// Whether a visit lies within one business day's hours.
pub(super) fn in_hours(start: DateTime<Utc>, minutes: i64, settings: &Settings) -> bool {
    let from = i64::from(business_minute(start));
    let same_day = business_date(start)
        == business_date(start + Duration::minutes(minutes.max(1)) - Duration::seconds(1));
    from >= i64::from(settings.opens.minutes())
        && from + minutes <= i64::from(settings.closes.minutes())
        && same_day
}

/// What is still to be paid.
pub fn open_balance(row: &booking::Model) -> Fen {
    row.total_fen.minus(row.prepaid_fen)
}

/// The least that must be prepaid to confirm: a begun fen counts whole, so that paying it is enough.
pub fn needed(total: Fen, prepay_bp: i64) -> Fen {
    let share = i128::from(total.0.max(0)) * i128::from(prepay_bp);
    let whole = (share + 9_999) / 10_000;
    Fen(i64::try_from(whole).unwrap_or(i64::MAX))
}

/// Whether so much prepaid confirms.
pub(super) fn confirms(prepaid: Fen, total: Fen, prepay_bp: i64) -> bool {
    prepaid >= needed(total, prepay_bp)
}

/// The prepaid share as an exact number with at most four decimals; a free visit counts as paid.
pub fn ratio(prepaid: Fen, total: Fen) -> serde_json::Number {
    let bp = if total.0 <= 0 {
        10_000
    } else {
        i128::from(prepaid.0) * 10_000 / i128::from(total.0)
    };
    let text = format!("{}.{:04}", bp / 10_000, bp % 10_000);
    serde_json::from_str(&text).unwrap_or_else(|_| 0.into())
}

/// The fee of cancelling now: nothing before the visit is confirmed or until `free_cancel` before its start, then a
/// share of the price, never more than is `left` of what was paid.
pub(super) fn cancel_fee(
    row: &booking::Model,
    left: Fen,
    now: DateTime<Utc>,
    settings: &Settings,
) -> Fen {
    let early = now <= row.start_at - settings.free_cancel.get();
    if early || row.status != BookingStatus::Confirmed {
        return Fen::ZERO;
    }
    let fee = i128::from(row.total_fen.0) * i128::from(settings.late_cancel_bp) / 10_000;
    Fen(i64::try_from(fee).unwrap_or(i64::MAX))
        .min(left)
        .max(Fen::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
    use sea_orm::Iterable;

    fn settings() -> Settings {
        crate::config::with_overrides(&[]).unwrap().booking
    }

    fn at(half_hours: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap() + Duration::minutes(30 * half_hours)
    }

    #[test]
    fn ends_are_ends_and_no_step_is_skipped() {
        for end in [
            BookingStatus::Completed,
            BookingStatus::Cancelled,
            BookingStatus::Expired,
        ] {
            assert!(
                Step::ALL.iter().all(|step| after(end, *step).is_none()),
                "{end:?}"
            );
        }
        let allowed = BookingStatus::iter()
            .flat_map(|from| Step::ALL.map(|step| after(from, step)))
            .flatten()
            .count();
        assert_eq!(allowed, 7);
        assert_eq!(after(BookingStatus::PendingPayment, Step::Begin), None);
    }

    #[test]
    fn the_ratio_is_exact() {
        assert_eq!(ratio(Fen(5000), Fen(10_000)).to_string(), "0.5");
        assert_eq!(ratio(Fen(1), Fen(3)).to_string(), "0.3333");
        assert!(!confirms(Fen(4999), Fen(10_000), 5000) && confirms(Fen(5000), Fen(10_000), 5000));
    }

    #[test]
    fn nothing_is_kept_of_a_visit_that_never_was_confirmed() {
        let mut row =
            super::super::store::tests::row(Fen(10_000), Fen(4_000), at(0) + Duration::hours(1));
        let fee = |row: &booking::Model| cancel_fee(row, row.prepaid_fen, at(0), &settings());
        assert_eq!(fee(&row), Fen(2_000));
        row.status = BookingStatus::PendingPayment;
        assert_eq!(fee(&row), Fen::ZERO);
    }

    proptest! {
        #[test]
        fn two_visits_that_share_no_cell_are_a_buffer_apart(a in 0_i64..60, al in 1_i64..12, b in 0_i64..60, bl in 1_i64..12, buffer in 0_i64..4) {
            let (a1, a2, b1, b2) = (at(a), at(a + al), at(b), at(b + bl));
            let travel = Duration::minutes(30 * buffer);
            let (mine, theirs) = (cells(a1, a2, travel), cells(b1, b2, travel));
            let shared = mine.iter().any(|cell| theirs.contains(cell));
            let apart = b1 >= a2 + travel || a1 >= b2 + travel;
            prop_assert_eq!(!shared, apart);
        }

        #[test]
        fn a_fee_is_never_more_than_was_paid(total in 0_i64..1_000_000, paid in 0_i64..1_000_000, minutes in -3000_i64..3000) {
            let now = at(0);
            let row = super::super::store::tests::row(Fen(total), Fen(paid.min(total)), now + Duration::minutes(minutes));
            let fee = cancel_fee(&row, row.prepaid_fen, now, &settings());
            prop_assert!(fee.0 >= 0 && fee <= row.prepaid_fen);
        }

        #[test]
        fn paying_what_is_needed_confirms_and_a_fen_less_does_not(total in 1_i64..1_000_000, bp in 1_i64..=10_000) {
            let needed = needed(Fen(total), bp);
            prop_assert!(confirms(needed, Fen(total), bp) && needed.0 <= total);
            prop_assert!(!confirms(needed.minus(Fen(1)), Fen(total), bp));
        }
    }
}
