//! Work for staff: what rules ask people to do, and rewards that wait for a person's word.

use super::{apply::Cause, caps, qualify::rule_of, reward};
use crate::{
    kernel::{AppError, Cursor, Result},
    platform::{Ctx, OneByKey},
};
use entity::{
    ids::{ReferralId, RewardId, StaffTaskId},
    referral, reward as reward_table, staff_task,
    values::StaffRole,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait,
    DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::OnConflict,
};
use uuid::Uuid;

/// A rule's message.
pub(super) const RULE: &str = "rule";
/// A feature to open for somebody.
pub(super) const UNLOCK: &str = "unlock";
/// A reward that waits to be released; the subject is the reward.
pub(super) const HELD: &str = "held_reward";
/// Something done whose cause is gone.
pub(super) const UNDO: &str = "undo";

/// A task about to be written.
pub(super) struct New {
    pub(super) kind: &'static str,
    pub(super) text: String,
    pub(super) role: Option<String>,
    pub(super) subject_id: Uuid,
    pub(super) referral_id: Option<ReferralId>,
    pub(super) effect_id: String,
}

impl New {
    /// What a rule asks for.
    pub(super) fn of_rule(
        cause: &Cause,
        kind: &'static str,
        text: String,
        effect_id: String,
    ) -> Self {
        Self {
            kind,
            text,
            role: None,
            subject_id: cause.customer_id.0,
            referral_id: cause.referral_id,
            effect_id,
        }
    }
}

