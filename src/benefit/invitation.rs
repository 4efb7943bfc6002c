//! Reading and recalling invitations.

use super::suppression::close;
use crate::{
    kernel::{AppError, Cursor, Result},
    platform::{Ctx, OneByKey},
};
use entity::{
    ids::{AccountId, InvitationId},
    invitation,
    values::InvitationStatus,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

/// A person's invitations, newest first.
pub(super) async fn of_customer(
    db: &impl ConnectionTrait,
    customer: AccountId,
    cursor: Cursor,
) -> Result<Vec<invitation::Model>> {
    page(
        db,
        cursor,
        invitation::Entity::find().filter(invitation::Column::CustomerId.eq(customer)),
    )
    .await
}

/// Everybody's, for marketing.
pub(super) async fn all_unscoped(
    db: &impl ConnectionTrait,
    cursor: Cursor,
) -> Result<Vec<invitation::Model>> {
    page(db, cursor, invitation::Entity::find()).await
}

async fn page(
    db: &impl ConnectionTrait,
    cursor: Cursor,
    query: sea_orm::Select<invitation::Entity>,
) -> Result<Vec<invitation::Model>> {
    let mut query = query
        .order_by_desc(invitation::Column::Id)
        .limit(cursor.fetch());
    if let Some(before) = cursor.before {
        query = query.filter(invitation::Column::Id.lt(InvitationId(before)));
    }
    Ok(query.all(db).await?)
}

/// Takes an invitation back before it was sent.
///
/// # Errors
/// `invalid_state` once it is sent: nobody can unsend (种子文档的“消息撤回”只在发送前有效).
pub(super) async fn recall(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    id: InvitationId,
) -> Result<invitation::Model> {
    let row = invitation::Entity::find_by_id(id)
        .lock_exclusive()
        .one_by_key(tx)
        .await?;
    let row = row.ok_or_else(AppError::not_found)?;
    if row.status != InvitationStatus::Scheduled {
        return Err(AppError::invalid_state("邀约已经发送或结束,不能再撤回"));
    }
    close(ctx, tx, id, InvitationStatus::Recalled).await?;
    invitation::Entity::find_by_id(id)
        .one_by_key(tx)
        .await?
        .ok_or_else(AppError::not_found)
}

/// A friend has looked at the code for the first time.
pub(super) async fn opened(ctx: &Ctx, row: &invitation::Model) -> Result<()> {
    if row.status != InvitationStatus::Sent {
        return Ok(());
    }
    let tx = ctx.db.begin_write().await?;
    let now = invitation::Entity::find_by_id(row.id)
        .lock_exclusive()
        .one_by_key(&tx)
        .await?;
    if now.is_some_and(|now| now.status == InvitationStatus::Sent) {
        invitation::ActiveModel {
            id: Set(row.id),
            status: Set(InvitationStatus::Opened),
            opened_at: Set(Some(ctx.env.now())),
            ..Default::default()
        }
        .update(&tx)
        .await?;
    }
    ctx.commit(tx).await
}
