//! Rule sets in force, compiled once per version and process.

use super::{
    ruleset::{by_id, in_order},
    schedule, tenure,
};
use crate::{
    kernel::{AppError, Code, Result},
    platform::Ctx,
    rule::{self, CompiledRuleSet, DEFAULT_RULESET, RuleSet},
};
use chrono::{DateTime, Utc};
use entity::{
    ids::RulesetId,
    ruleset,
    values::{RulesetStatus, TenureHow},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ConnectionTrait, DatabaseTransaction, EntityTrait,
    PaginatorTrait,
};
use serde_json::Value;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A set that is or was in force.
pub struct LiveSet {
    /// Its row.
    pub id: RulesetId,
    /// Its version.
    pub version: i32,
    /// Ready to evaluate.
    pub rules: CompiledRuleSet,
}

/// A compiled document. One that was published never changes; one that waits for its moment may be taken back and
/// rewritten, so it counts only for the document it was made from.
struct Known {
    document: Arc<Value>,
    set: Arc<LiveSet>,
    published: bool,
}

/// Compiled documents, the last used first.
fn compiled() -> &'static Mutex<Vec<Known>> {
    static SETS: OnceLock<Mutex<Vec<Known>>> = OnceLock::new();
    SETS.get_or_init(Mutex::default)
}

/// Held while one is compiled: whoever needs the same meanwhile waits for it instead of doing it again.
fn compiling() -> &'static tokio::sync::Mutex<()> {
    static COMPILING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    &COMPILING
}

/// How many compiled sets are kept: the live one, its neighbours in time, and what waits.
const KEPT: usize = 12;

/// The set in force now.
///
/// # Errors
/// `unavailable` before the first start has installed one; a database fault.
pub async fn live(_: &Ctx, db: &impl ConnectionTrait) -> Result<Arc<LiveSet>> {
    let open = tenure::open(db).await?;
    let open = open.ok_or_else(|| AppError::new(Code::Unavailable, "还没有生效的规则集"))?;
    published(db, open.ruleset_id).await
}

/// The set that was in force at a past moment, for what was promised then. What is older than the first belongs to the
/// first.
///
/// # Errors
/// As [`live`]; `unavailable` also while a set whose moment has come is not settled yet.
pub async fn live_then(db: &impl ConnectionTrait, moment: DateTime<Utc>) -> Result<Arc<LiveSet>> {
    let found = tenure::covering(db, moment).await?;
    published(db, found.ruleset_id).await
}

/// The set that judges what happened at `moment`; until `tx` ends nobody changes versions. A set whose moment has come
/// is put in force first, by whoever needs to know: that is why this comes before every other lock of the transaction.
///
/// # Errors
/// As [`live_then`].
pub async fn live_at(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    moment: DateTime<Utc>,
) -> Result<Arc<LiveSet>> {
    schedule::settle_if_due(ctx, tx, moment).await?;
    let found = tenure::covering_held(tx, moment).await?;
    published(tx, found.ruleset_id).await
}

/// As [`live_at`], with the moment since which it was in force, for many events: none of them is judged here while a set waits to be put in force, because locks are taken
/// already by whoever comes second. Event by event that is done first.
///
/// # Errors
/// As [`live_then`]; `unavailable` while a set's moment has come.
pub(super) async fn settled_at(
    tx: &DatabaseTransaction,
    moment: DateTime<Utc>,
) -> Result<(Arc<LiveSet>, DateTime<Utc>)> {
    let found = tenure::covering_held(tx, moment).await?;
    Ok((published(tx, found.ruleset_id).await?, found.from_at))
}

/// A published set, compiled at most once.
pub(super) async fn published(db: &impl ConnectionTrait, id: RulesetId) -> Result<Arc<LiveSet>> {
    runnable(db, id).await?.ok_or_else(broken)
}

/// As [`published`]; `None` when the document does not compile any more.
pub(super) async fn runnable(
    db: &impl ConnectionTrait,
    id: RulesetId,
) -> Result<Option<Arc<LiveSet>>> {
    if let Some(known) = lookup(id) {
        return Ok(Some(known));
    }
    // The row is read before the wait: a pooled connection must not be waited for while others wait for us.
    let row = by_id(db, id).await?;
    make(row, true).await
}