/// Writes it unless its effect id exists; `None` then.
pub(super) async fn write(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    new: New,
) -> Result<Option<StaffTaskId>> {
    let id: StaffTaskId = ctx.env.id();
    let row = staff_task::ActiveModel {
        id: Set(id),
        kind: Set(new.kind.to_owned()),
        text: Set(new.text),
        subject_id: Set(Some(new.subject_id)),
        effect_id: Set(Some(new.effect_id)),
        role: Set(new.role),
        referral_id: Set(new.referral_id),
        done_at: Set(None),
        created_at: Set(ctx.env.now()),
    };
    let made = staff_task::Entity::insert(row)
        .on_conflict(
            OnConflict::column(staff_task::Column::EffectId)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok((made == 1).then_some(id))
}

/// Something other rooms want a person to look at; once per effect id.
///
/// # Errors
/// A database fault.
pub async fn ask_staff(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    (kind, role): (&'static str, &'static str),
    text: String,
    (subject_id, effect_id): (Uuid, String),
) -> Result<()> {
    let new = New {
        kind,
        text,
        role: Some(role.into()),
        subject_id,
        referral_id: None,
        effect_id,
    };
    write(ctx, tx, new).await.map(drop)
}

/// A reward that could not be given waits for a manager; it does not run out meanwhile.
pub(super) async fn hold(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    reward: RewardId,
    referral: ReferralId,
    text: String,
) -> Result<()> {
    let new = New {
        kind: HELD,
        text,
        role: Some("manager".into()),
        subject_id: reward.0,
        referral_id: Some(referral),
        effect_id: format!("held\n{reward}"),
    };
    write(ctx, tx, new).await.map(drop)
}

/// What a member of staff may see: what is everybody's, and what is his role's. Managers see everything.
fn visible(roles: &[StaffRole]) -> Condition {
    if roles.contains(&StaffRole::Manager) {
        return Condition::all();
    }
    let mut any = Condition::any();
    for role in roles {
        any = any.add(staff_task::Column::Role.eq(role.word()));
        if matches!(role, StaffRole::Marketing | StaffRole::Service) {
            any = any.add(staff_task::Column::Role.is_null());
        }
    }
    any
}

/// Tasks of these roles, newest first.
pub(super) async fn page(
    db: &impl ConnectionTrait,
    roles: &[StaffRole],
    cursor: Cursor,
    done: Option<bool>,
) -> Result<Vec<staff_task::Model>> {
    let mut query = staff_task::Entity::find()
        .filter(visible(roles))
        .order_by_desc(staff_task::Column::Id)
        .limit(cursor.fetch());
    query = match done {
        Some(true) => query.filter(staff_task::Column::DoneAt.is_not_null()),
        Some(false) => query.filter(staff_task::Column::DoneAt.is_null()),
        None => query,
    };
    if let Some(before) = cursor.before {
        query = query.filter(staff_task::Column::Id.lt(StaffTaskId(before)));
    }
    Ok(query.all(db).await?)
}

/// Ticks a task off.
///
/// # Errors
/// `not_found` for one that is not of these roles; `invalid_state` when it is done.
pub(super) async fn done(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    roles: &[StaffRole],
    id: StaffTaskId,
) -> Result<staff_task::Model> {
    let row = staff_task::Entity::find_by_id(id)
        .filter(visible(roles))
        .lock_exclusive()
        .one_by_key(tx)
        .await?
        .ok_or_else(AppError::not_found)?;
    if row.done_at.is_some() {
        return Err(AppError::invalid_state("这件事已经办完"));
    }
    close(ctx, tx, id).await
}

async fn close(ctx: &Ctx, tx: &DatabaseTransaction, id: StaffTaskId) -> Result<staff_task::Model> {
    let change = staff_task::ActiveModel {
        id: Set(id),
        done_at: Set(Some(ctx.env.now())),
        ..Default::default()
    };
    Ok(change.update(tx).await?)
}

/// The rules whose money a reward is: the one that gave it, and the one whose invitation brought the friend.
async fn rules_of(tx: &DatabaseTransaction, row: &reward_table::Model) -> Result<Vec<String>> {
    let mut rules: Vec<String> = row.rule_id.iter().cloned().collect();
    if let Some(id) = row.referral_id
        && let Some(link) = referral::Entity::find_by_id(id).one_by_key(tx).await?
    {
        rules.extend(rule_of(tx, &link).await?);
    }
    Ok(rules)
}

/// Gives a held reward after all; its time begins now.
///
/// # Errors
/// `not_found`, or `invalid_state` for a reward that is not held.
pub(super) async fn release(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: RewardId,
) -> Result<reward_table::Model> {
    let row = reward_table::Entity::find_by_id(id).one_by_key(tx).await?;
    let row = row.ok_or_else(AppError::not_found)?;
    let mut keys = vec![
        caps::PROGRAMME.to_owned(),
        caps::of_customer(row.account_id),
    ];
    keys.extend(
        rules_of(tx, &row)
            .await?
            .iter()
            .map(|rule| caps::of_rule(rule)),
    );
    caps::hold_counters(tx, &ctx.env, keys).await?;
    if !reward::release(ctx, tx, id).await? {
        return Err(AppError::invalid_state("这项权益没有在等待处理"));
    }
    let waiting = staff_task::Entity::find()
        .filter(staff_task::Column::EffectId.eq(format!("held\n{id}")))
        .filter(staff_task::Column::DoneAt.is_null())
        .lock_exclusive()
        .all(tx)
        .await?;
    for task in waiting {
        close(ctx, tx, task.id).await?;
    }
    reward_table::Entity::find_by_id(id)
        .one_by_key(tx)
        .await?
        .ok_or_else(AppError::not_found)
}

/// The link a task rests on is reversed: what is open is closed, what was done comes back as a task to undo it.
pub(super) async fn undo(ctx: &Ctx, tx: &DatabaseTransaction, referral: ReferralId) -> Result<()> {
    let rows = staff_task::Entity::find()
        .filter(staff_task::Column::ReferralId.eq(referral))
        .filter(staff_task::Column::Kind.ne(UNDO))
        .order_by_asc(staff_task::Column::Id)
        .lock_exclusive()
        .all(tx)
        .await?;
    for row in rows {
        if row.done_at.is_none() {
            close(ctx, tx, row.id).await?;
        } else if row.kind != HELD {
            let new = New {
                kind: UNDO,
                text: format!("好友的订单已全额退款,请撤回:{}", row.text),
                role: row.role,
                subject_id: row.subject_id.unwrap_or(row.id.0),
                referral_id: Some(referral),
                effect_id: format!("undo\n{}", row.id),
            };
            write(ctx, tx, new).await?;
        }
    }
    Ok(())
}
