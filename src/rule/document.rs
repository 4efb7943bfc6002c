//! A rule set as written: the grammar of the document, lint-only forms included. Only [`super::compile()`] yields what may run.

use super::declared::{ConsentClaim, Declared};
use super::event::EventKind;
use super::reference::FactRef;
use crate::kernel::Span;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Largest document, bytes.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Most rules in a set.
pub const MAX_RULES: usize = 10_000;
/// Most comparisons in one rule.
pub const MAX_CONDITIONS: usize = 64;
/// Deepest nesting of groups.
pub const MAX_NESTING: usize = 16;

/// A parsed rule set. Well-formed, but neither typed nor lawful yet.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSet {
    /// What the campaign is called.
    pub name: String,
    /// Who stands behind it (REF-12).
    pub organiser: Option<String>,
    /// First day it is valid, business date.
    pub from: Option<NaiveDate>,
    /// Last day it is valid, business date.
    pub to: Option<NaiveDate>,
    /// Named literals conditions may use.
    pub parameters: BTreeMap<String, Json>,
    /// The rules, in document order.
    pub rules: Vec<Rule>,
    /// Benefits by name.
    pub benefits: BTreeMap<String, BenefitSpec>,
    /// Benefit of a friend by his generation, keys as written.
    pub generations: BTreeMap<String, String>,
    /// Benefit of the direct inviter once the friend's order qualified.
    pub inviter_thanks: Option<String>,
    /// Limits of welcome and thanks benefits; the policy pack's defaults where unsaid (REF-08).
    pub caps: ProgrammeCaps,
    /// Words, prompts, checks and the page, as far as it says.
    pub declared: Declared,
}

/// One rule as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Where it stands in the document.
    pub pointer: String,
    /// Unique slug.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// What it listens to.
    pub on: Vec<Trigger>,
    /// When it fires; `None` is always.
    pub when: Option<Condition>,
    /// What it does.
    pub then: Vec<EffectSpec>,
    /// How often and how much at most.
    pub caps: Caps,
    /// Segments it is meant for: key and allowed words, with pointers.
    pub audience: Vec<Segment>,
    /// Hours of the business day in which its effects take place.
    pub schedule: Option<Hours>,
    /// Higher goes first; 0 when unsaid.
    pub priority: i64,
    /// One rule of a group per event.
    pub exclusive_group: Option<String>,
    /// Lint-only: which consents it believes it needs (REF-L22); the compiler collects them by itself.
    pub consent: Option<ConsentClaim>,
}

/// What a rule listens to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// An event of the catalogue.
    Known(EventKind),
    /// Anything else; never compiles, kept for the lint.
    Other(String),
}

/// A condition tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// True when all are.
    All(Vec<Condition>),
    /// True when one is.
    Any(Vec<Condition>),
    /// True when the inner one is false.
    Not(Box<Condition>),
    /// A comparison.
    Test(Comparison),
}

/// One comparison of a fact.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Where it stands in the document; shared with what is compiled from it.
    pub pointer: Arc<str>,
    /// What is read.
    pub fact: FactRef,
    /// How it is compared.
    pub op: Op,
    /// With what; `None` only for `is_known` and `is_unknown`.
    pub operand: Option<Operand>,
}

/// What a fact is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A literal, or a list of literals.
    Literal(Json),
    /// Another fact.
    Fact(FactRef),
    /// A parameter of the set.
    Parameter(String),
}

/// Comparison operators.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// From the first to the second, both included.
    Between,
    /// One of a list.
    In,
    /// None of a list.
    NotIn,
    /// The list holds the word.
    Contains,
    /// The fact has a value.
    IsKnown,
    /// The fact has no value.
    IsUnknown,
    /// Outside a range; only the negation of `between`, not a document word.
    NotBetween,
    /// The list lacks the word; only the negation of `contains`, not a document word.
    NotContains,
}

/// Who may receive something: two values, so that a payout further up cannot be written (REF-01).
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
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Beneficiary {
    /// The friend who came.
    Invitee,
    /// Who invited him directly.
    Inviter,
}

