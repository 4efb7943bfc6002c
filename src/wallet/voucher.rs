//! Issuing, reserving, spending.

use crate::{kernel::Result, platform::Ctx};
use chrono::{DateTime, Utc};
use entity::{
    ids::{AccountId, BookingId, VoucherId},
    values::{Fen, VoucherStatus},
    voucher::{ActiveModel, Column, Entity},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

/// Vouchers of one person looked at; nobody has more that are worth comparing.
const MOST: u64 = 50;

/// A voucher about to be issued.
pub struct New {
    /// Whose.
    pub account_id: AccountId,
    /// What it comes from (a reward); one voucher per source.
    pub source_id: Uuid,
    /// How it stands on the bill.
    pub label: String,
    /// What it takes off at most.
    pub value: Fen,
    /// Until when it can be taken.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What a booking gets off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discount {
    /// How it stands on the bill.
    pub label: String,
    /// How much, never more than the price.
    pub amount: Fen,
}

/// Issues a voucher, once per source.
///
/// # Errors
/// A database fault.
pub async fn issue(ctx: &Ctx, tx: &DatabaseTransaction, new: New) -> Result<()> {
    let row = ActiveModel {
        id: Set(ctx.env.id::<VoucherId>()),
        account_id: Set(new.account_id),
        source_id: Set(new.source_id),
        label: Set(new.label),
        value_fen: Set(new.value),
        status: Set(VoucherStatus::Open),
        booking_id: Set(None),
        expires_at: Set(new.expires_at),
        created_at: Set(ctx.env.now()),
    };
    Entity::insert(row)
        .on_conflict(OnConflict::column(Column::SourceId).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Takes the person's best voucher for a booking: the one that takes most off this price, of equals the one that ends
/// first. `None` when there is none.
///
/// # Errors
/// A database fault.
pub async fn best(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    account: AccountId,
    booking: BookingId,
    price: Fen,
) -> Result<Option<Discount>> {
    if price <= Fen::ZERO {
        return Ok(None);
    }
    let lives = Condition::any()
        .add(Column::ExpiresAt.is_null())
        .add(Column::ExpiresAt.gt(ctx.env.now()));
    let mut open = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::Status.eq(VoucherStatus::Open))
        .filter(lives)
        .order_by_asc(Column::Id)
        .limit(MOST)
        .all(tx)
        .await?;
    let forever = DateTime::<Utc>::MAX_UTC;
    open.sort_by_key(|one| {
        let off = one.value_fen.min(price);
        (
            std::cmp::Reverse(off),
            one.expires_at.unwrap_or(forever),
            one.id,
        )
    });
    for one in open {
        // Another booking of the same person may take it in this moment: whose update finds it open has it.
        let taken = Entity::update_many()
            .col_expr(Column::Status, Expr::value(VoucherStatus::Reserved))
            .col_expr(Column::BookingId, Expr::value(Some(booking)))
            .filter(Column::Id.eq(one.id))
            .filter(Column::Status.eq(VoucherStatus::Open))
            .exec(tx)
            .await?;
        if taken.rows_affected == 1 {
            let amount = one.value_fen.min(price);
            return Ok(Some(Discount {
                label: one.label,
                amount,
            }));
        }
    }
    Ok(None)
}

async fn end(tx: &DatabaseTransaction, booking: BookingId, to: VoucherStatus) -> Result<()> {
    let mut change = Entity::update_many().col_expr(Column::Status, Expr::value(to));
    if to == VoucherStatus::Open {
        change = change.col_expr(Column::BookingId, Expr::value(Option::<BookingId>::None));
    }
    change
        .filter(Column::BookingId.eq(booking))
        .filter(Column::Status.eq(VoucherStatus::Reserved))
        .exec(tx)
        .await?;
    Ok(())
}

/// The booking ended unserved: its voucher can be used for another.
///
/// # Errors
/// A database fault.
pub async fn release(tx: &DatabaseTransaction, booking: BookingId) -> Result<()> {
    end(tx, booking, VoucherStatus::Open).await
}

/// The visit is completed: its voucher is used up.
///
/// # Errors
/// A database fault.
pub async fn spend(tx: &DatabaseTransaction, booking: BookingId) -> Result<()> {
    end(tx, booking, VoucherStatus::Used).await
}

/// Takes a voucher back, if no booking holds it; whether it did.
///
/// # Errors
/// A database fault.
pub async fn cancel(tx: &DatabaseTransaction, source: Uuid) -> Result<bool> {
    let gone = Entity::update_many()
        .col_expr(Column::Status, Expr::value(VoucherStatus::Void))
        .filter(Column::SourceId.eq(source))
        .filter(Column::Status.eq(VoucherStatus::Open))
        .exec(tx)
        .await?;
    Ok(gone.rows_affected == 1)
}

/// Whether an unfinished booking holds the voucher of a source.
///
/// # Errors
/// A database fault.
pub async fn is_held(tx: &DatabaseTransaction, source: Uuid) -> Result<bool> {
    let held = Entity::find()
        .filter(Column::SourceId.eq(source))
        .filter(Column::Status.eq(VoucherStatus::Reserved));
    Ok(held.count(tx).await? > 0)
}

/// Sources whose vouchers a booking holds or has used, with where they stand.
///
/// # Errors
/// A database fault.
pub async fn fate(
    tx: &DatabaseTransaction,
    booking: BookingId,
) -> Result<Vec<(Uuid, VoucherStatus)>> {
    let rows = Entity::find()
        .filter(Column::BookingId.eq(booking))
        .all(tx)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.source_id, row.status))
        .collect())
}
