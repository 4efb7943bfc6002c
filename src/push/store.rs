//! The table of pushes.

use super::{events::WechatPushed, message::Attention};
use crate::{
    kernel::{AppError, Cursor, Result},
    outbox::{self, Event},
    platform::{Ctx, OneByKey},
};
use chrono::Duration;
use entity::{ids::PushMessageId, push_message};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};
use serde_json::Value;

/// How long a push is remembered: WeChat repeats one within seconds.
const REMEMBERED: Duration = Duration::days(30);

/// A push about to be stored.
pub(super) struct New {
    pub(super) dedupe_key: String,
    pub(super) event: String,
    pub(super) attention: Attention,
    pub(super) detail: Option<Value>,
}

/// Stores it; `None` when it is stored already. Of copies that come together the database lets one through.
pub(super) async fn insert(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    new: New,
) -> Result<Option<PushMessageId>> {
    let id: PushMessageId = ctx.env.id();
    let row = push_message::ActiveModel {
        id: Set(id),
        dedupe_key: Set(new.dedupe_key),
        event: Set(new.event),
        attention: Set(new.attention.word().to_owned()),
        detail: Set(new.detail),
        acknowledged_at: Set(None),
        created_at: Set(ctx.env.now()),
    };
    let known = OnConflict::column(push_message::Column::DedupeKey)
        .do_nothing()
        .to_owned();
    let made = push_message::Entity::insert(row)
        .on_conflict(known)
        .exec_without_returning(tx)
        .await?;
    Ok((made == 1).then_some(id))
}

/// Puts a message into the staff's list, with what the room that handles it knows and they need; no personal data, ids.
///
/// # Errors
/// A database fault.
pub async fn raise(tx: &DatabaseTransaction, id: PushMessageId, detail: Value) -> Result<()> {
    push_message::Entity::update_many()
        .col_expr(
            push_message::Column::Attention,
            Expr::value(Attention::Act.word()),
        )
        .col_expr(push_message::Column::Detail, Expr::value(Some(detail)))
        .filter(push_message::Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Waiting for somebody of the staff.
fn waiting() -> Condition {
    Condition::all()
        .add(push_message::Column::Attention.eq(Attention::Act.word()))
        .add(push_message::Column::AcknowledgedAt.is_null())
}

/// The staff's list, newest first.
pub(super) async fn page(
    db: &impl ConnectionTrait,
    cursor: Cursor,
    open: bool,
) -> Result<Vec<push_message::Model>> {
    let listed = if open {
        waiting()
    } else {
        let listed = [Attention::Log.word(), Attention::Act.word()];
        Condition::all().add(push_message::Column::Attention.is_in(listed))
    };
    let mut rows = push_message::Entity::find()
        .filter(listed)
        .order_by_desc(push_message::Column::Id)
        .limit(cursor.fetch());
    if let Some(before) = cursor.before {
        rows = rows.filter(push_message::Column::Id.lt(PushMessageId(before)));
    }
    Ok(rows.all(db).await?)
}

/// Marks a listed message as seen; one that was seen before stays as it is.
///
/// # Errors
/// `not_found` for what is not in the list.
pub(super) async fn acknowledge(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: PushMessageId,
) -> Result<push_message::Model> {
    let row = push_message::Entity::find_by_id(id)
        .filter(push_message::Column::Attention.ne(Attention::None.word()))
        .lock_exclusive()
        .one_by_key(tx)
        .await?
        .ok_or_else(AppError::not_found)?;
    if row.acknowledged_at.is_some() {
        return Ok(row);
    }
    let seen = push_message::ActiveModel {
        id: Set(id),
        acknowledged_at: Set(Some(ctx.env.now())),
        ..Default::default()
    };
    Ok(seen.update(tx).await?)
}

/// Forgets pushes of more than 30 days ago, except what waits for staff, and the events they became (PIPL 19).
/// Says how many.
///
/// # Errors
/// A database fault.
pub async fn forget_old(ctx: &Ctx) -> Result<u64> {
    let before = ctx
        .env
        .now()
        .checked_sub_signed(REMEMBERED)
        .unwrap_or_default();
    let tx = ctx.db.begin_write().await?;
    let gone = push_message::Entity::delete_many()
        .filter(push_message::Column::CreatedAt.lt(before))
        .filter(waiting().not())
        .exec(&tx)
        .await?;
    outbox::forget(&tx, WechatPushed::KIND, before).await?;
    tx.commit().await?;
    Ok(gone.rows_affected)
}
