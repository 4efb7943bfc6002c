//! References to facts, plain (`rating.score`) or over history (`rating.score@last(3).min`).

use super::event::EventKind;
use super::fact::{self, Kind, Nature, Whose};
use crate::kernel::Span;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Most recent entries a `last(n)` window may span.
const MAX_LAST: u32 = 100;

/// Which part of history is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// The most recent entries, 1 to 100.
    Last(u32),
    /// Entries younger than a span.
    Within(Span),
}

/// What is computed over the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fold {
    /// How many entries.
    Count,
    /// Their sum (counts and money).
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The mean, rounded down to the smallest unit.
    Mean,
    /// The share of entries that are true, in basis points rounded down (yes/no facts).
    Rate,
}

impl Fold {
    const ALL: [Self; 6] = [
        Self::Count,
        Self::Sum,
        Self::Min,
        Self::Max,
        Self::Mean,
        Self::Rate,
    ];

    /// The word used in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
            Self::Mean => "mean",
            Self::Rate => "rate",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Count => "次数",
            Self::Sum => "合计",
            Self::Min => "最低",
            Self::Max => "最高",
            Self::Mean => "平均",
            Self::Rate => "占比",
        }
    }
}

/// A window over history and what is computed over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct History {
    /// Which entries.
    pub window: Window,
    /// What of them.
    pub fold: Fold,
}

/// A fact as a condition names it. Its text form is the key in [`super::Facts`].
///
/// With a history the name is either a fact or an event kind (`referral.qualified@within(P90D).count`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactRef {
    /// The fact, or the event kind counted; shared, for thousands of rules read the same few facts.
    pub name: Arc<str>,
    /// Present for history aggregates.
    pub history: Option<History>,
}

/// What a reference means once checked against the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) kind: Kind,
    pub(crate) unit: &'static str,
    pub(crate) label: Cow<'static, str>,
    pub(crate) consent: Option<(&'static str, Whose)>,
    pub(crate) nature: Nature,
    pub(crate) options: &'static [&'static str],
    pub(crate) min: i64,
    pub(crate) max: i64,
}

impl FactRef {
    /// Its text form, the key in [`super::Facts`].
    pub(crate) fn key(&self) -> Arc<str> {
        match self.history {
            None => Arc::clone(&self.name),
            Some(_) => self.to_string().into(),
        }
    }

    /// Checks the reference against the catalogue; the error is a zh-CN reason.
    pub(crate) fn meaning(&self) -> Result<Meaning, String> {
        match self.history {
            None => self.plain(),
            Some(history) => self.folded(history),
        }
    }

    fn plain(&self) -> Result<Meaning, String> {
        let row = fact::find(&self.name).ok_or_else(|| format!("没有“{}”这个事实", self.name))?;
        Ok(Meaning {
            kind: row.kind,
            unit: row.unit,
            label: Cow::Borrowed(row.label),
            consent: row.consent.map(|purpose| (purpose, row.whose)),
            nature: row.nature,
            options: row.options,
            min: row.min,
            max: row.max,
        })
    }

    /// Over history the nature is what the entries tell, not only what each of them is: who has one has rated, paid or bought.
    fn folded(&self, history: History) -> Result<Meaning, String> {
        if let Some(event) = EventKind::parse(&self.name) {
            return if history.fold == Fold::Count {
                Ok(counted(event, history))
            } else {
                Err(format!("“{}”是事件,只能求 count", self.name))
            };
        }
        let row = self.plain()?;
        let Some(found) = fact::find(&self.name).filter(|found| found.history) else {
            return Err(format!(
                "“{}”没有历史记录,不能用 @last 或 @within",
                self.name
            ));
        };
        let nature = match row.nature {
            Nature::Plain if found.events.contains(&EventKind::BookingCompleted) => {
                Nature::Purchase
            }
            own => own,
        };
        let (kind, min, max) = match (history.fold, row.kind) {
            (Fold::Count, _) => (Kind::Count, 0, i64::MAX),
            (Fold::Sum, Kind::Count | Kind::Money) => (row.kind, 0, i64::MAX),
            (Fold::Min | Fold::Max | Fold::Mean, kind) if kind.is_number() => {
                (kind, row.min, row.max)
            }
            (Fold::Rate, Kind::Bool) => (Kind::Ratio, 0, 10_000),
            (fold, _) => return Err(format!("“{}”不能求 {}", self.name, fold.name())),
        };
        Ok(Meaning {
            kind,
            min,
            max,
            nature,
            unit: if kind == row.kind { row.unit } else { "次" },
            label: Cow::Owned(format!(
                "{}{}的{}",
                window_label(history.window),
                row.label,
                history.fold.label()
            )),
            consent: Some(
                row.consent
                    .unwrap_or(("referral_profiling", Whose::Customer)),
            ),
            ..row
        })
    }
}

