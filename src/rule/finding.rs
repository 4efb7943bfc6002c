//! Findings: what is wrong with a document, where, under which clause, and how to mend it.

use serde::{Deserialize, Serialize};

/// How far a finding stops a rule set from being published.
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
pub enum Severity {
    /// Cannot be published.
    Block,
    /// A second person must approve with a reason.
    Approve,
    /// May be published; worth a look.
    Warn,
}

/// One fault or doubt about a rule set, in words a shop owner understands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Finding {
    /// Stable id: `REF-L08` for the law's lints, `RULE-…` for language and analysis.
    pub id: String,
    /// How far it stops publishing.
    pub severity: Severity,
    /// RFC 6901 JSON pointer into the document.
    pub pointer: String,
    /// What is wrong, zh-CN.
    pub message: String,
    /// The clause it rests on; null for plain mistakes.
    pub clause: Option<String>,
    /// How to mend it, zh-CN.
    pub fix: String,
}

impl Finding {
    /// A mistake in the document that no policy can lower.
    pub(crate) fn block(
        id: &str,
        pointer: &str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            id: id.to_owned(),
            severity: Severity::Block,
            pointer: pointer.to_owned(),
            message: message.into(),
            clause: None,
            fix: fix.into(),
        }
    }

    /// A doubt that does not stop publishing.
    pub(crate) fn warn(
        id: &str,
        pointer: &str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warn,
            ..Self::block(id, pointer, message, fix)
        }
    }

    /// Whether it stops publishing outright.
    pub fn blocks(&self) -> bool {
        self.severity == Severity::Block
    }
}

/// Appends one reference token to a JSON pointer, escaped as RFC 6901 says.
pub(crate) fn at(pointer: &str, token: impl std::fmt::Display) -> String {
    let token = token.to_string().replace('~', "~0").replace('/', "~1");
    format!("{pointer}/{token}")
}

/// The beginning of a text somebody else wrote, so that a message stays readable.
pub(crate) fn short(text: &str) -> String {
    const LONGEST: usize = 24;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let mut shown: String = text.chars().take(LONGEST - 1).collect();
    shown.push('…');
    shown
}
