//! The policy pack: severities, clauses, thresholds and word lists of the lint, as versioned data.

use crate::kernel::Span;
use crate::rule::document::{Cap, ProgrammeCaps};
use crate::rule::finding::{Finding, Severity};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

const SHIPPED: &str = include_str!("../../../config/rulesets/policy.json");

static PACK: LazyLock<PolicyPack> =
    LazyLock::new(|| PolicyPack::parse(SHIPPED).unwrap_or_default());

/// What may be published here. Ids without a severity block: a pack that fails to say fails closed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyPack {
    /// Which edition of the law's reading this is; recorded with every publish.
    pub version: String,
    severities: BTreeMap<String, Severity>,
    /// Limits that hold in the types and so cannot be lowered.
    locked: BTreeSet<String>,
    clauses: BTreeMap<String, String>,
    /// What each lint looks for, in a few words.
    titles: BTreeMap<String, String>,
    /// When nothing is sent, minutes of the business day; `from` is after `to` (REF-23).
    pub quiet_hours: QuietHours,
    /// How often a person may be asked at most (REF-23).
    pub invitations: Option<Cap>,
    programme: ProgrammeCaps,
    /// Beyond these a cap or a budget is none (REF-08).
    pub(super) maxima: Maxima,
    pub(super) typical_order: TypicalOrder,
    /// Before somebody who refused may be asked for his consent again (REF-L23).
    pub(super) ask_again_after: Option<Span>,
    pub(super) prepaid: Prepaid,
    /// From when staff must look at a referral tree (REF-10). Nothing alarms by itself yet.
    pub subtree_alarm: Option<SubtreeAlarm>,
    /// Whether self-invites are checked for at redemption (REF-15).
    pub self_invite_checks: bool,
    pub(super) kinds: BTreeMap<String, String>,
    pub(super) bases: BTreeMap<String, String>,
    pub(super) triggers: BTreeMap<String, String>,
    /// Effects the engine never has, and the lint that names them.
    pub(super) effects: BTreeMap<String, String>,
    /// What goods, privileges and features are not called, by the lint that names it: parts of slugs.
    pub(super) slug_words: BTreeMap<String, Vec<String>>,
    /// What a template of one-time messages may not be about (WX-11): parts of slugs, and words of titles.
    pub(super) marketing_words: Vec<String>,
    pub(super) sources: BTreeSet<String>,
    pub(super) sensitive_words: Vec<String>,
    pub(super) paid_praise: Vec<String>,
    pub(super) opt_out_words: Vec<String>,
    pub(super) superlatives: Vec<String>,
    pub(super) coercive: Vec<String>,
    pub(super) void_terms: Vec<String>,
}

/// The nightly pause, minutes since business midnight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// First quiet minute, in the evening.
    pub from: u32,
    /// First minute after, in the morning.
    pub to: u32,
}

/// What an order usually costs, and which share of it a benefit may be worth (REF-11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypicalOrder {
    pub(super) fen: i64,
    pub(super) most_basis_points: i64,
}

/// Limits of cards and of bonuses on money paid in (REF-36).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prepaid {
    pub(super) kinds: BTreeSet<String>,
    pub(super) named_fen: i64,
    pub(super) unnamed_fen: i64,
    pub(super) unnamed_lasts: Option<Span>,
}

/// One lint as the pack has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LintRow {
    /// `REF-L04`.
    pub id: String,
    /// What it looks for.
    pub title: String,
    /// How severe it is here and now.
    pub severity: Severity,
    /// The clause it rests on.
    pub clause: String,
    /// Whether it holds in the types, so that no opinion lowers it.
    pub locked: bool,
}

/// The most a cap may allow and still be one. A pack that does not say allows nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Maxima {
    /// Of one budget, fen.
    pub(super) budget_fen: i64,
    /// Per person who is asked or receives.
    pub(super) per_person: Option<Cap>,
}

impl Maxima {
    /// Whether these caps together allow more per person than the pack's line.
    pub(super) fn exceeded_by(&self, caps: &[Cap]) -> bool {
        !caps.is_empty()
            && self
                .per_person
                .is_none_or(|most| caps.iter().all(|cap| oftener(*cap, most)))
    }
}

/// Whether one rolling cap lets more happen within the span of another than that one does. What a long span allows may all
/// fall into a short one, and a short one begins anew as often as it has room: 1464 times in ten years may be 1464 tomorrow.
pub(super) fn oftener(cap: Cap, most: Cap) -> bool {
    let (per, within) = (cap.per.get().num_seconds(), most.per.get().num_seconds());
    let begun = within.saturating_add(per).saturating_sub(1) / per.max(1);
    i64::from(cap.times).saturating_mul(begun) > i64::from(most.times)
}

