//! Lateness and distance: pure.

use chrono::{DateTime, Utc};

/// Mean radius of the earth, metres.
const EARTH_M: f64 = 6_371_008.8;

/// Whole minutes after the agreed start; 0 when on time.
pub(super) fn late_minutes(start: DateTime<Utc>, now: DateTime<Utc>) -> i32 {
    i32::try_from((now - start).num_minutes().max(0)).unwrap_or(i32::MAX)
}

/// Great-circle distance of two points, metres (haversine).
pub(super) fn distance_m(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (lat1, lat2) = (a.0.to_radians(), b.0.to_radians());
    let (dlat, dlng) = ((b.0 - a.0).to_radians(), (b.1 - a.1).to_radians());
    let h = (dlat / 2.0).sin().powi(2) + lat1.cos() * lat2.cos() * (dlng / 2.0).sin().powi(2);
    2.0 * EARTH_M * h.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, proptest};

    #[test]
    fn a_thousandth_of_a_degree_north_is_about_111_metres() {
        let metres = distance_m((31.2222, 121.5444), (31.2232, 121.5444));
        assert!((metres - 111.2).abs() < 0.2, "{metres}");
    }

    proptest! {
        #[test]
        fn distance_is_symmetric_and_never_more_than_half_around(a in -90.0_f64..90.0, b in -180.0_f64..180.0, c in -90.0_f64..90.0, d in -180.0_f64..180.0) {
            let (there, back) = (distance_m((a, b), (c, d)), distance_m((c, d), (a, b)));
            prop_assert!((there - back).abs() < 1e-3);
            prop_assert!((0.0..=20_015_120.0).contains(&there));
        }
    }
}
