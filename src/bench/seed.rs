//! Synthetic people and completed visits, written as rows: asking the API for tens of thousands of visits would measure the API.

use crate::{
    demo::Client,
    kernel::{AppError, Result},
    platform::{
        Ctx,
        sealed::{Column, seal},
    },
};
use chrono::Duration;
use entity::{
    account, booking, consent_state, deployment,
    ids::{AccountId, BookingId, ServiceId},
    service,
    values::{AccountKind, BookingStatus, Fen},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter,
};
use serde_json::{Value, json};

/// Marks a database that was filled by this tool.
const MARK: &str = "bench";
/// Rows a statement writes; far below the bind limits of both databases.
const CHUNK: usize = 200;
/// Price of a visit, fen; paid in full, so that the seed's baseline holds.
const PRICE: i64 = 20_000;

/// A completed visit nobody has rated yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    pub(super) booking: BookingId,
    pub(super) customer: AccountId,
}

/// Refuses a database with anybody in it who is not ours, and live mode altogether.
pub(super) async fn admit(ctx: &Ctx) -> Result<()> {
    if ctx.test_clock.is_none() {
        return Err(AppError::invalid_state("压测只能在沙箱模式下运行"));
    }
    let marked = deployment::Entity::find_by_id(MARK.to_owned())
        .all(ctx.db.read())
        .await?;
    if !marked.is_empty() {
        return Ok(());
    }
    let people = account::Entity::find()
        .filter(account::Column::Kind.eq(AccountKind::Customer))
        .count(ctx.db.read())
        .await?;
    if people > 0 {
        return Err(AppError::invalid_state(
            "这个数据库里已有客户;压测会写入大量虚构客户,请换一个空数据库",
        ));
    }
    let tx = ctx.db.begin_write().await?;
    deployment::Entity::insert(deployment::ActiveModel {
        key: Set(MARK.to_owned()),
        value: Set("yes".to_owned()),
        updated_at: Set(ctx.env.now()),
    })
    .exec_without_returning(&tx)
    .await?;
    ctx.commit(tx).await
}

/// A consent as the API records it, given by one customer who logs in and agrees; the synthetic people's are copies of his.
pub(super) async fn agreement(ctx: &Ctx, node: &Client) -> Result<consent_state::Model> {
    let name = json!({ "code": format!("sandbox-bench-{}", ctx.env.id::<AccountId>()) });
    let one = node.login("auth/wechat", name).await?;
    one.decide("referral_profiling", "granted", "popup", Value::Null)
        .await?;
    let id: uuid::Uuid = one.id.parse().map_err(AppError::internal)?;
    consent_state::Entity::find()
        .filter(consent_state::Column::SubjectId.eq(AccountId(id)))
        .filter(consent_state::Column::Purpose.eq("referral_profiling"))
        .all(ctx.db.read())
        .await?
        .pop()
        .ok_or_else(|| AppError::internal("the node answers, but from another database"))
}

/// `people` customers who agreed to be asked, with `each` completed and fully paid visits.
pub(super) async fn visits(
    ctx: &Ctx,
    yes: &consent_state::Model,
    (people, each): (usize, usize),
) -> Result<Vec<Visit>> {
    let service = service_of(ctx).await?;
    let mut visits = Vec::with_capacity(people * each);
    let mut left = people;
    while left > 0 {
        let many = left.min(CHUNK);
        left -= many;
        let customers = customers(ctx, yes, many).await?;
        for _ in 0..each {
            visits.extend(completed(ctx, service, &customers).await?);
        }
    }
    Ok(visits)
}

async fn service_of(ctx: &Ctx) -> Result<ServiceId> {
    let slug = "bench-cleaning";
    let known = service::Entity::find()
        .filter(service::Column::Slug.eq(slug))
        .all(ctx.db.read())
        .await?;
    if let Some(row) = known.into_iter().next() {
        return Ok(row.id);
    }
    let id: ServiceId = ctx.env.id();
    let tx = ctx.db.begin_write().await?;
    service::Entity::insert(service::ActiveModel {
        id: Set(id),
        slug: Set(slug.to_owned()),
        name: Set("压测保洁".to_owned()),
        base_minutes: Set(120),
        base_price_fen: Set(Fen(PRICE)),
        price_rules: Set(json!([])),
        skill: Set("cleaning".to_owned()),
        questionnaire: Set(json!([])),
        checklist: Set(json!([])),
        areas: Set(json!(["压测区"])),
        active: Set(false),
        created_at: Set(ctx.env.now()),
    })
    .exec_without_returning(&tx)
    .await?;
    ctx.commit(tx).await?;
    Ok(id)
}

async fn customers(ctx: &Ctx, yes: &consent_state::Model, many: usize) -> Result<Vec<AccountId>> {
    let now = ctx.env.now();
    let ids: Vec<AccountId> = (0..many).map(|_| ctx.env.id()).collect();
    let accounts = ids.iter().map(|id| {
        Ok(account::ActiveModel {
            id: Set(*id),
            kind: Set(AccountKind::Customer),
            name: Set(seal(&ctx.vault, Column::AccountName, *id, "压测客户")?),
            phone: Set(None),
            phone_index: Set(None),
            disabled_at: Set(None),
            created_at: Set(now),
        })
    });
    let accounts = accounts.collect::<Result<Vec<_>>>()?;
    let states = ids.iter().map(|id| consent_state::ActiveModel {
        subject_id: Set(*id),
        ..yes.clone().into_active_model().reset_all()
    });
    let states: Vec<_> = states.collect();
    let tx = ctx.db.begin_write().await?;
    account::Entity::insert_many(accounts)
        .exec_without_returning(&tx)
        .await?;
    consent_state::Entity::insert_many(states)
        .exec_without_returning(&tx)
        .await?;
    ctx.commit(tx).await?;
    Ok(ids)
}

async fn completed(ctx: &Ctx, service: ServiceId, customers: &[AccountId]) -> Result<Vec<Visit>> {
    let now = ctx.env.now();
    let mut visits = Vec::with_capacity(customers.len());
    let mut rows = Vec::with_capacity(customers.len());
    for customer in customers {
        let id: BookingId = ctx.env.id();
        visits.push(Visit {
            booking: id,
            customer: *customer,
        });
        rows.push(booking::ActiveModel {
            id: Set(id),
            customer_id: Set(*customer),
            service_id: Set(service),
            worker_id: Set(None),
            status: Set(BookingStatus::Completed),
            start_at: Set(now - Duration::hours(4)),
            end_at: Set(now - Duration::hours(2)),
            area: Set("压测区".to_owned()),
            address: Set(seal(&ctx.vault, Column::BookingAddress, id, "压测路 1 号")?),
            contact_phone: Set(seal(&ctx.vault, Column::BookingPhone, id, "13800000000")?),
            answers: Set(json!({})),
            quote: Set(json!({})),
            total_fen: Set(Fen(PRICE)),
            prepaid_fen: Set(Fen(PRICE)),
            refunded_fen: Set(Fen(0)),
            hold_expires_at: Set(None),
            rework_of: Set(None),
            confirmed_at: Set(Some(now)),
            completed_at: Set(Some(now)),
            created_at: Set(now),
            updated_at: Set(now),
        });
    }
    let tx = ctx.db.begin_write().await?;
    booking::Entity::insert_many(rows)
        .exec_without_returning(&tx)
        .await?;
    ctx.commit(tx).await?;
    Ok(visits)
}
