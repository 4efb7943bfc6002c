//! The words of invitations: which placeholders they may hold, and how those are filled in (REF-21, REF-24).

use super::check::DEFAULT_RULESET;
use super::document::RuleSet;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What words may leave open: the sender, how to reach him, how to say no, the customer's own name, and a friend under his
/// masked name alone (REF-L27).
pub(crate) const PLACEHOLDERS: [&str; 5] = [
    "company",
    "contact",
    "opt_out",
    "customer_name",
    "friend_masked",
];

/// Keys that have shipped words even where a set brings words of its own.
pub(crate) const SHIPPED: [&str; 2] = ["baseline", "thanks"];

static WORDS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let set = RuleSet::parse(DEFAULT_RULESET).ok();
    let templates = set.map(|set| set.declared.templates).unwrap_or_default();
    let texts = templates.into_iter();
    texts.map(|(key, found)| (key, found.text)).collect()
});

/// The shipped words of a template key; a key nobody wrote words for gets the baseline's.
pub fn shipped_words(template: &str) -> &'static str {
    let found = WORDS.get(template).or_else(|| WORDS.get("baseline"));
    found.map_or("", String::as_str)
}

/// Fills the placeholders of a text in one pass, so that what is filled in is never read as a placeholder itself. One that
/// `value` does not know is left out: half a sentence is better than somebody's address.
pub fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, after)) = next(rest) {
        filled.push_str(before);
        filled.push_str(&value(name).unwrap_or_default());
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// The names between braces, in order.
pub(crate) fn placeholders(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, name, after)) = next(rest) {
        found.push(name);
        rest = after;
    }
    found
}

/// The next placeholder: what stands before it, its name, what stands after.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_once() {
        let value = |name: &str| (name == "company").then(|| "{contact}".to_owned());
        assert_eq!(fill("【{company}】{unknown}好{", value), "【{contact}】好{");
        assert_eq!(placeholders("{a}{b}} {c"), ["a", "b"]);
    }

    #[test]
    fn the_shipped_keys_have_words() {
        for key in SHIPPED {
            assert!(WORDS.contains_key(key), "{key}");
        }
        assert_eq!(shipped_words("nobody"), shipped_words("baseline"));
    }
}
