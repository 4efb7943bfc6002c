//! What a start does with the notices it carries: keep their texts, close grants under texts that no longer stand.

use super::{
    ledger::Expression,
    notice::{self, Notice},
    store::{self, Grant},
    withdraw,
};
use crate::{
    http::RequestMeta,
    kernel::{AppError, Code, Result},
    platform::Ctx,
};
use entity::{notice as stored, values::ConsentState};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter,
};
use serde_json::Value;
use std::collections::HashSet;

/// Keeps every notice's exact text in the database and closes grants under texts that were materially different.
/// A template that changed without a new version is refused: what people agreed to must stay provable (PIPL-03,
/// PIPL-39). Changed data of the controller is a version of its own and refuses nothing (CR-32).
///
/// # Errors
/// `conflict` naming the notice; a database fault.
pub async fn install_notices(ctx: &Ctx) -> Result<()> {
    let tx = ctx.db.begin_write().await?;
    for notice in notice::all(&ctx.config.controller)? {
        install(ctx, &tx, &notice).await?;
    }
    ctx.commit(tx).await?;
    invalidate(ctx).await
}

async fn install(ctx: &Ctx, tx: &DatabaseTransaction, notice: &Notice) -> Result<()> {
    let known = stored::Entity::find()
        .filter(stored::Column::Purpose.eq(&notice.purpose))
        .filter(stored::Column::Language.eq(&notice.language))
        .all(tx)
        .await?;
    for before in &known {
        let same_version = notice::base(&before.version) == notice::base(&notice.version);
        let same_template = before.body.get("template_sha256")
            == Some(&Value::from(notice.template_sha256.as_str()));
        if same_version && !same_template {
            return Err(refused(notice, "的文字变了,请提高 version"));
        }
        if notice.admits(&before.version) && widened(&before.body, notice) {
            return Err(refused(
                notice,
                "扩大了处理范围,请把 material_since 提高到这一版",
            ));
        }
    }
    let sha256 = notice.sha256()?;
    if known.iter().any(|before| before.sha256 == sha256) {
        return Ok(());
    }
    stored::ActiveModel {
        sha256: Set(sha256),
        purpose: Set(notice.purpose.clone()),
        version: Set(notice.version.clone()),
        language: Set(notice.language.clone()),
        title: Set(notice.title.clone()),
        body: Set(notice.body()),
        created_at: Set(ctx.env.now()),
    }
    .insert(tx)
    .await?;
    Ok(())
}

fn refused(notice: &Notice, why: &str) -> AppError {
    let what = format!("告知书 {} 第 {} 版{why}", notice.purpose, notice.version);
    AppError::new(Code::Conflict, what)
}

/// CR-32: categories or recipients added, automated decisions begun, another retention rule.
fn widened(before: &Value, now: &Notice) -> bool {
    let names = |key: &str| -> HashSet<String> {
        let list = before.get(key).and_then(Value::as_array);
        let name = |item: &Value| {
            let name = item.as_str().or_else(|| item.get("name")?.as_str());
            name.map(str::to_owned)
        };
        list.into_iter().flatten().filter_map(name).collect()
    };
    let (categories, recipients) = (names("data_categories"), names("recipients"));
    let automated = before.get("automated").and_then(Value::as_bool);
    let retention = before.get("retention_rule").and_then(Value::as_str);
    now.data_categories
        .iter()
        .any(|one| !categories.contains(one))
        || now
            .recipients
            .iter()
            .any(|one| !recipients.contains(&one.name))
        || (now.automated && automated == Some(false))
        || retention != Some(&now.retention_rule)
}

/// PIPL-03: a grant under a materially older text ends with an act of its own in the ledger, one person at a time. The
/// gate refuses such a grant anyway; this makes it visible to whoever reads states and to the person.
async fn invalidate(ctx: &Ctx) -> Result<()> {
    let meta = RequestMeta {
        request_id: "-".into(),
        address_masked: "-".into(),
        device: "system",
    };
    let by_system = Expression {
        channel: "system",
        screen: None,
        app_version: None,
        meta: &meta,
    };
    for shown in notice::all(&ctx.config.controller)? {
        let texts = stored::Entity::find()
            .filter(stored::Column::Purpose.eq(&shown.purpose))
            .all(ctx.db.read())
            .await?;
        for text in texts.iter().filter(|text| !shown.admits(&text.version)) {
            loop {
                let open = store::open_under(ctx.db.read(), &text.sha256).await?;
                if open.is_empty() {
                    break;
                }
                for row in open {
                    invalidate_one(ctx, &row, &by_system).await?;
                }
            }
        }
    }
    Ok(())
}

async fn invalidate_one(ctx: &Ctx, seen: &Grant, how: &Expression<'_>) -> Result<()> {
    let tx = ctx.db.begin_write().await?;
    store::hold(&tx, seen.subject_id).await?;
    let row = store::lock(&tx, seen.subject_id, &seen.purpose, &seen.scope_key).await?;
    // Whoever decided meanwhile, or another node that starts too, was first.
    if let Some(row) = row.filter(|row| row.record_id == seen.record_id) {
        withdraw::close(ctx, &tx, &row, ConsentState::Invalidated, how).await?;
    }
    ctx.commit(tx).await
}
