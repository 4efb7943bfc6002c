//! What a rule did so far, at most: kept beside its counter, so that asking need not count all its invitations again.
//!
//! Counting costs the more the more a rule has done, and happens while others wait for its counter. But within one version of
//! the rule set what it did only grows by what passes the counter: an invitation adds one, and everything else that may add
//! (a redemption, a reward, a release) takes the counter through [`super::caps::lock`], which forgets what is kept. What ages,
//! expires or is taken back makes it less. So the last count plus the invitations since is never too small; where it leaves no
//! room, it is counted anew. It is also counted anew every minute: a node of a release that knows nothing of this may be running.

use super::{apply::Cause, budget, caps};
use crate::{
    kernel::Result,
    platform::{Ctx, Rows, filled},
    rule::{Caps, CompiledRuleSet},
};
use chrono::{DateTime, Duration, Utc};
use entity::cap_lock;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long a count is built upon.
const FRESH: Duration = Duration::minutes(1);

/// What limits a rule's invitations, as far as it did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Bounds {
    /// The version whose caps these are, in their order.
    version: i32,
    /// When it was counted.
    counted_at: DateTime<Utc>,
    /// Per cap: how many it asked within the cap's span, at most.
    asked: Vec<u64>,
    /// What it has promised, at most, and what one more invitation reserves, fen; none without a budget.
    promised: Option<(i64, i64)>,
}

/// The bounds of the rules of a batch; none for a rule without limits.
#[derive(Default)]
pub(super) struct AllBounds(BTreeMap<String, Option<Bounds>>);

impl AllBounds {
    /// Of rules, whose counters the caller holds, for so many more invitations each: what is kept, or counted anew where that
    /// may not leave room for all.
    pub(super) async fn read(
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        set: &CompiledRuleSet,
        wanted: &BTreeMap<&str, (&Cause, u64)>,
    ) -> Result<Self> {
        let limited = wanted.iter().filter(|(_, (cause, _))| limits(&cause.caps));
        let mut kept = kept(tx, limited.map(|(rule, _)| *rule)).await?;
        let mut all = BTreeMap::new();
        for (rule, (cause, many)) in wanted {
            let bounds = match kept.remove(&caps::of_rule(rule)) {
                _ if !limits(&cause.caps) => None,
                Some(kept) if kept.serves(ctx, cause, *many) => Some(kept),
                _ => Some(Bounds::count(ctx, tx, set, cause).await?),
            };
            all.insert((*rule).to_owned(), bounds);
        }
        Ok(Self(all))
    }

    /// Whether its rule may ask once more; if so, that is counted.
    pub(super) fn admit(&mut self, cause: &Cause) -> bool {
        let Some(Some(bounds)) = self.0.get_mut(&cause.rule_id) else {
            return true;
        };
        let room = bounds.leaves(&cause.caps, 1);
        if room {
            bounds.count_one();
        }
        room
    }

    /// Keeps them beside the counters, together with the invitations they count. Of a rule that asks without limits nothing may
    /// stay that an earlier version counted: it can come back.
    pub(super) fn keep(&self, ctx: &Ctx, to: &mut Rows) -> Result<()> {
        let rows = self.0.iter().map(|(rule, bounds)| {
            let bounds = bounds.as_ref().map(serde_json::to_string).transpose()?;
            Ok(cap_lock::ActiveModel {
                key: Set(caps::of_rule(rule)),
                created_at: Set(ctx.env.now()),
                bounds: Set(bounds),
            })
        });
        let rows = rows.collect::<Result<Vec<_>>>()?;
        to.overwriting(rows, &[cap_lock::Column::Key], &[cap_lock::Column::Bounds])
    }
}

fn limits(caps: &Caps) -> bool {
    !caps.per_rule.is_empty() || caps.budget_fen.is_some()
}

/// What is kept beside the counters of these rules, by counter.
async fn kept<'a>(
    tx: &DatabaseTransaction,
    rules: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<String, Bounds>> {
    let keys = filled(rules.map(caps::of_rule));
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(String, Option<String>)> = cap_lock::Entity::find()
        .select_only()
        .columns([cap_lock::Column::Key, cap_lock::Column::Bounds])
        .filter(cap_lock::Column::Key.is_in(keys))
        .into_tuple()
        .all(tx)
        .await?;
    // What cannot be read is as good as forgotten.
    let read =
        |(key, text): (String, Option<String>)| Some((key, serde_json::from_str(&text?).ok()?));
    Ok(rows.into_iter().filter_map(read).collect())
}

impl Bounds {
    async fn count(
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        set: &CompiledRuleSet,
        cause: &Cause,
    ) -> Result<Self> {
        let now = ctx.env.now();
        let spans = cause.caps.per_rule.iter();
        let spans: Vec<DateTime<Utc>> = spans.map(|cap| caps::since(now, cap.per.get())).collect();
        let budget = cause.caps.budget_fen;
        let limits = (budget.is_some(), spans.as_slice());
        let counted = budget::of_invitations(ctx, tx, (set, &cause.rule_id), limits).await?;
        Ok(Self {
            version: cause.ruleset_version,
            counted_at: now,
            asked: counted.since,
            promised: budget.map(|_| (counted.promised, counted.one)),
        })
    }

    /// Whether it may be built upon for so many more.
    fn serves(&self, ctx: &Ctx, cause: &Cause, many: u64) -> bool {
        let age = ctx.env.now() - self.counted_at;
        self.version == cause.ruleset_version
            && (Duration::zero()..FRESH).contains(&age)
            && self.leaves(&cause.caps, many)
    }

    /// Whether so many more fit.
    fn leaves(&self, caps: &Caps, many: u64) -> bool {
        let known = self.asked.len() == caps.per_rule.len();
        let mut spans = caps.per_rule.iter().zip(&self.asked);
        let within =
            known && spans.all(|(cap, asked)| asked.saturating_add(many) <= u64::from(cap.times));
        let affordable = match (self.promised, caps.budget_fen) {
            (Some((promised, one)), Some(budget)) => {
                let more = one.saturating_mul(i64::try_from(many).unwrap_or(i64::MAX));
                promised.saturating_add(more) <= budget
            }
            (None, None) => true,
            _ => false,
        };
        within && affordable
    }

    fn count_one(&mut self) {
        for asked in &mut self.asked {
            *asked = asked.saturating_add(1);
        }
        if let Some((promised, one)) = &mut self.promised {
            *promised = promised.saturating_add(*one);
        }
    }
}