/// A recipient as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// One of the two lawful ones.
    Known(Beneficiary),
    /// Anybody else; never compiles, kept for the lint (REF-L01).
    Other(String),
}

/// An effect as written.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectSpec {
    /// Where it stands in the document.
    pub pointer: String,
    /// What it does.
    pub kind: EffectKind,
}

/// What an effect does.
#[derive(Clone, Debug, PartialEq)]
pub enum EffectKind {
    /// Ask the customer to recommend.
    Invite {
        /// Key of the words used.
        template: String,
        /// When it is sent.
        send: SendAt,
        /// How long the invitation lives.
        expires_after: Option<Span>,
    },
    /// Give a benefit.
    Grant {
        /// Who receives it.
        to: Recipient,
        /// Name of the benefit.
        benefit: String,
        /// At most once in the recipient's life.
        once: bool,
        /// How long it may be used.
        expires_after: Option<Span>,
        /// Lint-only: how far from the paying order (REF-L01).
        hop: Option<i64>,
        /// Lint-only: what the amount rests on (REF-L02, L03, L07).
        basis: Option<String>,
    },
    /// Do not ask for a while.
    SuppressInvitations {
        /// For how long.
        lasts: Span,
        /// Whether the customer is told how to appeal (PIPL-16).
        appeal: bool,
    },
    /// Put a tag on the customer.
    Tag {
        /// The tag.
        tag: String,
    },
    /// Tell the staff.
    NotifyStaff {
        /// The words.
        text: String,
        /// Which role; everybody concerned when unsaid.
        role: Option<String>,
    },
    /// Open a feature.
    Unlock {
        /// The feature.
        feature: String,
    },
    /// Lint-only: what the engine never does, with whatever fields it has (REF-L32, REF-L38).
    Never {
        /// The word.
        name: String,
        /// The whole entry.
        json: Json,
    },
}

/// When an invitation is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SendAt {
    /// At the hour that worked best so far.
    #[default]
    BestHour,
    /// As soon as quiet hours allow.
    Now,
}

/// At most so many times per span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Cap {
    /// How many times.
    pub times: u32,
    /// Per rolling span (ISO 8601).
    #[schema(value_type = String)]
    pub per: Span,
}

/// Limits of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Caps {
    /// Per person who is asked or receives.
    pub per_customer: Vec<Cap>,
    /// For the whole rule.
    pub per_rule: Vec<Cap>,
    /// Money this rule may cause over the set's life, fen.
    pub budget_fen: Option<i64>,
}

/// Limits of the welcome and thanks benefits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgrammeCaps {
    /// Thanks per inviter.
    #[serde(default)]
    pub per_inviter: Vec<Cap>,
    /// Money welcomes and thanks may cause together over the set's life, fen.
    pub budget_fen: Option<i64>,
}

/// One audience line: a segment key and the words that belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it stands in the document.
    pub pointer: String,
    /// The segment (`city`, `area`, `service`).
    pub key: String,
    /// Allowed words.
    pub words: Vec<String>,
}

/// Hours of the business day (Asia/Shanghai), minutes since midnight, end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Hours {
    /// First minute.
    pub from: u32,
    /// First minute after.
    pub to: u32,
}

/// A benefit as written; unlawful kinds parse so that the lint can name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BenefitSpec {
    /// A lawful kind.
    Lawful {
        /// Where it stands in the document.
        pointer: String,
        /// The benefit.
        benefit: Benefit,
        /// Lint-only: may it be passed on or cashed (REF-L06).
        transferable: bool,
    },
    /// A kind that never compiles (REF-02).
    Unlawful {
        /// Where it stands in the document.
        pointer: String,
        /// The kind as written.
        kind: String,
        /// The whole entry.
        json: Json,
    },
}

