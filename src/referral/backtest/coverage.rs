//! What history holds of what two sets look at. Only kinds of events somebody listened to were recorded, and of them only the
//! facts the rules of that time read: a draft that looks further meets nothing there, and its silence says nothing about it.
//!
//! Records are counted by what they have in common, a few hundred combinations at most, so that a million events cost a
//! million additions and no more.

use super::shard::Sides;
use crate::{
    kernel::Result,
    referral::{edition::edition, evaluation::Shapes, live::LiveSet},
    rule::{self, CompiledRuleSet, ConsentNeed, EventKind, FactRef, Facts, Whose},
};
use sea_orm::ConnectionTrait;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// A fact missing in more than this many of a hundred records is named.
const MISSED_PERCENT: u64 = 1;

/// What records have in common that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Alike {
    pub(super) kind: EventKind,
    pub(super) shape_id: i64,
    pub(super) version: i32,
    pub(super) profiling: bool,
    pub(super) link: bool,
}

impl Alike {
    /// Whether a consent stood when these were recorded.
    pub(super) fn holds(&self, need: ConsentNeed) -> bool {
        match (need.purpose, need.of) {
            ("referral_profiling", Whose::Customer) => self.profiling,
            ("referral_link", Whose::Invitee) => self.link,
            _ => false,
        }
    }
}

/// How many records there were of a kind, and which rules of either side look at something they do not hold.
#[derive(Debug)]
struct Tally {
    events: u64,
    lacking: [Vec<Lacking>; 2],
}

/// A rule, by its place among those that listen, and how often it was unknown.
#[derive(Debug)]
struct Lacking {
    place: u32,
    unknown: u64,
}

/// Records counted by what they have in common.
#[derive(Debug, Default)]
pub(super) struct Coverage(HashMap<Alike, Tally>);

impl Coverage {
    /// Counts a record. Rules whose facts it holds are not looked at; the others are asked whether they are unknown.
    pub(super) fn note(&mut self, sides: &Sides, alike: Alike, facts: &Facts) {
        let lacking = |set: &CompiledRuleSet| {
            let places = rule::lacking(set, (alike.kind, facts), &|need| alike.holds(need));
            let places = places.into_iter();
            places.map(|place| Lacking { place, unknown: 0 }).collect()
        };
        let tally = self.0.entry(alike).or_insert_with(|| Tally {
            events: 0,
            lacking: sides.each().map(lacking),
        });
        tally.events += 1;
        for (set, lacking) in sides.each().into_iter().zip(&mut tally.lacking) {
            for one in lacking {
                let unknown = rule::is_unknown(set, (alike.kind, one.place), facts);
                one.unknown += u64::from(unknown);
            }
        }
    }

    /// Adds what another thread counted.
    pub(super) fn merge(&mut self, other: Self) {
        for (alike, tally) in other.0 {
            let Some(mine) = self.0.get_mut(&alike) else {
                self.0.insert(alike, tally);
                continue;
            };
            mine.events += tally.events;
            // Both lists come from the same names, so they hold the same places.
            for (mine, theirs) in mine.lacking.iter_mut().zip(tally.lacking) {
                for (mine, theirs) in mine.iter_mut().zip(theirs) {
                    mine.unknown += theirs.unknown;
                }
            }
        }
    }

    /// Records by kind.
    fn by_kind(&self) -> BTreeMap<EventKind, u64> {
        let mut kinds = BTreeMap::new();
        for (alike, tally) in &self.0 {
            *kinds.entry(alike.kind).or_default() += tally.events;
        }
        kinds
    }

    /// Per side and rule, those that never acted included.
    pub(super) fn of_rules<'a>(&self, sides: &'a Sides) -> [Vec<Listened<'a>>; 2] {
        let kinds = self.by_kind();
        let mut unknown: [HashMap<&str, u64>; 2] = Default::default();
        for (alike, tally) in &self.0 {
            let sides = sides.each().into_iter().zip(&tally.lacking);
            for ((set, lacking), unknown) in sides.zip(&mut unknown) {
                for one in lacking {
                    if let Some((id, _)) = rule::listener(set, alike.kind, one.place) {
                        *unknown.entry(id).or_default() += one.unknown;
                    }
                }
            }
        }
        let [draft, base] = sides.each();
        let [of_draft, of_base] = unknown;
        [
            listened(draft, &kinds, &of_draft),
            listened(base, &kinds, &of_base),
        ]
    }
}

/// What a rule was shown.
pub(super) struct Listened<'a> {
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    /// Records of the kinds it listens to.
    pub(super) events: u64,
    /// Of them, those where it is neither true nor false for want of a fact.
    pub(super) unknown: u64,
}