/// The line at which a referral tree is looked at by a person (公通字〔2013〕37号: 30 people, 3 levels).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubtreeAlarm {
    /// People in the tree.
    pub people: u32,
    /// Levels of the tree.
    pub levels: u32,
}

impl PolicyPack {
    /// The first word for a sensitive class that stands in a text (REF-L24).
    #[cfg(test)]
    pub(crate) fn sensitive_word_in(&self, text: &str) -> Option<&str> {
        let mut words = self.sensitive_words.iter().map(String::as_str);
        words.find(|word| text.contains(word))
    }

    /// The pack shipped with this version.
    pub fn shipped() -> &'static Self {
        &PACK
    }

    /// Reads a pack; the error says what is wrong with the file.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// Every lint, in order.
    pub fn lints(&self) -> Vec<LintRow> {
        let text =
            |map: &BTreeMap<String, String>, id: &String| map.get(id).cloned().unwrap_or_default();
        self.severities
            .iter()
            .map(|(id, severity)| LintRow {
                id: id.clone(),
                title: text(&self.titles, id),
                severity: *severity,
                clause: text(&self.clauses, id),
                locked: self.locked.contains(id),
            })
            .collect()
    }

    /// The most a benefit may be worth beside an order of this price (REF-11).
    pub(super) fn most_of(&self, typical_order_fen: Option<i64>) -> i64 {
        let fen = typical_order_fen.unwrap_or(self.typical_order.fen);
        fen.saturating_mul(self.typical_order.most_basis_points) / 10_000
    }

    /// How severe a lint is here.
    pub fn severity(&self, id: &str) -> Severity {
        self.severities.get(id).copied().unwrap_or(Severity::Block)
    }

    /// Lowers a lint from block to approve for this deployment, on the officer's recorded legal opinion. Limits that hold in the
    /// types (no cash, nobody beyond the direct inviter) are refused with a zh-CN reason.
    pub fn lower(&mut self, id: &str) -> Result<(), String> {
        if self.locked.contains(id) {
            return Err(format!("{id} 是类型层面的底线,不能放宽"));
        }
        match self.severities.get_mut(id) {
            Some(severity) if *severity == Severity::Block => {
                *severity = Severity::Approve;
                Ok(())
            }
            Some(_) => Err(format!("{id} 本来就不阻止发布")),
            None => Err(format!("没有 {id} 这一条")),
        }
    }

    /// The caps on welcome and thanks benefits: the document's, filled up with this pack's defaults (REF-08).
    pub fn programme_caps(&self, written: &ProgrammeCaps) -> ProgrammeCaps {
        ProgrammeCaps {
            per_inviter: if written.per_inviter.is_empty() {
                self.programme.per_inviter.clone()
            } else {
                written.per_inviter.clone()
            },
            budget_fen: written.budget_fen.or(self.programme.budget_fen),
        }
    }

    /// A finding of this pack's severity with its clause.
    pub(in crate::rule) fn finding(
        &self,
        id: &str,
        pointer: &str,
        message: impl Into<String>,
        fix: &str,
    ) -> Finding {
        Finding {
            severity: self.severity(id),
            clause: self.clauses.get(id).cloned(),
            ..Finding::block(id, pointer, message, fix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_pack_is_whole() {
        let pack = PolicyPack::parse(SHIPPED).unwrap();
        assert_eq!(&pack, PolicyPack::shipped());
        let ids: Vec<String> = (1..=42).map(|number| format!("REF-L{number:02}")).collect();
        for map in [&pack.clauses, &pack.titles] {
            assert!(map.keys().eq(&ids));
        }
        assert!(pack.severities.keys().eq(&ids));
        let named = pack
            .kinds
            .values()
            .chain(pack.bases.values())
            .chain(pack.triggers.values())
            .chain(pack.effects.values())
            .chain(pack.slug_words.keys())
            .chain(&pack.locked);
        assert!(named.clone().count() > 20);
        for id in named {
            assert!(pack.severities.contains_key(id), "{id}");
        }
        assert!(pack.quiet_hours.from > pack.quiet_hours.to && pack.self_invite_checks);
    }

    #[test]
    fn type_level_limits_cannot_be_lowered() {
        let mut pack = PolicyPack::shipped().clone();
        for id in ["REF-L01", "REF-L06", "REF-L12", "REF-L13", "REF-L99"] {
            assert!(pack.lower(id).is_err(), "{id}");
        }
        assert_eq!(pack.lower("REF-L04"), Ok(()));
        assert_eq!(pack.severity("REF-L04"), Severity::Approve);
        assert_eq!(pack.severity("REF-L99"), Severity::Block);
    }
}
