//! The `content_check` table.

use crate::{
    kernel::Result,
    platform::{Ctx, OneByKey},
};
use entity::{
    content_check::{ActiveModel, Column, Entity, Model},
    ids::{ContentCheckId, PhotoId},
    values::{ContentCause, ContentKind, ContentState},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait,
    QueryFilter, QuerySelect,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

/// Writes a waiting row for a subject; `None` when there is one already.
pub(super) async fn insert(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    kind: ContentKind,
    subject: Uuid,
) -> Result<Option<ContentCheckId>> {
    let id: ContentCheckId = ctx.env.id();
    let row = ActiveModel {
        id: Set(id),
        kind: Set(kind),
        subject_id: Set(subject),
        state: Set(ContentState::Waiting),
        attempt: Set(0),
        trace_id: Set(None),
        earlier_trace_id: Set(None),
        asked_at: Set(None),
        fetched_at: Set(None),
        verdict: Set(None),
        label: Set(None),
        cause: Set(None),
        ruling: Set(None),
        ruled_by: Set(None),
        ruled_at: Set(None),
        reason: Set(None),
        created_at: Set(ctx.env.now()),
    };
    let once = OnConflict::columns([Column::Kind, Column::SubjectId])
        .do_nothing()
        .to_owned();
    let made = Entity::insert(row)
        .on_conflict(once)
        .exec_without_returning(tx)
        .await?;
    Ok((made == 1).then_some(id))
}

pub(super) async fn by_id(db: &impl ConnectionTrait, id: ContentCheckId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one_by_key(db).await?)
}

pub(super) async fn lock(tx: &DatabaseTransaction, id: ContentCheckId) -> Result<Option<Model>> {
    let row = Entity::find_by_id(id).lock_exclusive();
    Ok(row.one_by_key(tx).await?)
}

/// The check a trace belongs to: that of the last asking, or of the one before.
pub(super) async fn of_trace(db: &impl ConnectionTrait, trace: &str) -> Result<Option<Model>> {
    let either = Condition::any()
        .add(Column::TraceId.eq(trace))
        .add(Column::EarlierTraceId.eq(trace));
    Ok(Entity::find().filter(either).one_by_key(db).await?)
}

/// Whether some picture is being asked about just now.
pub(super) async fn is_asking(db: &impl ConnectionTrait) -> Result<bool> {
    let rows = Entity::find()
        .filter(Column::Kind.eq(ContentKind::Photo))
        .filter(Column::State.eq(ContentState::Waiting));
    Ok(rows.count(db).await? > 0)
}

pub(super) async fn of_photo(db: &impl ConnectionTrait, photo: PhotoId) -> Result<Option<Model>> {
    let row = Entity::find()
        .filter(Column::Kind.eq(ContentKind::Photo))
        .filter(Column::SubjectId.eq(photo.0));
    Ok(row.one_by_key(db).await?)
}

/// Notes that the picture was fetched through its link.
pub(super) async fn fetched(ctx: &Ctx, id: ContentCheckId) -> Result<()> {
    let tx = ctx.db.begin_write().await?;
    Entity::update_many()
        .col_expr(Column::FetchedAt, Expr::value(Some(ctx.env.now())))
        .filter(Column::Id.eq(id))
        .filter(Column::FetchedAt.is_null())
        .exec(&tx)
        .await?;
    ctx.commit(tx).await
}

/// Ends a check whose subject wants none any more.
pub(super) async fn end(tx: &DatabaseTransaction, id: ContentCheckId) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(ContentState::Settled))
        .col_expr(Column::Cause, Expr::value(Some(ContentCause::Withdrawn)))
        .filter(Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Ends the checks of photos nobody may see any more.
pub(super) async fn withdraw(tx: &DatabaseTransaction, photos: &[PhotoId]) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(ContentState::Settled))
        .col_expr(Column::Cause, Expr::value(Some(ContentCause::Withdrawn)))
        .filter(Column::Kind.eq(ContentKind::Photo))
        .filter(Column::SubjectId.is_in(photos.iter().map(|id| id.0)))
        .filter(Column::State.ne(ContentState::Settled))
        .exec(tx)
        .await?;
    Ok(())
}
