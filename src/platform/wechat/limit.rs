//! WeChat's limits of subscription-message values, and of scenes and pages of codes (spec 1.4, 1.5).

use chrono::{NaiveDate, NaiveTime};

/// Whether a value keeps the limit of its key (`thing1`, `time2` …). Unknown kinds of keys are refused.
pub(super) fn fits(key: &str, value: &str) -> bool {
    let kind = key.trim_end_matches(|c: char| c.is_ascii_digit());
    let count = value.chars().count();
    if kind.len() == key.len() || count == 0 || value.chars().any(char::is_control) {
        return false;
    }
    match kind {
        "thing" => count <= 20,
        "number" => count <= 32 && is_decimal(value),
        "letter" => count <= 32 && value.chars().all(|c| c.is_ascii_alphabetic()),
        "symbol" => {
            count <= 5
                && value
                    .chars()
                    .all(|c| !c.is_alphanumeric() && !c.is_whitespace())
        }
        "character_string" => count <= 32 && value.chars().all(|c| c.is_ascii_graphic()),
        "time" => value.split('~').count() <= 2 && value.split('~').all(is_time),
        "date" => value.split('~').count() <= 2 && value.split('~').all(is_date),
        "amount" => is_amount(value),
        "phone_number" => {
            count <= 17
                && value
                    .chars()
                    .all(|c| c.is_ascii_digit() || "+-".contains(c))
        }
        "car_number" => count <= 8,
        "name" => is_name(value),
        "phrase" => count <= 5 && value.chars().all(is_han),
        _ => false,
    }
}

/// 1 to 32 visible characters of WeChat's list; no `%`, no blank, no Han.
pub(super) fn is_scene(scene: &str) -> bool {
    (1..=32).contains(&scene.len())
        && scene
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "!#$&'()*+,/:;=?@-._~".contains(c))
}

/// No leading slash, no query.
pub(super) fn is_page(page: &str) -> bool {
    !page.is_empty() && !page.starts_with('/') && !page.contains('?')
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}')
}

fn is_decimal(text: &str) -> bool {
    let mut parts = text.strip_prefix('-').unwrap_or(text).split('.');
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    parts.next().is_some_and(digits) && parts.next().is_none_or(digits) && parts.next().is_none()
}

fn is_amount(text: &str) -> bool {
    let bare = text.strip_suffix('元').unwrap_or(text);
    let bare = bare.strip_prefix(['¥', '¥', '$', '€', '£']).unwrap_or(bare);
    is_decimal(bare)
        && !bare.starts_with('-')
        && bare.bytes().filter(u8::is_ascii_digit).count() <= 10
}

fn is_name(text: &str) -> bool {
    let latin = |c: char| c.is_ascii_alphabetic() || c == ' ';
    let most = if text.chars().all(latin) { 20 } else { 10 };
    text.chars().count() <= most && text.chars().all(|c| latin(c) || is_han(c) || c == '·')
}

fn is_clock(text: &str) -> bool {
    NaiveTime::parse_from_str(text, "%H:%M").is_ok()
        || NaiveTime::parse_from_str(text, "%H:%M:%S").is_ok()
}

fn is_day(text: &str) -> bool {
    ["%Y年%m月%d日", "%Y-%m-%d", "%Y/%m/%d"]
        .iter()
        .any(|format| NaiveDate::parse_from_str(text, format).is_ok())
}

/// A time of day, or a day and a time.
fn is_time(text: &str) -> bool {
    let text = text.trim();
    is_clock(text)
        || text
            .split_once(' ')
            .is_some_and(|(day, clock)| is_day(day) && is_clock(clock))
}

/// A day, with or without a time.
fn is_date(text: &str) -> bool {
    let text = text.trim();
    is_day(text)
        || text
            .split_once(' ')
            .is_some_and(|(day, clock)| is_day(day) && is_clock(clock))
}