/// How often an event happened. Looking back over a customer's own doings is profiling; over referrals it is the link.
fn counted(event: EventKind, history: History) -> Meaning {
    let (nature, consent) = match event {
        EventKind::ReferralQualified | EventKind::ReferralReversed => (Nature::Qualified, None),
        EventKind::ReferralRedeemed => (Nature::Headcount, None),
        EventKind::PaymentSucceeded => (
            Nature::Payment,
            Some(("referral_profiling", Whose::Customer)),
        ),
        EventKind::BookingCompleted => (
            Nature::Purchase,
            Some(("referral_profiling", Whose::Customer)),
        ),
        // What third parties tell of a person is a profile.
        EventKind::Partner(_) => (
            Nature::Profile,
            Some(("referral_profiling", Whose::Customer)),
        ),
        EventKind::RatingSubmitted => (
            Nature::Rating,
            Some(("referral_profiling", Whose::Customer)),
        ),
        EventKind::ConsentGranted => (
            Nature::Consent,
            Some(("referral_profiling", Whose::Customer)),
        ),
        EventKind::ComplaintOpened
        | EventKind::ComplaintSlaBreached
        | EventKind::ComplaintResolved => {
            (Nature::Plain, Some(("referral_profiling", Whose::Customer)))
        }
    };
    let max = match history.window {
        Window::Last(entries) => i64::from(entries),
        Window::Within(_) => i64::MAX,
    };
    Meaning {
        kind: Kind::Count,
        unit: "次",
        label: Cow::Owned(format!(
            "{}{}的次数",
            window_label(history.window),
            event.label()
        )),
        consent,
        nature,
        options: &[],
        min: 0,
        max,
    }
}

fn window_label(window: Window) -> String {
    match window {
        Window::Last(entries) => format!("最近 {entries} 次"),
        Window::Within(span) if span.get().num_seconds() % 86_400 == 0 => {
            format!("{} 天内", span.get().num_days())
        }
        Window::Within(span) => format!("{} 小时内", span.get().num_hours().max(1)),
    }
}

impl FromStr for FactRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("“{text}”不是事实的写法(如 rating.score 或 rating.score@last(3).min)");
        let (name, rest) = match text.split_once('@') {
            Some((name, rest)) => (name, Some(rest)),
            None => (text, None),
        };
        if text.len() > 120 || !dotted(name) {
            return Err(wrong());
        }
        let history = match rest {
            None => None,
            Some(rest) => Some(history(rest).ok_or_else(wrong)?),
        };
        Ok(Self {
            name: name.into(),
            history,
        })
    }
}

fn dotted(name: &str) -> bool {
    let word = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && !part.is_empty()
    };
    name.contains('.') && name.split('.').all(word)
}

fn history(text: &str) -> Option<History> {
    let (window, fold) = text.rsplit_once(").")?;
    let (kind, argument) = window.split_once('(')?;
    let window = match kind {
        "last" => {
            let plain =
                argument.bytes().all(|byte| byte.is_ascii_digit()) && !argument.starts_with('0');
            let entries = argument
                .parse::<u32>()
                .ok()
                .filter(|entries| plain && (1..=MAX_LAST).contains(entries))?;
            Window::Last(entries)
        }
        "within" => Window::Within(argument.parse().ok()?),
        _ => return None,
    };
    let fold = Fold::ALL
        .into_iter()
        .find(|candidate| candidate.name() == fold)?;
    Some(History { window, fold })
}

impl fmt::Display for FactRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match self.history {
            None => Ok(()),
            Some(History {
                window: Window::Last(entries),
                fold,
            }) => write!(f, "@last({entries}).{}", fold.name()),
            Some(History {
                window: Window::Within(span),
                fold,
            }) => write!(f, "@within({span}).{}", fold.name()),
        }
    }
}

impl Serialize for FactRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FactRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn meaning(text: &str) -> Result<Meaning, String> {
        text.parse::<FactRef>()?.meaning()
    }

    #[test]
    fn references_read_back_as_they_are_written() {
        for text in [
            "rating.score",
            "rating.score@last(3).min",
            "referral.qualified@within(P90D).count",
        ] {
            assert_eq!(
                text.parse::<FactRef>().map(|found| found.to_string()),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn folds_have_the_type_of_what_they_compute() {
        assert_eq!(
            meaning("rating.score@last(3).min").map(|found| found.kind),
            Ok(Kind::Score)
        );
        assert_eq!(
            meaning("booking.sla_breached@last(10).rate").map(|found| found.kind),
            Ok(Kind::Ratio)
        );
        assert_eq!(
            meaning("referral.qualified@within(P90D).count").map(|found| found.kind),
            Ok(Kind::Count)
        );
        assert_eq!(
            meaning("rating.score@last(3).min").map(|found| found.label),
            Ok("最近 3 次评分的最低".into())
        );
    }

    #[test]
    fn senseless_references_are_refused() {
        for text in [
            "score",
            "rating.",
            "rating.score@",
            "rating.score@last(0).min",
            "rating.score@last(101).min",
            "rating.score@last(3)",
            "rating.score@last(3).median",
            "rating.score@within(P1M).min",
            "rating.score@last(03).min",
            "booking.service@last(3).count",
            "rating.score@last(3).rate",
            "rating.score@last(3).sum",
            "referral.qualified@last(3).sum",
            "booking.colour",
            "Rating.score",
        ] {
            assert!(meaning(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsing_any_text_never_panics(text in "[a-z@().PDT0-9_]{0,40}") {
            if let Ok(found) = text.parse::<FactRef>() {
                prop_assert_eq!(found.to_string().parse::<FactRef>(), Ok(found));
            }
        }
    }
}
