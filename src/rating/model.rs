//! The score: exact.

use entity::values::Score;

/// The mean of five numbers from 1 to 5, in hundredths. A fifth of a hundred is twenty, so nothing is rounded.
pub(super) fn score(dimensions: [i32; 5]) -> Score {
    Score(dimensions.iter().sum::<i32>() * 20)
}

/// 480 as the JSON number 4.8.
pub(super) fn number(score: Score) -> serde_json::Number {
    let text = format!("{}.{:02}", score.0 / 100, score.0 % 100);
    serde_json::from_str(&text).unwrap_or_else(|_| 0.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    #[test]
    fn four_fives_and_a_four_are_four_point_eight() {
        assert_eq!(score([5, 5, 5, 5, 4]), Score(480));
        assert_eq!(number(Score(480)).to_string(), "4.8");
    }

    proptest! {
        #[test]
        fn a_score_is_the_exact_mean(a in 1_i32..=5, b in 1_i32..=5, c in 1_i32..=5, d in 1_i32..=5, e in 1_i32..=5) {
            let score = score([a, b, c, d, e]);
            prop_assert!((100..=500).contains(&score.0));
            prop_assert_eq!(score.0 * 5, (a + b + c + d + e) * 100);
        }
    }
}
