//! The fact catalogue: the one table of what a condition may read, and what each of it means for the law.

mod table;

use super::event::EventKind as E;
use super::partner;
use serde::Serialize;
use std::{collections::HashMap, sync::LazyLock};
use table::FACTS;

/// The type of a fact; it fixes the scale of its numbers.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Yes or no.
    Bool,
    /// A whole number.
    Int,
    /// How many; never negative.
    Count,
    /// A 1.00 to 5.00 score, inside in hundredths.
    Score,
    /// A share from 0 to 1, inside in basis points.
    Ratio,
    /// Money in fen.
    Money,
    /// A word or slug.
    Text,
    /// Several slugs.
    List,
}

impl Kind {
    /// Decimal places people may write.
    pub(crate) const fn places(self) -> u32 {
        match self {
            Self::Score => 2,
            Self::Ratio => 4,
            Self::Bool | Self::Int | Self::Count | Self::Money | Self::Text | Self::List => 0,
        }
    }

    /// Whether values are ordered numbers.
    pub(crate) const fn is_number(self) -> bool {
        matches!(
            self,
            Self::Int | Self::Count | Self::Score | Self::Ratio | Self::Money
        )
    }
}

/// What a fact is about in the eyes of the lint (law.md 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Nature {
    /// Nothing special.
    Plain,
    /// Prepaying, topping up, fees, membership: timing only (REF-04).
    Payment,
    /// Having bought before.
    Purchase,
    /// The value of a rating: timing only (REF-09).
    Rating,
    /// Shares and forwarding (REF-06).
    Share,
    /// Clicks, visits, registrations (REF-06).
    Visit,
    /// People brought, whether or not they bought.
    Headcount,
    /// Friends whose order was completed and past its refund window.
    Qualified,
    /// A team or downline.
    Team,
    /// A ranking among customers.
    Ranking,
    /// A sensitive class of personal information (PIPL 28).
    Sensitive,
    /// A profile tag (PIPL 24).
    Profile,
    /// Being a minor.
    Minor,
    /// Personal information for which no consent purpose of a rule exists (PIPL 14, 29).
    Ungated,
    /// Biometric or sensor data (PIPL 28 to 31).
    Biometric,
    /// Having said yes to something: nothing may be given for it (PIPL 16).
    Consent,
}

/// Whose consent is meant.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// The customer the decision is about.
    Customer,
    /// The friend of the referral the event is about.
    Invitee,
}

/// One row of the catalogue.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
pub struct FactDef {
    /// Dotted name used in documents.
    pub name: &'static str,
    /// Type and scale.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Unit shown to people.
    pub unit: &'static str,
    /// What it is called, zh-CN.
    pub label: &'static str,
    /// The feature that supplies it.
    pub owner: &'static str,
    /// The consent purpose reading it needs; null when none.
    pub consent: Option<&'static str>,
    /// Events that can change it.
    #[schema(value_type = Vec<String>)]
    pub events: &'static [E],
    /// The only words it can hold; empty when free.
    pub options: &'static [&'static str],
    /// Whether `@last(n).fold` and `@within(P…).fold` may be asked of it.
    pub history: bool,
    /// Known only so that the lint can name the fault; never supplied, never offered.
    #[serde(skip)]
    pub(crate) lint_only: bool,
    #[serde(skip)]
    pub(crate) nature: Nature,
    #[serde(skip)]
    pub(crate) whose: Whose,
    #[serde(skip)]
    pub(crate) min: i64,
    #[serde(skip)]
    pub(crate) max: i64,
}

const PROFILING: &str = "referral_profiling";
const LINK: &str = "referral_link";

const fn fact(name: &'static str, label: &'static str, kind: Kind, owner: &'static str) -> FactDef {
    let (min, max, unit) = match kind {
        Kind::Bool => (0, 1, ""),
        Kind::Int => (i64::MIN, i64::MAX, ""),
        Kind::Count => (0, i64::MAX, "次"),
        Kind::Score => (100, 500, "分"),
        Kind::Ratio => (0, 10_000, "比例"),
        Kind::Money => (0, i64::MAX, "fen"),
        Kind::Text | Kind::List => (0, 0, ""),
    };
    FactDef {
        name,
        kind,
        unit,
        label,
        owner,
        consent: None,
        events: &[],
        options: &[],
        history: false,
        lint_only: false,
        nature: Nature::Plain,
        whose: Whose::Customer,
        min,
        max,
    }
}

impl FactDef {
    const fn on(mut self, events: &'static [E]) -> Self {
        self.events = events;
        self
    }
    const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }
    const fn nature(mut self, nature: Nature) -> Self {
        self.nature = nature;
        self
    }
    const fn consent(mut self, purpose: &'static str) -> Self {
        self.consent = Some(purpose);
        self
    }
    const fn of_invitee(mut self) -> Self {
        self.consent = Some(LINK);
        self.whose = Whose::Invitee;
        self
    }
    const fn range(mut self, min: i64, max: i64) -> Self {
        self.min = min;
        self.max = max;
        self
    }
    const fn options(mut self, options: &'static [&'static str]) -> Self {
        self.options = options;
        self
    }
    const fn history(mut self) -> Self {
        self.history = true;
        self
    }
    const fn forbidden(mut self, nature: Nature) -> Self {
        self.lint_only = true;
        self.nature = nature;
        self
    }
}

/// The catalogue as the console offers it: every fact a rule may lawfully read.
pub fn catalogue() -> impl Iterator<Item = &'static FactDef> {
    every().filter(|row| !row.lint_only)
}

/// Looks a fact up by name, the lint-only ones included.
pub(crate) fn find(name: &str) -> Option<&'static FactDef> {
    // Compiling a set asks several times for every condition of thousands of rules.
    static BY_NAME: LazyLock<HashMap<&'static str, &'static FactDef>> =
        LazyLock::new(|| every().map(|row| (row.name, row)).collect());
    BY_NAME.get(name).copied()
}

/// The house's own facts, then those events of third parties bring.
fn every() -> impl Iterator<Item = &'static FactDef> {
    FACTS.iter().chain(partner::facts())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_offered_facts_have_labels() {
        let names: std::collections::BTreeSet<_> = FACTS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), FACTS.len());
        assert!(catalogue().all(|row| !row.label.is_empty() && row.min <= row.max));
        assert!(catalogue().all(|row| row.name != "referral.share_count"));
    }

    #[test]
    fn ratings_and_tags_are_profile_facts() {
        for name in [
            "rating.score",
            "customer.tags",
            "customer.completed_bookings",
        ] {
            assert_eq!(
                find(name).and_then(|row| row.consent),
                Some("referral_profiling"),
                "{name}"
            );
        }
    }
}