/// What a person can be given. There is no cash, red packet or balance to withdraw (REF-02).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Benefit {
    /// Money off an order of one's own.
    PriceOff {
        /// How much, fen.
        fen: i64,
        /// How long it may be used.
        #[schema(value_type = Option<String>)]
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_after: Option<Span>,
    },
    /// A coupon for own use.
    Coupon {
        /// Face value, fen.
        fen: i64,
        /// How long it may be used.
        #[schema(value_type = Option<String>)]
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_after: Option<Span>,
    },
    /// Goods, brought along to the next visit.
    Goods {
        /// Which goods.
        sku: String,
        /// What they cost, fen.
        #[serde(skip_serializing_if = "Option::is_none")]
        value_fen: Option<i64>,
        /// How long they may be claimed.
        #[schema(value_type = Option<String>)]
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_after: Option<Span>,
    },
    /// A service privilege.
    Privilege {
        /// Which privilege.
        privilege: String,
        /// How long it lasts.
        #[schema(value_type = Option<String>)]
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_after: Option<Span>,
    },
}

impl Benefit {
    /// What it costs at most, fen; zero for privileges, `None` for goods whose price is not written or is zero: no budget can
    /// count them.
    pub fn cost_fen(&self) -> Option<i64> {
        match self {
            Self::PriceOff { fen, .. } | Self::Coupon { fen, .. } => Some(*fen),
            Self::Goods { value_fen, .. } => value_fen.filter(|fen| *fen > 0),
            Self::Privilege { .. } => Some(0),
        }
    }

    /// How long it may be used, when limited.
    pub fn expires_after(&self) -> Option<Span> {
        match self {
            Self::PriceOff { expires_after, .. }
            | Self::Coupon { expires_after, .. }
            | Self::Goods { expires_after, .. }
            | Self::Privilege { expires_after, .. } => *expires_after,
        }
    }
}

impl BenefitSpec {
    /// Where it stands in the document.
    pub fn pointer(&self) -> &str {
        match self {
            Self::Lawful { pointer, .. } | Self::Unlawful { pointer, .. } => pointer,
        }
    }

    /// The lawful benefit, if it is one.
    pub fn lawful(&self) -> Option<&Benefit> {
        match self {
            Self::Lawful { benefit, .. } => Some(benefit),
            Self::Unlawful { .. } => None,
        }
    }
}

impl Condition {
    /// Calls `visit` with every comparison of the tree.
    pub fn each<'a>(&'a self, visit: &mut impl FnMut(&'a Comparison)) {
        match self {
            Self::All(inner) | Self::Any(inner) => inner.iter().for_each(|one| one.each(visit)),
            Self::Not(inner) => inner.each(visit),
            Self::Test(test) => visit(test),
        }
    }
}

impl Rule {
    /// Every fact its conditions read, operands included, with the pointer of the comparison.
    pub fn facts(&self) -> Vec<(&str, &FactRef)> {
        let mut found = Vec::new();
        if let Some(when) = &self.when {
            when.each(&mut |test| {
                found.push((&*test.pointer, &test.fact));
                if let Some(Operand::Fact(other)) = &test.operand {
                    found.push((&*test.pointer, other));
                }
            });
        }
        found
    }
}

impl Op {
    /// The document words.
    pub const WORDS: [(&'static str, Self); 12] = [
        ("eq", Self::Eq),
        ("ne", Self::Ne),
        ("gt", Self::Gt),
        ("gte", Self::Gte),
        ("lt", Self::Lt),
        ("lte", Self::Lte),
        ("between", Self::Between),
        ("in", Self::In),
        ("not_in", Self::NotIn),
        ("contains", Self::Contains),
        ("is_known", Self::IsKnown),
        ("is_unknown", Self::IsUnknown),
    ];

    /// The operator that holds exactly when this one does not, over known values.
    pub(crate) const fn negated(self) -> Self {
        match self {
            Self::Eq => Self::Ne,
            Self::Ne => Self::Eq,
            Self::Gt => Self::Lte,
            Self::Gte => Self::Lt,
            Self::Lt => Self::Gte,
            Self::Lte => Self::Gt,
            Self::Between => Self::NotBetween,
            Self::NotBetween => Self::Between,
            Self::In => Self::NotIn,
            Self::NotIn => Self::In,
            Self::Contains => Self::NotContains,
            Self::NotContains => Self::Contains,
            Self::IsKnown => Self::IsUnknown,
            Self::IsUnknown => Self::IsKnown,
        }
    }
}
