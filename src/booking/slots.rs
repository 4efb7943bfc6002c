//! Free starts of a day.

use super::model::{CELL_MINUTES, cells, in_hours};
use crate::{
    kernel::{Result, day_bounds},
    platform::Ctx,
    worker,
};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use entity::{ids::WorkerId, reservation};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// A start at which a visit fits.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Slot {
    /// When it begins.
    pub(super) start_at: DateTime<Utc>,
    /// How many workers could come.
    pub(super) worker_count: usize,
}

/// Every start of `day` at which somebody with the skill is free for the whole visit and the way after it.
pub(super) async fn of_day(
    ctx: &Ctx,
    skill: &str,
    area: &str,
    day: NaiveDate,
    minutes: i64,
) -> Result<Vec<Slot>> {
    let db = ctx.db.read();
    let settings = &ctx.config.booking;
    let workers = worker::able(db, skill, area).await?;
    let (midnight, next) = day_bounds(day);
    let buffer = settings.travel_buffer.get();
    let taken = reservation::Entity::find()
        .filter(reservation::Column::WorkerId.is_in(workers.iter().map(|worker| worker.id)))
        .filter(reservation::Column::CellAt.gte(midnight))
        .filter(reservation::Column::CellAt.lt(next + buffer))
        .all(db)
        .await?;
    let mut busy: HashMap<WorkerId, HashSet<DateTime<Utc>>> = HashMap::new();
    for row in taken {
        busy.entry(row.worker_id).or_default().insert(row.cell_at);
    }
    let now = ctx.env.now();
    let until = now + settings.horizon.get();
    let mut slots = Vec::new();
    let mut start = midnight;
    while start < next {
        if start > now && start <= until && in_hours(start, minutes, settings) {
            let wanted = cells(start, start + Duration::minutes(minutes), buffer);
            let free = |id: &WorkerId| {
                busy.get(id)
                    .is_none_or(|cells| wanted.iter().all(|cell| !cells.contains(cell)))
            };
            let worker_count = workers.iter().filter(|worker| free(&worker.id)).count();
            if worker_count > 0 {
                slots.push(Slot {
                    start_at: start,
                    worker_count,
                });
            }
        }
        start += Duration::minutes(CELL_MINUTES);
    }
    Ok(slots)
}
