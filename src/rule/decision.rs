//! What a decision says: outcome, conditions with wanted and found values, effects, the consents it needs.

use super::document::{Beneficiary, Benefit, Caps, Hours, Op, SendAt};
use super::event::{Event, EventKind};
use super::fact::Whose;
use super::tree::Truth;
use crate::kernel::Span;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How one rule came out for one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All conditions hold; the effects follow.
    Fired,
    /// A condition does not hold, or another rule went first.
    Not,
    /// A needed fact is missing.
    Unknown,
    /// The conditions hold, but something stands in the way.
    Held,
}

/// What stands in the way of a rule whose conditions hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlockedBy {
    /// A consent is missing.
    Consent,
    /// A cap or a budget is used up.
    Cap,
    /// It is night.
    QuietHours,
    /// Asked too often lately.
    Fatigue,
    /// Asking is suppressed: a breach, an open complaint, a minor.
    Suppression,
    /// Under fraud review.
    Fraud,
}

/// One comparison as evaluated. Negations are already inside `op`, so that `true` always means "in favour".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConditionResult {
    /// Where it stands in the document.
    pub pointer: String,
    /// The fact, as its reference is written.
    pub fact: String,
    /// How it was compared.
    pub op: Op,
    /// With what, in the scale people write (4.8, 0.5, fen); `{"fact": …}` for another fact.
    pub want: serde_json::Value,
    /// What was found; null when unknown.
    pub got: serde_json::Value,
    /// Whether it holds.
    pub outcome: Truth,
    /// Part of the smallest change that would let the rule fire.
    pub decisive: bool,
    /// Whether it stands in the way: it does not hold, and no other branch of its `any` makes up for it.
    #[serde(default)]
    pub unmet: bool,
}

/// A consent without which a decision may not take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
pub struct ConsentNeed {
    /// Purpose key (law.md section 2).
    pub purpose: &'static str,
    /// Whose consent.
    pub of: Whose,
}

/// Purposes the engine can ask for.
const PURPOSES: [&str; 2] = ["referral_profiling", "referral_link"];

/// A consent need as recorded, before its purpose is known to be one of ours.
#[derive(Deserialize)]
struct WrittenNeed {
    purpose: String,
    of: Whose,
}

impl<'de> Deserialize<'de> for ConsentNeed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = WrittenNeed::deserialize(deserializer)?;
        let known = PURPOSES
            .into_iter()
            .find(|purpose| *purpose == written.purpose);
        let need = known.map(|purpose| Self {
            purpose,
            of: written.of,
        });
        need.ok_or_else(|| {
            serde::de::Error::custom(format_args!("unknown consent purpose {}", written.purpose))
        })
    }
}

/// A benefit under the name the document gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NamedBenefit {
    /// Its name in `benefits`.
    pub name: String,
    /// What it is.
    pub benefit: Benefit,
}

/// What an effect does, resolved: benefits looked up, recipients one of two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Action {
    /// Ask the customer to recommend.
    Invite {
        /// Key of the words used.
        template: String,
        /// When it is sent.
        send: SendAt,
        /// How long the invitation lives.
        #[schema(value_type = Option<String>)]
        expires_after: Option<Span>,
        /// The set's own words for it; the shipped ones when null (ADR 0020).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<String>,
    },
    /// Give a benefit.
    Grant {
        /// Who receives it.
        to: Beneficiary,
        /// What.
        benefit: NamedBenefit,
        /// At most once in the recipient's life.
        once: bool,
        /// How long it may be used: the effect's own limit, else the benefit's.
        #[schema(value_type = Option<String>)]
        expires_after: Option<Span>,
    },
    /// Do not ask for a while.
    SuppressInvitations {
        /// For how long.
        #[serde(rename = "for")]
        #[schema(value_type = String)]
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
        /// Which role; everybody concerned when null.
        role: Option<String>,
    },
    /// Open a feature.
    Unlock {
        /// The feature.
        feature: String,
    },
}

/// What undoes an effect when its cause is undone (refund, withdrawal, fraud).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reversal {
    /// Recall the invitation unless sent.
    Recall,
    /// Revoke the reward.
    Revoke,
    /// Lift the suppression.
    Lift,
    /// Take the tag off.
    Untag,
    /// Tell the staff that the cause is gone.
    NotifyUndone,
    /// Close the feature.
    Lock,
}

impl Action {
    /// The twin that undoes this effect.
    pub const fn reversal(&self) -> Reversal {
        match self {
            Self::Invite { .. } => Reversal::Recall,
            Self::Grant { .. } => Reversal::Revoke,
            Self::SuppressInvitations { .. } => Reversal::Lift,
            Self::Tag { .. } => Reversal::Untag,
            Self::NotifyStaff { .. } => Reversal::NotifyUndone,
            Self::Unlock { .. } => Reversal::Lock,
        }
    }

    /// The consent doing it needs. Benefits rest on the friend's link; asking and tagging look at the customer.
    pub(crate) const fn consent(&self) -> Option<ConsentNeed> {
        match self {
            Self::Invite { .. } | Self::Tag { .. } => Some(ConsentNeed {
                purpose: "referral_profiling",
                of: Whose::Customer,
            }),
            Self::Grant { .. } => Some(ConsentNeed {
                purpose: "referral_link",
                of: Whose::Invitee,
            }),
            Self::SuppressInvitations { .. } | Self::NotifyStaff { .. } | Self::Unlock { .. } => {
                None
            }
        }
    }
}

/// One effect of a fired rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ResolvedEffect {
    /// Its place in the rule's `then`, from 0: part of the effect's unique key.
    pub slot: u32,
    /// Not to take place earlier: now, or the next opening of the rule's schedule.
    pub not_before: DateTime<Utc>,
    /// The hours of the rule's schedule, kept until it is carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// What it does.
    #[serde(flatten)]
    pub action: Action,
}

/// One rule evaluated for one event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Decision {
    /// The event decided on.
    pub event_id: Uuid,
    /// What it was.
    pub event: EventKind,
    /// Whom it is about.
    pub customer_id: Uuid,
    /// Which rule.
    pub rule_id: String,
    /// What the rule is called.
    pub title: String,
    /// How it came out.
    pub outcome: Outcome,
    /// What stood in the way, when held.
    pub blocked_by: Option<BlockedBy>,
    /// Why, zh-CN, where the conditions do not say it.
    pub reason: Option<String>,
    /// Every comparison, audience included.
    pub conditions: Vec<ConditionResult>,
    /// What follows; empty unless fired.
    pub effects: Vec<ResolvedEffect>,
    /// Consents of every fact and effect of the rule; nobody can delete them from a document.
    pub purposes: Vec<ConsentNeed>,
    /// Limits the effects stand under.
    pub caps: Caps,
}

impl Decision {
    /// An unfinished decision about an event.
    pub(crate) fn about(event: &Event, rule_id: &str, title: &str) -> Self {
        Self {
            event_id: event.id,
            event: event.kind,
            customer_id: event.customer_id,
            rule_id: rule_id.to_owned(),
            title: title.to_owned(),
            outcome: Outcome::Not,
            blocked_by: None,
            reason: None,
            conditions: Vec::new(),
            effects: Vec::new(),
            purposes: Vec::new(),
            caps: Caps::default(),
        }
    }
}
