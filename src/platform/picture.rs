//! Turns a file somebody sent into a picture we may keep (SEC-19, SEC-20). Pure: no I/O, no clock.
//!
//! Owns: which files count as pictures, and that nothing but pixels is stored. The type is told by the first bytes
//! alone, never by a name or a header. Whatever the file carried besides (EXIF, GPS, XMP, comments, profiles, an
//! archive glued to its end) is gone, because the stored JPEG is made anew from the pixels; the orientation is applied
//! first. Costs about half a second of processor for 12 megapixels: call it on a blocking thread, few at a time.
//! Emits, listens, consents: nothing.

use super::vault::sha256_hex;
use crate::kernel::{AppError, Code, Result};
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Rgb, RgbImage,
    codecs::jpeg::JpegEncoder, error::ImageResult,
};
use std::io::Cursor;

/// JPEG quality of what is kept: no visible loss on photographs of rooms.
const QUALITY: u8 = 85;
/// JPEG quality of thumbnails.
const THUMBNAIL_QUALITY: u8 = 78;

/// What a picture may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureLimits {
    /// Bytes of the file; more is 413.
    pub max_bytes: usize,
    /// Width times height as the file declares them; more is 422. Decoding takes up to 8 bytes each.
    pub max_pixels: u64,
    /// The longer side in pixels; more is 422.
    pub max_side: u32,
    /// The longer side of the thumbnail in pixels; a smaller picture is not enlarged.
    pub thumb_side: u32,
}

/// A picture made of pixels alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// The picture, upright, as JPEG.
    pub jpeg: Vec<u8>,
    /// The same, small, as JPEG.
    pub thumbnail: Vec<u8>,
    /// Pixels across, upright.
    pub width: u32,
    /// Pixels down, upright.
    pub height: u32,
    /// SHA-256 of `jpeg`, 64 hex digits.
    pub sha256_hex: String,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picture")
            .field("width", &self.width)
            .field("height", &self.height)
            .finish_non_exhaustive()
    }
}

/// Checks, decodes, uprights and re-encodes a file.
///
/// 413 for too many bytes, 415 for what is not JPEG, PNG or WebP, 422 on `/file` for too many pixels (`dimensions`) or
/// a broken or cut file (`corrupt`). Of an animation the first picture is kept; transparency becomes white.
pub fn ingest(bytes: &[u8], limits: &PictureLimits) -> Result<Picture> {
    if bytes.len() > limits.max_bytes {
        return Err(AppError::new(Code::PayloadTooLarge, "图片文件太大了"));
    }
    let Some(format) = format_of(bytes) else {
        return Err(AppError::new(
            Code::UnsupportedMedia,
            "只支持 JPEG、PNG、WebP 图片",
        ));
    };
    if !is_whole(format, bytes) {
        return Err(corrupt());
    }
    let picture = flatten(decode(bytes, format, limits)?);
    let (width, height) = picture.dimensions();
    let small = thumbnail(&picture, limits.thumb_side.max(1));
    let jpeg = encode(&picture, QUALITY)?;
    let sha256_hex = sha256_hex(&jpeg);
    Ok(Picture {
        thumbnail: encode(&small, THUMBNAIL_QUALITY)?,
        jpeg,
        width,
        height,
        sha256_hex,
    })
}

fn corrupt() -> AppError {
    AppError::field("/file", "corrupt", "图片已损坏或不完整,请重新选择")
}

fn too_large() -> AppError {
    AppError::field("/file", "dimensions", "图片的尺寸太大了")
}

