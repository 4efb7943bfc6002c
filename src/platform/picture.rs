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
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Rgb, RgbImage, codecs::jpeg::JpegEncoder,
    error::ImageResult,
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
        f.debug_struct("Picture").field("width", &self.width).field("height", &self.height).finish_non_exhaustive()
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
        return Err(AppError::new(Code::UnsupportedMedia, "只支持 JPEG、PNG、WebP 图片"));
    };
    if !is_whole(format, bytes) {
        return Err(corrupt());
    }
    let picture = flatten(decode(bytes, format, limits)?);
    let (width, height) = picture.dimensions();
    let small = thumbnail(&picture, limits.thumb_side.max(1));
    let jpeg = encode(&picture, QUALITY)?;
    let sha256_hex = sha256_hex(&jpeg);
    Ok(Picture { thumbnail: encode(&small, THUMBNAIL_QUALITY)?, jpeg, width, height, sha256_hex })
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
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(ImageFormat::WebP),
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
        let scaled = (u64::from(length) * u64::from(side) + u64::from(longer) / 2) / u64::from(longer);
        u32::try_from(scaled).unwrap_or(side).clamp(1, side)
    };
    image::imageops::thumbnail(picture, scaled(width), scaled(height))
}

fn encode(picture: &RgbImage, quality: u8) -> Result<Vec<u8>> {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, quality).encode_image(picture).map_err(AppError::internal)?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use img_parts::{ImageEXIF, ImageICC};
    use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
    use std::io::Write as _;

    const LIMITS: PictureLimits =
        PictureLimits { max_bytes: 1 << 20, max_pixels: 1_000_000, max_side: 2000, thumb_side: 48 };
    const FORMATS: [ImageFormat; 3] = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP];

    /// Left half red, right half blue, top row darker.
    fn scene(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, _| if x < width / 2 { Rgb([200, 20, 20]) } else { Rgb([20, 20, 200]) })
    }

    fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    /// A little-endian TIFF block: orientation, and a GPS block with the latitude reference and a long latitude.
    fn exif(orientation: u8) -> Vec<u8> {
        let mut tiff = b"II*\0\x08\0\0\0\x02\0".to_vec();
        tiff.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]);
        tiff.extend([0x25, 0x88, 4, 0, 1, 0, 0, 0, 38, 0, 0, 0]);
        tiff.extend([0; 4]);
        tiff.extend(b"\x02\0");
        tiff.extend([1, 0, 2, 0, 2, 0, 0, 0, b'N', 0, 0, 0]);
        tiff.extend([2, 0, 5, 0, 3, 0, 0, 0, 68, 0, 0, 0]);
        tiff.extend([0; 4]);
        for part in [31u32, 1, 13, 1, 48_271, 1000] {
            tiff.extend(part.to_le_bytes());
        }
        tiff
    }

    fn with_exif(bytes: Vec<u8>, format: ImageFormat, orientation: u8) -> Vec<u8> {
        let exif = Some(exif(orientation).into());
        let mut written = Vec::new();
        match format {
            ImageFormat::Jpeg => {
                let mut file = img_parts::jpeg::Jpeg::from_bytes(bytes.into()).unwrap();
                file.set_exif(exif);
                file.set_icc_profile(Some(b"profile of a telephone".to_vec().into()));
                file.encoder().write_to(&mut written).unwrap();
            }
            ImageFormat::Png => {
                let mut file = img_parts::png::Png::from_bytes(bytes.into()).unwrap();
                file.set_exif(exif);
                file.encoder().write_to(&mut written).unwrap();
            }
            _ => {
                let mut file = img_parts::webp::WebP::from_bytes(bytes.into()).unwrap();
                file.set_exif(exif);
                file.encoder().write_to(&mut written).unwrap();
            }
        }
        written
    }

    fn contains(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|window| window == part)
    }

    fn fault(result: Result<Picture>) -> (Code, String, String) {
        let error = result.unwrap_err();
        let field = error.fields.first();
        let text = |get: fn(&crate::kernel::FieldError) -> &String| field.map(get).cloned().unwrap_or_default();
        (error.code, text(|field| &field.pointer), text(|field| &field.code))
    }

    fn is_corrupt(result: Result<Picture>) -> bool {
        fault(result) == (Code::Validation, "/file".into(), "corrupt".into())
    }

    #[test]
    fn gps_and_every_other_exif_byte_are_gone_and_the_picture_is_upright() {
        for format in FORMATS {
            let plain = file(&scene(60, 40).into(), format);
            let sent = with_exif(plain, format, 6);
            // The test would prove nothing if the input did not carry what must vanish.
            assert!(contains(&sent, &exif(6)), "{format:?}");
            let kept = ingest(&sent, &LIMITS).unwrap();
            for bytes in [&kept.jpeg, &kept.thumbnail] {
                for trace in [b"Exif".as_slice(), b"II*\0", b"GPS", &48_271u32.to_le_bytes(), b"http://ns", b"profile"]
                {
                    assert!(!contains(bytes, trace), "{format:?} {trace:?}");
                }
                let parsed = img_parts::jpeg::Jpeg::from_bytes(bytes.clone().into()).unwrap();
                assert!(parsed.exif().is_none() && parsed.icc_profile().is_none());
            }
            // Orientation 6: what was the left side is now the top.
            assert_eq!((kept.width, kept.height), (40, 60));
            let upright = image::load_from_memory_with_format(&kept.jpeg, ImageFormat::Jpeg).unwrap().to_rgb8();
            assert_eq!(upright.dimensions(), (40, 60));
            assert!(upright.get_pixel(20, 5).0[0] > 150 && upright.get_pixel(20, 55).0[2] > 150, "{format:?}");
        }
    }

    #[test]
    fn the_thumbnail_fits_keeps_its_proportions_and_is_never_enlarged() {
        for ((width, height), expected) in
            [((400, 100), (48, 12)), ((100, 400), (12, 48)), ((30, 20), (30, 20)), ((2000, 3), (48, 1))]
        {
            let kept = ingest(&file(&scene(width, height).into(), ImageFormat::Png), &LIMITS).unwrap();
            let small = image::load_from_memory(&kept.thumbnail).unwrap();
            assert_eq!((small.width(), small.height()), expected);
            assert_eq!((kept.width, kept.height), (width, height));
        }
    }

    #[test]
    fn one_pixel_is_a_picture_and_the_fingerprint_is_that_of_the_kept_bytes() {
        for format in FORMATS {
            let kept = ingest(&file(&scene(1, 1).into(), format), &LIMITS).unwrap();
            assert_eq!((kept.width, kept.height), (1, 1));
            assert_eq!(kept.sha256_hex, sha256_hex(&kept.jpeg));
            assert_eq!(kept, ingest(&file(&scene(1, 1).into(), format), &LIMITS).unwrap());
        }
    }

    #[test]
    fn all_colour_kinds_are_taken_and_transparency_becomes_white() {
        let clear = image::RgbaImage::from_pixel(16, 16, image::Rgba([0, 0, 0, 0]));
        let kept = ingest(&file(&clear.into(), ImageFormat::Png), &LIMITS).unwrap();
        let seen = image::load_from_memory(&kept.jpeg).unwrap().to_rgb8();
        assert!(seen.get_pixel(8, 8).0.iter().all(|channel| *channel > 250));
        for picture in [
            DynamicImage::new_luma8(9, 5),
            DynamicImage::new_luma_a8(9, 5),
            DynamicImage::new_luma16(9, 5),
            DynamicImage::new_rgb16(9, 5),
            DynamicImage::new_rgba16(9, 5),
        ] {
            assert_eq!(ingest(&file(&picture, ImageFormat::Png), &LIMITS).unwrap().width, 9);
        }
        assert_eq!(ingest(&file(&DynamicImage::new_luma8(9, 5), ImageFormat::Jpeg), &LIMITS).unwrap().height, 5);
    }

    #[test]
    fn what_is_not_one_of_three_kinds_is_unsupported() {
        let svg = b"<svg xmlns='http://www.w3.org/2000/svg'/>".as_slice();
        for bytes in [
            b"".as_slice(),
            b"\xFF\xD8",
            b"GIF89a\x01\0\x01\0",
            b"%PDF-1.7",
            svg,
            b"BM",
            b"RIFF\0\0\0\0WAVE",
            &[0; 4096],
        ] {
            assert_eq!(fault(ingest(bytes, &LIMITS)).0, Code::UnsupportedMedia, "{bytes:?}");
        }
    }

    #[test]
    fn a_right_beginning_with_garbage_behind_it_is_corrupt() {
        for head in [b"\xFF\xD8\xFF\xE0".as_slice(), b"\x89PNG\r\n\x1A\n", b"RIFF\x10\0\0\0WEBPVP8 "] {
            assert!(is_corrupt(ingest(head, &LIMITS)));
            assert!(is_corrupt(ingest(&[head, &[0; 4096]].concat(), &LIMITS)), "{head:?}");
            assert!(is_corrupt(ingest(&[head, b"<script>alert(1)</script>\xFF\xD9"].concat(), &LIMITS)), "{head:?}");
        }
    }

    #[test]
    fn what_is_glued_to_a_picture_is_not_kept() {
        for format in FORMATS {
            let mut sent = file(&scene(20, 20).into(), format);
            sent.write_all(b"PK\x03\x04<?php system('id'); ?>").unwrap();
            let kept = ingest(&sent, &LIMITS).unwrap();
            assert!(!contains(&kept.jpeg, b"PK\x03\x04") && !contains(&kept.jpeg, b"php"), "{format:?}");
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        for format in FORMATS {
            let sent = file(&scene(40, 30).into(), format);
            assert!(ingest(&sent, &LIMITS).is_ok());
            for length in 12..sent.len() {
                assert!(is_corrupt(ingest(&sent[..length], &LIMITS)), "{format:?} cut at {length} of {}", sent.len());
            }
        }
    }

    #[test]
    fn too_many_bytes_are_refused_before_anything_is_read() {
        let sent = file(&scene(20, 20).into(), ImageFormat::Png);
        let limits = PictureLimits { max_bytes: sent.len() - 1, ..LIMITS };
        assert_eq!(fault(ingest(&sent, &limits)).0, Code::PayloadTooLarge);
        assert!(ingest(&sent, &PictureLimits { max_bytes: sent.len(), ..LIMITS }).is_ok());
    }

    #[test]
    fn declared_dimensions_beyond_the_limits_are_refused_without_decoding() {
        let dimensions = (Code::Validation, "/file".to_owned(), "dimensions".to_owned());
        for (width, height) in [(2001, 1), (1, 2001), (1001, 1000)] {
            for format in FORMATS {
                let sent = file(&scene(width, height).into(), format);
                assert_eq!(fault(ingest(&sent, &LIMITS)), dimensions, "{format:?} {width}×{height}");
            }
        }
        assert!(ingest(&file(&scene(1000, 1000).into(), ImageFormat::Jpeg), &LIMITS).is_ok());

        // A bomb: a header of gigapixels before a few bytes of data.
        let mut jpeg = file(&scene(8, 8).into(), ImageFormat::Jpeg);
        let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
        jpeg[frame + 5..frame + 9].copy_from_slice(&[0xFF; 4]);
        assert_eq!(fault(ingest(&jpeg, &LIMITS)), dimensions);
        let huge = PictureLimits { max_side: 65_535, ..LIMITS };
        assert_eq!(fault(ingest(&jpeg, &huge)), dimensions);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn no_bytes_make_it_panic_and_all_that_is_kept_is_a_clean_jpeg(
            format in 0usize..3, places in proptest::collection::vec((any::<u16>(), any::<u8>()), 0..6)
        ) {
            let mut sent = with_exif(file(&scene(24, 16).into(), FORMATS[format]), FORMATS[format], 3);
            for (place, value) in places {
                let place = usize::from(place) % sent.len();
                sent[place] = value;
            }
            if let Ok(kept) = ingest(&sent, &LIMITS) {
                prop_assert!(!contains(&kept.jpeg, b"Exif") && !contains(&kept.thumbnail, b"Exif"));
                prop_assert!(image::load_from_memory_with_format(&kept.jpeg, ImageFormat::Jpeg).is_ok());
            }
        }
    }
}
