//! Trying a draft on the past: the same engine, the recorded facts, nobody is written to.

use super::{
    live::{compile, live},
    ruleset::by_id,
};
use crate::{
    kernel::{AppError, Result},
    platform::Ctx,
    rule::{self, Action, CompiledRuleSet, Event, EventKind, Facts, Outcome},
};
use chrono::{DateTime, Utc};
use entity::{
    decision,
    ids::{AccountId, DecisionId, EventId, RulesetId},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use std::collections::BTreeSet;

/// Decisions read at once.
const BATCH: u64 = 1000;
/// Most decisions replayed.
const MOST: usize = 100_000;
/// Cases shown.
const SAMPLE: usize = 20;

/// What a draft would have done.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub(super) struct BacktestOut {
    /// Recorded events replayed.
    events: u64,
    /// Rules that would have fired.
    fired: u64,
    /// Invitations it would have asked for, before caps.
    would_invite: u64,
    /// Firings the other set has and the draft has not.
    lost: u64,
    /// Firings the draft has and the other set has not.
    gained: u64,
    /// Decisions recorded as held for want of consent.
    blocked_by_consent: u64,
    /// Decisions recorded as held by a cap.
    blocked_by_caps: u64,
    /// Most the draft's grants would have cost, fen.
    cost_fen: i64,
    /// Whether there were more decisions than are replayed at once.
    truncated: bool,
    /// Some of the differences.
    sample: Vec<SampleOut>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct SampleOut {
    event_id: EventId,
    customer_id: AccountId,
    rule_id: String,
    /// `gained` or `lost`.
    change: &'static str,
    at: DateTime<Utc>,
}

/// Replays `[from, to)` through the draft and through the live set (or another).
///
/// # Errors
/// `not_found` for an unknown set; `validation` for a span out of bounds; drafts that do not compile are
/// `invalid_state`.
pub(super) async fn run(
    ctx: &Ctx,
    id: RulesetId,
    span: (DateTime<Utc>, DateTime<Utc>),
    against: Option<RulesetId>,
) -> Result<BacktestOut> {
    if span.1 <= span.0 {
        return Err(AppError::field("/to", "range", "结束须晚于开始"));
    }
    let db = ctx.db.read();
    let draft = by_id(db, id).await?;
    let draft = compile(&draft.document)
        .map_err(|_| AppError::invalid_state("草稿还不能运行,请先看检查结果"))?;
    let base = match against {
        Some(other) => compile(&by_id(db, other).await?.document)?,
        None => live(ctx, db).await?.rules.clone(),
    };
    let (mut replay, mut rows_seen) = (
        Replay {
            draft,
            base,
            seen: BTreeSet::new(),
            out: BacktestOut::default(),
        },
        0_usize,
    );
    let mut after = DecisionId(uuid::Uuid::nil());
    loop {
        let rows = decision::Entity::find()
            .filter(decision::Column::CreatedAt.gte(span.0))
            .filter(decision::Column::CreatedAt.lt(span.1))
            .filter(decision::Column::Id.gt(after))
            .order_by_asc(decision::Column::Id)
            .limit(BATCH)
            .all(db)
            .await?;
        let Some(last) = rows.last() else {
            return Ok(replay.out);
        };
        if rows_seen >= MOST {
            replay.out.truncated = true;
            return Ok(replay.out);
        }
        after = last.id;
        rows_seen = rows_seen.saturating_add(rows.len());
        // Thousands of rules over a thousand events are seconds of work: not on a thread that serves others.
        replay = tokio::task::spawn_blocking(move || {
            replay.batch(rows);
            replay
        })
        .await
        .map_err(AppError::internal)?;
    }
}

/// Two sets and what they made of the past so far.
struct Replay {
    draft: CompiledRuleSet,
    base: CompiledRuleSet,
    /// Cases judged: an event has a row per rule, and its rows may lie in two batches.
    seen: BTreeSet<(EventId, AccountId)>,
    out: BacktestOut,
}

impl Replay {
    /// One batch: the recorded facts of each event and person, judged by both sets.
    fn batch(&mut self, rows: Vec<decision::Model>) {
        for row in rows {
            match row.blocked_by.as_deref() {
                Some("consent") => self.out.blocked_by_consent += 1,
                Some("cap" | "fatigue") => self.out.blocked_by_caps += 1,
                _ => {}
            }
            // Where consent was missing no facts were read, so there is nothing to judge by.
            if row.blocked_by.as_deref() != Some("consent")
                && self.seen.insert((row.event_id, row.customer_id))
            {
                self.case(row);
            }
        }
    }

    fn case(&mut self, row: decision::Model) {
        let Some(kind) = EventKind::parse(&row.event_kind) else {
            return;
        };
        let facts: Facts = serde_json::from_value(row.facts).unwrap_or_default();
        let event = Event {
            id: row.event_id.0,
            kind,
            customer_id: row.customer_id.0,
        };
        self.out.events += 1;
        let mine = firing(&mut self.out, &self.draft, &event, &facts, row.created_at);
        let theirs = fired(&self.base, &event, &facts, row.created_at);
        self.out.gained += count(mine.difference(&theirs));
        self.out.lost += count(theirs.difference(&mine));
        let changes = mine
            .difference(&theirs)
            .map(|rule| (rule, "gained"))
            .chain(theirs.difference(&mine).map(|rule| (rule, "lost")));
        for (rule, change) in changes {
            if self.out.sample.len() < SAMPLE {
                self.out.sample.push(SampleOut {
                    event_id: row.event_id,
                    customer_id: row.customer_id,
                    rule_id: rule.clone(),
                    change,
                    at: row.created_at,
                });
            }
        }
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    u64::try_from(items.count()).unwrap_or(u64::MAX)
}

fn fired(
    set: &CompiledRuleSet,
    event: &Event,
    facts: &Facts,
    at: DateTime<Utc>,
) -> BTreeSet<String> {
    let decisions = rule::evaluate(set, event, facts, at);
    decisions
        .into_iter()
        .filter(|one| one.outcome == Outcome::Fired)
        .map(|one| one.rule_id)
        .collect()
}

/// As [`fired`], counting what the draft would do.
fn firing(
    out: &mut BacktestOut,
    set: &CompiledRuleSet,
    event: &Event,
    facts: &Facts,
    at: DateTime<Utc>,
) -> BTreeSet<String> {
    let decisions = rule::evaluate(set, event, facts, at);
    let mut rules = BTreeSet::new();
    for one in decisions
        .into_iter()
        .filter(|one| one.outcome == Outcome::Fired)
    {
        out.fired += 1;
        for effect in &one.effects {
            match &effect.action {
                Action::Invite { .. } => out.would_invite += 1,
                Action::Grant { benefit, .. } => {
                    let cost = benefit.benefit.cost_fen().unwrap_or_default();
                    out.cost_fen = out.cost_fen.saturating_add(cost);
                }
                Action::SuppressInvitations { .. }
                | Action::Tag { .. }
                | Action::NotifyStaff { .. }
                | Action::Unlock { .. } => {}
            }
        }
        rules.insert(one.rule_id);
    }
    rules
}