fn broken() -> AppError {
    AppError::internal("a stored rule set does not compile")
}

/// Compiles what waits for its moment, so that it is ready when that comes.
pub(super) async fn prepare(db: &impl ConnectionTrait, id: RulesetId) -> Result<()> {
    let made = make(by_id(db, id).await?, false).await?;
    made.map(drop).ok_or_else(broken)
}

fn lookup(id: RulesetId) -> Option<Arc<LiveSet>> {
    let mut sets = compiled().lock().unwrap_or_else(PoisonError::into_inner);
    let place = sets
        .iter()
        .position(|known| known.published && known.set.id == id)?;
    Some(used(&mut sets, place))
}

/// Moves a set to the front: what was used least lately goes first, so that looking at the past never drops the live one.
fn used(sets: &mut Vec<Known>, place: usize) -> Arc<LiveSet> {
    let known = sets.remove(place);
    let set = Arc::clone(&known.set);
    sets.insert(0, known);
    set
}

/// Compiles a row's document off the threads that serve others, unless that was done.
async fn make(row: ruleset::Model, published: bool) -> Result<Option<Arc<LiveSet>>> {
    let _turn = compiling().lock().await;
    if let Some(known) = reuse(&row, published) {
        return Ok(Some(known));
    }
    let (id, version, document) = (row.id, row.version, Arc::new(row.document));
    let shared = Arc::clone(&document);
    let Some(rules) = aside(move || compile(&shared).ok()).await? else {
        return Ok(None);
    };
    metrics::counter!("linjian_rulesets_compiled_total").increment(1);
    let set = Arc::new(LiveSet { id, version, rules });
    let mut sets = compiled().lock().unwrap_or_else(PoisonError::into_inner);
    sets.retain(|known| known.set.id != id);
    sets.insert(
        0,
        Known {
            document,
            set: Arc::clone(&set),
            published,
        },
    );
    sets.truncate(KEPT);
    Ok(Some(set))
}

/// What was made of this very document before.
fn reuse(row: &ruleset::Model, published: bool) -> Option<Arc<LiveSet>> {
    let mut sets = compiled().lock().unwrap_or_else(PoisonError::into_inner);
    let place = sets
        .iter()
        .position(|known| known.set.id == row.id && *known.document == row.document)?;
    sets.get_mut(place)?.published |= published;
    Some(used(&mut sets, place))
}

/// Compiles a stored document, and no more: it was linted and analysed before it was published.
pub(super) fn compile(document: &Value) -> Result<CompiledRuleSet> {
    RuleSet::from_json(document)
        .and_then(|set| rule::compile(&set))
        .map_err(|_| broken())
}

/// Runs what takes long on a thread that serves nobody else.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(AppError::internal)
}

/// Puts the shipped rule set in force when there is none.
///
/// # Errors
/// A database fault.
pub async fn install_default(ctx: &Ctx) -> Result<()> {
    let tx = ctx.db.begin_write().await?;
    in_order(ctx, &tx).await?;
    if ruleset::Entity::find().count(&tx).await? > 0 {
        return Ok(());
    }
    let document: Value = serde_json::from_str(DEFAULT_RULESET)?;
    let now = ctx.env.now();
    let row = ruleset::ActiveModel {
        id: Set(ctx.env.id()),
        version: Set(1),
        name: Set(document
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or("默认规则集")
            .to_owned()),
        document: Set(document),
        status: Set(RulesetStatus::Approved),
        created_by: Set(None),
        updated_by: Set(None),
        previous_id: Set(None),
        approved_by: Set(None),
        publish_at: Set(None),
        scheduled_by: Set(None),
        published_at: Set(None),
        retired_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    }
    .insert(&tx)
    .await?;
    let first = tenure::Next {
        id: row.id,
        version: row.version,
        by: None,
        how: TenureHow::Installed,
        from: None,
    };
    tenure::switch(ctx, &tx, first).await?;
    ctx.commit(tx).await
}
