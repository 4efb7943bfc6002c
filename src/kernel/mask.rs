//! What of a person may be shown to somebody else.

/// `13812345678` → `138****5678`; anything too short is hidden whole.
pub fn mask_phone(phone: &str) -> String {
    let digits: Vec<char> = phone.chars().collect();
    match (
        digits.get(..3),
        digits.len().checked_sub(4).and_then(|n| digits.get(n..)),
    ) {
        (Some(head), Some(tail)) if digits.len() >= 11 => {
            format!(
                "{}****{}",
                head.iter().collect::<String>(),
                tail.iter().collect::<String>()
            )
        }
        _ => "****".into(),
    }
}

/// The first character and stars: `梅女士` → `梅**`.
pub fn mask_name(name: &str) -> String {
    name.chars()
        .next()
        .map_or_else(|| "**".into(), |first| format!("{first}**"))
}

/// A mainland mobile number as eleven digits, or `None`. Accepts `+86`, blanks and hyphens.
pub fn normalise_phone(raw: &str) -> Option<String> {
    let kept: String = raw.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let bare = kept.strip_prefix("+86").unwrap_or(&kept);
    let good =
        bare.len() == 11 && bare.starts_with('1') && bare.bytes().all(|b| b.is_ascii_digit());
    good.then(|| bare.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_shows_three_and_four_digits() {
        assert_eq!(mask_phone("13812345678"), "138****5678");
        assert_eq!(mask_phone("12"), "****");
    }

    #[test]
    fn a_number_with_country_code_is_the_same_number() {
        assert_eq!(
            normalise_phone("+86 138-1234-5678").as_deref(),
            Some("13812345678")
        );
        assert_eq!(normalise_phone("2381234567８"), None);
    }
}
