//! The tables of messages and ticks.

use super::answer::{Answer, Source};
use crate::{kernel::Result, platform::Ctx};
use chrono::{DateTime, Utc};
use entity::{
    ids::{AccountId, MessageId},
    message, subscribe_answer, subscribe_grant,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DatabaseTransaction, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

/// The only channel there is today.
pub(super) const CHANNEL: &str = "wechat_subscribe";

/// A person has ticked one more message of a template.
pub(super) async fn tick(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    account: AccountId,
    template: &str,
) -> Result<()> {
    let now = ctx.env.now();
    let row = subscribe_grant::ActiveModel {
        account_id: Set(account),
        template: Set(template.to_owned()),
        granted: Set(1),
        used: Set(0),
        updated_at: Set(now),
    };
    let one_more = Expr::col((subscribe_grant::Entity, subscribe_grant::Column::Granted)).add(1);
    let again = OnConflict::columns([
        subscribe_grant::Column::AccountId,
        subscribe_grant::Column::Template,
    ])
    .value(subscribe_grant::Column::Granted, one_more)
    .value(subscribe_grant::Column::UpdatedAt, now)
    .to_owned();
    subscribe_grant::Entity::insert(row)
        .on_conflict(again)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Uses up one tick; `false` when none is left. One statement, so two messages never share a tick.
pub(super) async fn use_tick(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    account: AccountId,
    template: &str,
) -> Result<bool> {
    let one_more = Expr::col(subscribe_grant::Column::Used).add(1);
    let done = subscribe_grant::Entity::update_many()
        .col_expr(subscribe_grant::Column::Used, one_more)
        .col_expr(
            subscribe_grant::Column::UpdatedAt,
            Expr::value(ctx.env.now()),
        )
        .filter(subscribe_grant::Column::AccountId.eq(account))
        .filter(subscribe_grant::Column::Template.eq(template))
        .filter(
            Expr::col(subscribe_grant::Column::Used)
                .lt(Expr::col(subscribe_grant::Column::Granted)),
        )
        .exec(tx)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Gives a tick back that a message did not use after all.
pub(super) async fn give_back(
    tx: &DatabaseTransaction,
    account: AccountId,
    template: &str,
) -> Result<()> {
    let one_less = Expr::col(subscribe_grant::Column::Used).sub(1);
    subscribe_grant::Entity::update_many()
        .col_expr(subscribe_grant::Column::Used, one_less)
        .filter(subscribe_grant::Column::AccountId.eq(account))
        .filter(subscribe_grant::Column::Template.eq(template))
        .filter(subscribe_grant::Column::Used.gt(0))
        .exec(tx)
        .await?;
    Ok(())
}

/// WeChat says nothing is ticked any more: our count follows it (43101).
pub(super) async fn exhaust(
    tx: &DatabaseTransaction,
    account: AccountId,
    template: &str,
) -> Result<()> {
    subscribe_grant::Entity::update_many()
        .col_expr(
            subscribe_grant::Column::Used,
            Expr::col(subscribe_grant::Column::Granted),
        )
        .filter(subscribe_grant::Column::AccountId.eq(account))
        .filter(subscribe_grant::Column::Template.eq(template))
        .exec(tx)
        .await?;
    Ok(())
}

/// Takes the occasion; `None` when it has its message already.
pub(super) async fn take(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    account: AccountId,
    template: &str,
    occasion: Uuid,
) -> Result<Option<MessageId>> {
    let id: MessageId = ctx.env.id();
    let row = message::ActiveModel {
        id: Set(id),
        account_id: Set(account),
        channel: Set(CHANNEL.to_owned()),
        template: Set(template.to_owned()),
        subject_id: Set(occasion),
        status: Set("sending".to_owned()),
        detail: Set(String::new()),
        created_at: Set(ctx.env.now()),
    };
    let occasion = OnConflict::columns([
        message::Column::Channel,
        message::Column::Template,
        message::Column::SubjectId,
    ])
    .do_nothing()
    .to_owned();
    let made = message::Entity::insert(row)
        .on_conflict(occasion)
        .exec_without_returning(tx)
        .await?;
    Ok((made == 1).then_some(id))
}

/// Frees the occasion of a message that was never handed over.
pub(super) async fn forget(tx: &DatabaseTransaction, id: MessageId) -> Result<()> {
    message::Entity::delete_by_id(id).exec(tx).await?;
    Ok(())
}

/// Notes how a message ended.
pub(super) async fn note(
    tx: &DatabaseTransaction,
    id: MessageId,
    status: &str,
    detail: &str,
) -> Result<()> {
    message::Entity::update_many()
        .col_expr(message::Column::Status, Expr::value(status))
        .col_expr(message::Column::Detail, Expr::value(detail))
        .filter(message::Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Records what a person last said about a template.
pub(super) async fn answered(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    account: AccountId,
    (template, answer, source): (&str, Answer, Source),
) -> Result<()> {
    use subscribe_answer::Column::{AccountId, AnsweredAt, Result, Source, Template};
    let row = subscribe_answer::ActiveModel {
        account_id: Set(account),
        template: Set(template.to_owned()),
        source: Set(source.word().to_owned()),
        result: Set(answer.word().to_owned()),
        answered_at: Set(ctx.env.now()),
    };
    let again = OnConflict::columns([AccountId, Template, Source])
        .update_columns([Result, AnsweredAt])
        .to_owned();
    subscribe_answer::Entity::insert(row)
        .on_conflict(again)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Notes what WeChat says became of a message that was handed over; `false` when none has this number.
pub(super) async fn settle(
    tx: &DatabaseTransaction,
    account: AccountId,
    msgid: &str,
    (status, detail): (&str, &str),
) -> Result<bool> {
    let done = message::Entity::update_many()
        .col_expr(message::Column::Status, Expr::value(status))
        .col_expr(message::Column::Detail, Expr::value(detail))
        .filter(message::Column::AccountId.eq(account))
        .filter(message::Column::Channel.eq(CHANNEL))
        .filter(message::Column::Status.eq("sent"))
        .filter(message::Column::Detail.eq(msgid))
        .exec(tx)
        .await?;
    Ok(done.rows_affected > 0)
}

/// Whether a message to this person is being handed over, begun after a moment.
pub(super) async fn is_sending(
    tx: &DatabaseTransaction,
    account: AccountId,
    since: DateTime<Utc>,
) -> Result<bool> {
    let begun = message::Entity::find()
        .filter(message::Column::AccountId.eq(account))
        .filter(message::Column::Status.eq("sending"))
        .filter(message::Column::CreatedAt.gt(since))
        .count(tx)
        .await?;
    Ok(begun > 0)
}
