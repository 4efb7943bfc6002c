//! A rule set as somebody hands it in: whatever the text, it is read or refused with findings; what compiles can be told and
//! evaluated, and an edit of the shipped set can be judged.

#![no_main]

#[expect(dead_code, reason = "taken in whole")]
#[path = "../../src/kernel/window.rs"]
mod window;

mod kernel {
    pub use crate::window::{Span, business_date, business_minute, day_bounds};
}

#[expect(
    dead_code,
    unused_imports,
    reason = "the engine is taken in whole, and most of it is for others"
)]
#[path = "../../src/rule/mod.rs"]
mod rule;

use libfuzzer_sys::fuzz_target;
use rule::{
    DEFAULT_RULESET, Event, EventKind, Facts, PolicyPack, RuleSet, check_text, evaluate, lint_edit,
    plain_rules,
};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let pack = PolicyPack::shipped();
    let checked = check_text(&text, pack);
    assert!(checked.findings.len() <= 500);
    let Some(compiled) = checked.compiled else {
        assert!(checked.findings.iter().any(|one| one.blocks()));
        return;
    };
    let now = chrono::DateTime::UNIX_EPOCH;
    for kind in EventKind::ALL {
        let id = uuid::Uuid::nil();
        let event = Event {
            id,
            kind,
            customer_id: id,
        };
        evaluate(&compiled, &event, &Facts::new(), now);
    }
    plain_rules(&compiled);
    if let (Ok(old), Ok(new)) = (RuleSet::parse(DEFAULT_RULESET), RuleSet::parse(&text)) {
        let day = chrono::NaiveDate::from_ymd_opt(2026, 6, 1).unwrap_or_default();
        lint_edit(&old, &new, pack, day);
    }
});