fn listened<'a>(
    set: &'a CompiledRuleSet,
    kinds: &BTreeMap<EventKind, u64>,
    unknown: &HashMap<&str, u64>,
) -> Vec<Listened<'a>> {
    let rules = rule::rules_of(set);
    rules
        .map(|(id, title, mut on)| Listened {
            id,
            title,
            events: on
                .try_fold(0, |sum: u64, kind| {
                    sum.checked_add(kinds.get(&kind).copied().unwrap_or_default())
                })
                .unwrap_or(u64::MAX),
            unknown: unknown.get(id).copied().unwrap_or_default(),
        })
        .collect()
}

/// What the draft looks at and history does not hold.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub(super) struct NotRecordedOut {
    /// Kinds of events the draft listens to without any record of the span: no rule of that time listened to them, or none
    /// happened. Rules on them stand in `rules` with no event.
    pub(super) events: Vec<EventNotRecorded>,
    /// Facts the draft reads that more than one in a hundred records of such an event are without, because the rules of that
    /// time did not read them. Where it needs such a fact a rule is unknown and does not fire.
    pub(super) facts: Vec<FactNotRecorded>,
}

/// A kind of event without a record.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct EventNotRecorded {
    /// Its name, such as `booking.completed`.
    event: String,
    /// What it is called, zh-CN.
    pub(super) label: String,
}

/// A fact that records are without.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct FactNotRecorded {
    /// Its reference as documents write it.
    fact: String,
    /// What it is called, zh-CN.
    pub(super) label: String,
    /// On which kind of event.
    event: String,
    /// What that is called, zh-CN.
    pub(super) event_label: String,
    /// Records of this kind of people who had consented to the fact's being read.
    pub(super) records: u64,
    /// Of them, those for which the fact was read: it is known, or known to be missing.
    pub(super) recorded: u64,
    /// Whether the other set reads it there too: then both sides are without it alike.
    other_reads_it: bool,
}

/// What the draft misses, event by event.
///
/// # Errors
/// A database fault.
pub(super) async fn not_recorded(
    db: &impl ConnectionTrait,
    sides: &Sides,
    (coverage, shapes): (&Coverage, &Shapes),
) -> Result<NotRecordedOut> {
    let versions: BTreeSet<i32> = coverage.0.keys().map(|alike| alike.version).collect();
    let mut editions: HashMap<i32, Option<Arc<LiveSet>>> = HashMap::new();
    for version in versions {
        editions.insert(version, edition(db, version).await?);
    }
    let kinds = coverage.by_kind();
    let mut out = NotRecordedOut::default();
    for kind in EventKind::every().filter(|kind| sides.draft.listens_to(*kind)) {
        if !kinds.contains_key(&kind) {
            out.events.push(EventNotRecorded {
                event: kind.name().to_owned(),
                label: kind.label().to_owned(),
            });
            continue;
        }
        for fact in sides.draft.facts_for(kind) {
            let missed = missed((kind, fact), (coverage, shapes), &editions);
            out.facts
                .extend(missed.map(|(label, records, recorded)| FactNotRecorded {
                    fact: fact.to_string(),
                    label,
                    event: kind.name().to_owned(),
                    event_label: kind.label().to_owned(),
                    records,
                    recorded,
                    other_reads_it: sides.base.facts_for(kind).any(|other| other == fact),
                }));
        }
    }
    Ok(out)
}

/// What a fact is called, how many records it could be in, and in how many it is; `None` when it is in nearly all.
fn missed(
    (kind, fact): (EventKind, &FactRef),
    (coverage, shapes): (&Coverage, &Shapes),
    editions: &HashMap<i32, Option<Arc<LiveSet>>>,
) -> Option<(String, u64, u64)> {
    let meaning = rule::supplied(fact)?;
    let key = fact.to_string();
    let (mut records, mut recorded) = (0_u64, 0_u64);
    for (alike, tally) in coverage.0.iter().filter(|(alike, _)| alike.kind == kind) {
        if meaning.need.is_some_and(|need| !alike.holds(need)) {
            continue;
        }
        records = records.saturating_add(tally.events);
        let names = shapes.names(alike.shape_id);
        let held = names.contains(&key);
        // A fact that was read and is not there is truly unknown. Where nothing stands, nothing was read.
        let set = editions.get(&alike.version).and_then(Option::as_ref);
        let read = !names.is_empty()
            && set.is_some_and(|set| set.rules.facts_for(kind).any(|other| other == fact));
        if held || read {
            recorded = recorded.saturating_add(tally.events);
        }
    }
    let without = records.saturating_sub(recorded);
    let many = without.saturating_mul(100) > records.saturating_mul(MISSED_PERCENT);
    many.then_some((meaning.label, records, recorded))
}
