//! What is to be checked comes in; what is withdrawn goes out.

use super::{events::ContentWanted, store};
use crate::{
    kernel::Result,
    outbox::{self, Consumer, Delivered, Event},
    photo::{PhotoStored, PhotosWithdrawn},
    platform::Ctx,
    rating::CommentWritten,
};
use entity::values::ContentKind;
use sea_orm::DatabaseTransaction;
use serde_json::Value;

/// Opens a check for each comment and photo. The row is there before WeChat is asked, so that a quick push, and the fetch
/// of the picture in the middle of the asking, find it.
pub(super) struct Intake;

#[async_trait::async_trait]
impl Consumer for Intake {
    fn name(&self) -> &'static str {
        "content.intake"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[CommentWritten::KIND, PhotoStored::KIND]
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        let (kind, subject) = if event.kind == PhotoStored::KIND {
            let stored: PhotoStored = event.read()?;
            (ContentKind::Photo, stored.photo_id.0)
        } else {
            let written: CommentWritten = event.read()?;
            (ContentKind::Comment, written.rating_id.0)
        };
        let Some(check_id) = store::insert(ctx, tx, kind, subject).await? else {
            return Ok(());
        };
        let wanted = ContentWanted {
            check_id,
            attempt: 1,
        };
        outbox::append(tx, &ctx.env, &wanted).await.map(drop)
    }
}

/// Whose consent is withdrawn is judged by nobody.
pub(super) struct Withdrawn;

#[async_trait::async_trait]
impl Consumer for Withdrawn {
    fn name(&self) -> &'static str {
        "content.withdrawn"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[PhotosWithdrawn::KIND]
    }

    async fn handle(
        &self,
        _: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        let withdrawn: PhotosWithdrawn = event.read()?;
        store::withdraw(tx, &withdrawn.photo_ids).await
    }
}
