//! Posters: an invitation on paper (A5) and as a picture, for those who pass on paper or show it in a shop (ADR 0012).
//!
//! Promises: nobody is named on it; what it says is read anew each time, so nothing withdrawn, changed or ended is ever
//! served; a sentence of a review stands on it only while its author's `review_public` consent for that review does, and
//! such a poster is drawn each time and kept nowhere (PIPL 25, 47). It is marked as an advertisement (广告法 14), says
//! who advertises (REF-21) and on which condition (REF-12), and that using it is one's own choice.

mod content;
mod font;
mod http;
mod layout;
mod page;
mod print;
mod raster;
mod sentence;
mod setting;

pub(super) use http::routes;

use super::public::mini_program_code;
use crate::{
    kernel::{AppError, OrLog, Result},
    platform::Ctx,
};
use actix_web::web;
use bytes::Bytes;
use content::Content;
use entity::invitation;
use font::Fonts;
use image::{ImageReader, Limits, RgbImage};
use std::io::Cursor;
use tokio::sync::Semaphore;

/// Drawings at once in this process; the rest wait, so that posters leave a core for everything else.
const AT_ONCE: usize = 2;
static ROOM: Semaphore = Semaphore::const_new(AT_ONCE);

/// Largest side of a mini-program code (spec 1.5: up to 1280).
const CODE_SIDE: u32 = 2_000;

/// What a poster is drawn as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Png,
    Pdf,
}

impl Kind {
    fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Pdf => "application/pdf",
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Pdf => "pdf",
        }
    }
}

/// The poster's file: a kept one that says the very same, or a new one.
async fn file(
    ctx: &Ctx,
    row: &invitation::Model,
    content: Content,
    fingerprint: &str,
    kind: Kind,
) -> Result<Bytes> {
    // What rests on a consent is not kept: there is nothing to find and erase when it is withdrawn.
    let personal = content.sentence.is_some();
    let key = format!("poster/{}-{fingerprint}.{}", row.code, kind.ending());
    if !personal && let Ok(kept) = ctx.blobs.get(&key).await {
        return Ok(kept);
    }
    let code = mini_program_code(ctx, &row.code).await?;
    let made = drawn(content, code, kind).await?;
    if !personal {
        let kept = ctx.blobs.put(&key, made.clone(), kind.media_type()).await;
        kept.or_log("a poster that could have been kept");
    }
    Ok(made)
}

/// Draws on a thread of its own: it is processor work, a tenth of a second and more.
async fn drawn(content: Content, code: Bytes, kind: Kind) -> Result<Bytes> {
    let _room = ROOM.acquire().await.map_err(AppError::internal)?;
    web::block(move || draw(&content, &code, kind))
        .await
        .map_err(AppError::internal)?
}

fn draw(content: &Content, code: &[u8], kind: Kind) -> Result<Bytes> {
    let fonts = Fonts::open()?;
    let items = layout::page(&fonts, content);
    let code = opened(code)?;
    let made = match kind {
        Kind::Png => raster::png(&fonts, &items, &code)?,
        Kind::Pdf => print::pdf(&fonts, &items, &code, content)?,
    };
    Ok(made.into())
}

/// WeChat's picture, PNG or JPEG; whoever answered, it may not swell in memory.
fn opened(code: &[u8]) -> Result<RgbImage> {
    let mut reader = ImageReader::new(Cursor::new(code))
        .with_guessed_format()
        .map_err(AppError::internal)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(CODE_SIDE);
    limits.max_image_height = Some(CODE_SIDE);
    reader.limits(limits);
    Ok(reader.decode().map_err(AppError::internal)?.into_rgb8())
}

#[cfg(test)]
mod tests;
