//! What may come into force: the findings under the pack as the officer's opinions leave it, what the live campaign has
//! promised (REF-L33), and a second person's yes to exactly what was shown.

use super::{live::aside, opinion};
use crate::{
    kernel::{AppError, Code, Result, business_date},
    platform::{Ctx, vault::sha256_hex},
    rule::{Finding, PolicyPack, RuleSet, Severity, check, lint_edit},
};
use chrono::NaiveDate;
use entity::{
    ids::{AccountId, RulesetId},
    invitation, ruleset, ruleset_approval,
    values::RulesetStatus,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// Shortest reason for accepting what needs a second person, characters.
const REASON: usize = 10;

/// Everything that can be said about a set now: as if it came into force on its first day, or today when that is past.
pub(super) async fn findings(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    row: &ruleset::Model,
) -> Result<Vec<Finding>> {
    let pack = opinion::effective(ctx, db).await?;
    let written = matches!(row.status, RulesetStatus::Draft | RulesetStatus::Approved);
    let live = if written { live(db).await? } else { None };
    let today = business_date(ctx.env.now());
    let first = RuleSet::from_json(&row.document)
        .ok()
        .and_then(|set| set.from);
    let on = first.map_or(today, |first| first.max(today));
    said(db, (row, live.as_ref()), &pack, on).await
}

async fn live(db: &impl ConnectionTrait) -> Result<Option<ruleset::Model>> {
    let rows = ruleset::Entity::find().filter(ruleset::Column::Status.eq(RulesetStatus::Live));
    Ok(rows.all(db).await?.pop())
}

async fn said(
    db: &impl ConnectionTrait,
    (row, live): (&ruleset::Model, Option<&ruleset::Model>),
    pack: &PolicyPack,
    on: NaiveDate,
) -> Result<Vec<Finding>> {
    // Ten thousand rules are seconds of work: not on a thread that serves others.
    let live = match live.filter(|live| live.id != row.id) {
        Some(live) if binds(db, live).await? => Some(live.document.clone()),
        _ => None,
    };
    let (document, pack) = (row.document.clone(), pack.clone());
    aside(move || {
        let mut found = check(&document, &pack).findings;
        if let Some(live) = live
            && let (Ok(old), Ok(new)) = (RuleSet::from_json(&live), RuleSet::from_json(&document))
        {
            found.extend(lint_edit(&old, &new, &pack, on));
            found.sort_by_key(|finding| finding.severity);
        }
        found
    })
    .await
}

/// Whether people may rely on a live set. The shipped one that no one published is a beginning, not a promise, until the first
/// person holds a code.
async fn binds(db: &impl ConnectionTrait, live: &ruleset::Model) -> Result<bool> {
    if live.created_by.is_some() {
        return Ok(true);
    }
    let anybody: Option<entity::ids::InvitationId> = invitation::Entity::find()
        .select_only()
        .column(invitation::Column::Id)
        .limit(1)
        .into_tuple()
        .all(db)
        .await?
        .pop();
    Ok(anybody.is_some())
}

/// Refuses what may not come into force on the day `on`: what blocks, and what needs a yes that nobody gave to exactly this.
/// `live` is what it would replace; `None` for taking back the last change, which is the brake and may not be held up by a promise
/// made by mistake an hour ago.
///
/// # Errors
/// `rule_rejected` with the findings.
pub(super) async fn permit(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    row: &ruleset::Model,
    live: Option<&ruleset::Model>,
    on: NaiveDate,
) -> Result<()> {
    let pack = opinion::effective(ctx, tx).await?;
    let found = said(tx, (row, live), &pack, on).await?;
    let blocking = found.iter().any(Finding::blocks);
    let what = match (blocking, covered(tx, row, &found).await?) {
        (true, _) => "规则集有必须修改的问题",
        (false, false) => "这些问题需要第二个人审批后才能发布",
        (false, true) => return Ok(()),
    };
    Err(AppError::new(Code::RuleRejected, what).with("findings", serde_json::to_value(&found)?))
}

/// What of the findings needs a second person, as it is written down with his yes.
fn doubtful(found: &[Finding]) -> BTreeSet<String> {
    let doubtful = found
        .iter()
        .filter(|finding| finding.severity == Severity::Approve);
    doubtful
        .map(|finding| format!("{} {}", finding.id, finding.pointer))
        .collect()
}

fn digest(document: &Value) -> Result<String> {
    Ok(sha256_hex(&serde_json::to_vec(document)?))
}

/// Whether the last yes was to this document and to all that is doubtful now.
async fn covered(
    db: &impl ConnectionTrait,
    row: &ruleset::Model,
    found: &[Finding],
) -> Result<bool> {
    let doubtful = doubtful(found);
    if doubtful.is_empty() {
        return Ok(true);
    }
    if row.approved_by.is_none() {
        return Ok(false);
    }
    let Some(last) = approvals(db, row.id, 1).await?.pop() else {
        return Ok(false);
    };
    let accepted: BTreeSet<String> = serde_json::from_value(last.findings)?;
    Ok(last.document_sha256 == digest(&row.document)? && doubtful.is_subset(&accepted))
}

/// The yeses a set was given, newest first.
pub(super) async fn approvals(
    db: &impl ConnectionTrait,
    id: RulesetId,
    most: u64,
) -> Result<Vec<ruleset_approval::Model>> {
    let rows = ruleset_approval::Entity::find()
        .filter(ruleset_approval::Column::RulesetId.eq(id))
        .order_by_desc(ruleset_approval::Column::Id)
        .limit(most);
    Ok(rows.all(db).await?)
}

/// Writes down a second person's yes to what he was shown, and answers the set with it. A draft becomes approved; a set that
/// was approved before may be asked about again when something new needs a yes.
///
/// # Errors
/// `forbidden` for whoever wrote it; `validation` about a missing reason; `invalid_state` when there is nothing to approve.
pub(super) async fn approve(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    row: ruleset::Model,
    (by, reason): (AccountId, Option<String>),
) -> Result<ruleset::Model> {
    let found = findings(ctx, tx, &row).await?;
    let again = matches!(row.status, RulesetStatus::Approved | RulesetStatus::Retired)
        && !covered(tx, &row, &found).await?;
    if row.status != RulesetStatus::Draft && !again {
        return Err(AppError::invalid_state(
            "只有草稿,或又有新问题的版本可以审批",
        ));
    }
    // Who rewrites somebody else's draft has written it: a second person must say yes to what is in it now.
    if row.created_by == Some(by) || row.updated_by == Some(by) {
        return Err(AppError::new(
            Code::Forbidden,
            "起草人和最后修改的人不能审批这份草稿",
        ));
    }
    let doubtful = doubtful(&found);
    let reason = reason.filter(|text| text.trim().chars().count() >= REASON);
    if !doubtful.is_empty() && reason.is_none() {
        let detail = "有需要审批的问题,请写明同意的理由(至少 10 个字)";
        return Err(AppError::field("/reason", "length", detail));
    }
    let now = ctx.env.now();
    let yes = ruleset_approval::ActiveModel {
        id: Set(ctx.env.id()),
        ruleset_id: Set(row.id),
        approver_id: Set(by),
        reason: Set(reason),
        document_sha256: Set(digest(&row.document)?),
        findings: Set(serde_json::to_value(&doubtful)?),
        policy_version: Set(PolicyPack::shipped().version.clone()),
        created_at: Set(now),
    };
    yes.insert(tx).await?;
    let status = if row.status == RulesetStatus::Draft {
        RulesetStatus::Approved
    } else {
        row.status
    };
    let change = ruleset::ActiveModel {
        id: Set(row.id),
        status: Set(status),
        approved_by: Set(Some(by)),
        updated_at: Set(now),
        ..Default::default()
    };
    Ok(change.update(tx).await?)
}