fn format_of(bytes: &[u8]) -> Option<ImageFormat> {
    match bytes {
        [0xFF, 0xD8, 0xFF, ..] => Some(ImageFormat::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(ImageFormat::Png),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some(ImageFormat::WebP),
        _ => None,
    }
}

/// Whether the file reaches its own end. Decoders fill the missing part of a cut JPEG with grey; evidence must not be.
fn is_whole(format: ImageFormat, bytes: &[u8]) -> bool {
    let reached = match format {
        ImageFormat::Jpeg => jpeg_end(bytes),
        ImageFormat::Png => png_end(bytes),
        _ => webp_end(bytes),
    };
    reached.is_some()
}

/// What follows the end marker of a JPEG.
fn jpeg_end(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.get(2..)?;
    let mut in_scan = false;
    loop {
        let (first, tail) = rest.split_first()?;
        if *first != 0xFF {
            // Between the bytes of a scan anything may stand, between segments nothing.
            if !in_scan {
                return None;
            }
            rest = tail;
            continue;
        }
        let (marker, tail) = tail.split_first()?;
        match marker {
            0xD9 => return Some(tail),
            // A fill byte: the marker proper comes after it.
            0xFF => rest = rest.get(1..)?,
            // A stuffed byte or a restart within a scan.
            0x00 | 0xD0..=0xD7 if in_scan => rest = tail,
            0x00 | 0x01 | 0xD0..=0xD8 => return None,
            marker => {
                let (length, _) = tail.split_first_chunk::<2>()?;
                in_scan = *marker == 0xDA || (in_scan && *marker == 0xDC);
                rest = tail.get(usize::from(u16::from_be_bytes(*length)).max(2)..)?;
            }
        }
    }
}

/// What follows the IEND chunk of a PNG.
fn png_end(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.get(8..)?;
    loop {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (kind, tail) = tail.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        rest = tail.get(length.checked_add(4)?..)?;
        if kind == b"IEND" {
            return Some(rest);
        }
    }
}

/// What follows the RIFF container of a WebP.
fn webp_end(bytes: &[u8]) -> Option<&[u8]> {
    let (length, tail) = bytes.get(4..)?.split_first_chunk::<4>()?;
    tail.get(usize::try_from(u32::from_le_bytes(*length)).ok()?..)
}

/// Reads the header, holds it against the limits, and only then makes room for the pixels.
fn decode(bytes: &[u8], format: ImageFormat, limits: &PictureLimits) -> Result<DynamicImage> {
    let read = || -> ImageResult<Option<DynamicImage>> {
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        let mut allowed = Limits::default();
        allowed.max_image_width = Some(limits.max_side);
        allowed.max_image_height = Some(limits.max_side);
        // Eight bytes for the widest pixel (16-bit RGBA), twice over for what a decoder holds besides.
        allowed.max_alloc = Some(limits.max_pixels.saturating_mul(16).saturating_add(1 << 20));
        reader.limits(allowed);
        let mut decoder = reader.into_decoder()?;
        let (width, height) = decoder.dimensions();
        if u64::from(width).saturating_mul(u64::from(height)) > limits.max_pixels {
            return Ok(None);
        }
        let orientation = decoder.orientation()?;
        let mut picture = DynamicImage::from_decoder(decoder)?;
        picture.apply_orientation(orientation);
        Ok(Some(picture))
    };
    match read() {
        Ok(picture) => picture.ok_or_else(too_large),
        Err(ImageError::Limits(_)) => Err(too_large()),
        // The decoder's words about the file help nobody but may repeat its bytes; they are not kept.
        Err(_) => Err(corrupt()),
    }
}

/// Eight bits per channel, three channels; what shows through becomes white.
fn flatten(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let picture = picture.into_rgba8();
    let mut flat = RgbImage::new(picture.width(), picture.height());
    for (to, from) in flat.pixels_mut().zip(picture.pixels()) {
        let [red, green, blue, alpha] = from.0;
        *to = Rgb([red, green, blue].map(|channel| over_white(channel, alpha)));
    }
    flat
}

fn over_white(channel: u8, alpha: u8) -> u8 {
    let (channel, alpha) = (u32::from(channel), u32::from(alpha));
    let mixed = (channel * alpha + 255 * (255 - alpha) + 127) / 255;
    u8::try_from(mixed).unwrap_or(u8::MAX)
}

/// The picture within a square of `side`, with its proportions, never enlarged.
fn thumbnail(picture: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let longer = width.max(height);
    if longer <= side {
        return picture.clone();
    }
    let scaled = |length: u32| {
        let scaled =
            (u64::from(length) * u64::from(side) + u64::from(longer) / 2) / u64::from(longer);
        u32::try_from(scaled).unwrap_or(side).clamp(1, side)
    };
    image::imageops::thumbnail(picture, scaled(width), scaled(height))
}

fn encode(picture: &RgbImage, quality: u8) -> Result<Vec<u8>> {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, quality)
        .encode_image(picture)
        .map_err(AppError::internal)?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests;
