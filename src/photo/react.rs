//! Consent taken back: photos of that order are shown to nobody any more (CR-33).

use super::events::PhotosWithdrawn;
use crate::{
    consent::{self, ConsentWithdrawn, Scope},
    kernel::Result,
    outbox::{self, Consumer, Delivered, Event, Registry},
    platform::Ctx,
};
use entity::{
    booking,
    ids::{BookingId, PhotoId},
    photo::{Column, Entity},
    values::PhotoStatus,
};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
    sea_query::Expr,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// Registers the photo room's consumers.
pub fn consumers(registry: Registry) -> Registry {
    registry.with(Withdrawals)
}

struct Withdrawals;

#[async_trait::async_trait]
impl Consumer for Withdrawals {
    fn name(&self) -> &'static str {
        "photo.withdrawals"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[ConsentWithdrawn::KIND]
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        let withdrawn: ConsentWithdrawn = event.read()?;
        if withdrawn.purpose != "photo_capture" {
            return Ok(());
        }
        let his = booking::Entity::find()
            .select_only()
            .column(booking::Column::Id)
            .filter(booking::Column::CustomerId.eq(withdrawn.account_id))
            .into_query();
        let shown = Entity::find()
            .filter(Column::BookingId.in_subquery(his))
            .filter(Column::Status.ne(PhotoStatus::Hidden))
            .all(tx)
            .await?;
        let visits: BTreeSet<BookingId> = shown.iter().map(|row| row.booking_id).collect();
        let mut photo_ids: Vec<PhotoId> = Vec::new();
        for visit in visits {
            let scope = Some(Scope::booking(visit));
            // The event says that one scope was closed, not which, nor by whom. Photos taken under a text that has
            // changed since are no worse for it (PIPL-03 is about what is done from now on).
            if consent::taken_back(tx, withdrawn.account_id, "photo_capture", scope).await? {
                hide(tx, visit).await?;
                let his = shown.iter().filter(|row| row.booking_id == visit);
                photo_ids.extend(his.map(|row| row.id));
            }
        }
        if photo_ids.is_empty() {
            return Ok(());
        }
        let event = PhotosWithdrawn {
            photo_ids,
            customer_id: withdrawn.account_id,
        };
        outbox::append(tx, &ctx.env, &event).await.map(drop)
    }
}

/// Hidden, not deleted: a dispute about the visit may still need them (PIPL 47, storage-only lock).
async fn hide(tx: &DatabaseTransaction, booking: BookingId) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::Status, Expr::value(PhotoStatus::Hidden))
        .filter(Column::BookingId.eq(booking))
        .exec(tx)
        .await?;
    Ok(())
}
