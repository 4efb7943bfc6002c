//! The sandbox's movable time, shared by all nodes through the database and kept across restarts.

use super::Db;
use crate::kernel::{AppError, Result, ShiftClock};
use chrono::{DateTime, Duration, Utc};
use entity::deployment;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, EntityTrait, QuerySelect, sea_query::OnConflict,
};

const KEY: &str = "clock_offset_ms";

/// Sets this node's clock to the deployment's offset.
///
/// # Errors
/// A database fault.
pub async fn follow(db: &Db, clock: &ShiftClock) -> Result<()> {
    let row = deployment::Entity::find_by_id(KEY)
        .all(db.read())
        .await?
        .pop();
    if let Some(offset) = row.and_then(|row| row.value.parse::<i64>().ok()) {
        clock.set_offset_ms(offset);
    }
    Ok(())
}

/// Moves the deployment's clock forward and answers the new time. Two nodes that advance at once both count.
///
/// # Errors
/// A database fault, or an offset beyond a century.
pub async fn advance(db: &Db, clock: &ShiftClock, by: Duration) -> Result<DateTime<Utc>> {
    let tx = db.begin_write().await?;
    deployment::Entity::insert(row("0", clock.now_utc()))
        .on_conflict(
            OnConflict::column(deployment::Column::Key)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(&tx)
        .await?;
    let old = deployment::Entity::find_by_id(KEY)
        .lock_exclusive()
        .all(&tx)
        .await?
        .pop();
    let old: i64 = old
        .and_then(|row| row.value.parse().ok())
        .unwrap_or_default();
    let new = old
        .checked_add(by.num_milliseconds())
        .filter(|ms| *ms < Duration::days(36_525).num_milliseconds())
        .ok_or_else(|| AppError::field("/advance", "range", "测试时钟最多前进一百年"))?;
    row(&new.to_string(), clock.now_utc()).update(&tx).await?;
    tx.commit().await?;
    clock.set_offset_ms(new);
    Ok(clock.now_utc())
}

fn row(value: &str, at: DateTime<Utc>) -> deployment::ActiveModel {
    deployment::ActiveModel {
        key: Set(KEY.into()),
        value: Set(value.into()),
        updated_at: Set(at),
    }
}
