//! Rule sets as files: out, in, and compared. Large documents are worked on off the threads that serve others.

use super::{ruleset::by_id, tenure};
use crate::{
    kernel::{AppError, Code, FieldError, Result},
    platform::{Ctx, OneByKey},
    rule::{self, Difference, Finding, RuleSet},
};
use entity::{ids::AccountId, ruleset};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use serde_json::Value;

/// Which stored set a person means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one in force.
    Live,
    /// A version.
    Version(i32),
}

async fn off<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(AppError::internal)
}

/// The row of the set in force.
pub(super) async fn live_row(db: &impl ConnectionTrait) -> Result<ruleset::Model> {
    let open = tenure::open(db).await?;
    let open = open.ok_or_else(|| AppError::new(Code::Unavailable, "还没有生效的规则集"))?;
    by_id(db, open.ruleset_id).await
}

/// A stored set as a file.
pub(super) async fn text(row: ruleset::Model) -> Result<String> {
    off(move || rule::export_text(&row.document, row.version)).await
}

/// Name and document of a file.
///
/// # Errors
/// `validation` with a pointer into the file for each fault.
pub(super) async fn read(text: String) -> Result<(String, Value)> {
    let read = move || {
        let text = text.trim_start_matches('\u{feff}');
        let set = RuleSet::parse(text)?;
        let document = serde_json::from_str::<Value>(text);
        Ok((set.name, document.unwrap_or_default()))
    };
    off(read).await?.map_err(refusal)
}

fn refusal(faults: Vec<Finding>) -> AppError {
    AppError::fields(
        faults
            .into_iter()
            .map(|fault| FieldError {
                pointer: fault.pointer,
                code: fault.id,
                detail: format!("{} {}", fault.message, fault.fix),
            })
            .collect(),
    )
}

/// What `new` changes of `old`.
///
/// # Errors
/// `invalid_state` for a document of an older grammar.
pub(super) async fn compare(old: ruleset::Model, new: ruleset::Model) -> Result<Vec<Difference>> {
    let parsed = |row: &ruleset::Model| {
        RuleSet::from_json(&row.document).map_err(|_| {
            AppError::invalid_state(format!("v{} 的写法已不能读,无法比较", row.version))
        })
    };
    off(move || Ok(rule::diff(&parsed(&old)?, &parsed(&new)?))).await?
}

async fn stored(db: &impl ConnectionTrait, which: Which) -> Result<ruleset::Model> {
    match which {
        Which::Live => live_row(db).await,
        Which::Version(version) => ruleset::Entity::find()
            .filter(ruleset::Column::Version.eq(version))
            .one_by_key(db)
            .await?
            .ok_or_else(|| AppError::new(Code::NotFound, format!("没有 v{version} 这个版本"))),
    }
}

/// A stored set as a file's text, for the command line.
///
/// # Errors
/// `not_found`, or a database fault.
pub async fn export_file(ctx: &Ctx, which: Which) -> Result<String> {
    text(stored(ctx.db.read(), which).await?).await
}

/// Keeps a file as a draft of this author; answers its version.
///
/// # Errors
/// `validation` with the file's faults.
pub async fn import_file(ctx: &Ctx, by: AccountId, text: String) -> Result<i32> {
    let draft = read(text).await?;
    let tx = ctx.db.begin_write().await?;
    let row = super::ruleset::create(ctx, &tx, by, draft).await?;
    ctx.commit(tx).await?;
    Ok(row.version)
}
