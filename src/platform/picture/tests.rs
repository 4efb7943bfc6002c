use super::*;
use img_parts::{ImageEXIF, ImageICC};
use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
use std::io::Write as _;

const LIMITS: PictureLimits = PictureLimits {
    max_bytes: 1 << 20,
    max_pixels: 1_000_000,
    max_side: 2000,
    thumb_side: 48,
};
const FORMATS: [ImageFormat; 3] = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP];

/// Left half red, right half blue, top row darker.
fn scene(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| {
        if x < width / 2 {
            Rgb([200, 20, 20])
        } else {
            Rgb([20, 20, 200])
        }
    })
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
    let text = |get: fn(&crate::kernel::FieldError) -> &String| {
        field.map(get).cloned().unwrap_or_default()
    };
    (
        error.code,
        text(|field| &field.pointer),
        text(|field| &field.code),
    )
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
            for trace in [
                b"Exif".as_slice(),
                b"II*\0",
                b"GPS",
                &48_271u32.to_le_bytes(),
                b"http://ns",
                b"profile",
            ] {
                assert!(!contains(bytes, trace), "{format:?} {trace:?}");
            }
            let parsed = img_parts::jpeg::Jpeg::from_bytes(bytes.clone().into()).unwrap();
            assert!(parsed.exif().is_none() && parsed.icc_profile().is_none());
        }
        // Orientation 6: what was the left side is now the top.
        assert_eq!((kept.width, kept.height), (40, 60));
        let upright = image::load_from_memory_with_format(&kept.jpeg, ImageFormat::Jpeg)
            .unwrap()
            .to_rgb8();
        assert_eq!(upright.dimensions(), (40, 60));
        assert!(
            upright.get_pixel(20, 5).0[0] > 150 && upright.get_pixel(20, 55).0[2] > 150,
            "{format:?}"
        );
    }
}

#[test]
fn the_thumbnail_fits_keeps_its_proportions_and_is_never_enlarged() {
    for ((width, height), expected) in [
        ((400, 100), (48, 12)),
        ((100, 400), (12, 48)),
        ((30, 20), (30, 20)),
        ((2000, 3), (48, 1)),
    ] {
        let kept = ingest(
            &file(&scene(width, height).into(), ImageFormat::Png),
            &LIMITS,
        )
        .unwrap();
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
        assert_eq!(
            kept,
            ingest(&file(&scene(1, 1).into(), format), &LIMITS).unwrap()
        );
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
        assert_eq!(
            ingest(&file(&picture, ImageFormat::Png), &LIMITS)
                .unwrap()
                .width,
            9
        );
    }
    assert_eq!(
        ingest(
            &file(&DynamicImage::new_luma8(9, 5), ImageFormat::Jpeg),
            &LIMITS
        )
        .unwrap()
        .height,
        5
    );
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
        assert_eq!(
            fault(ingest(bytes, &LIMITS)).0,
            Code::UnsupportedMedia,
            "{bytes:?}"
        );
    }
}

#[test]
fn a_right_beginning_with_garbage_behind_it_is_corrupt() {
    for head in [
        b"\xFF\xD8\xFF\xE0".as_slice(),
        b"\x89PNG\r\n\x1A\n",
        b"RIFF\x10\0\0\0WEBPVP8 ",
    ] {
        assert!(is_corrupt(ingest(head, &LIMITS)));
        assert!(
            is_corrupt(ingest(&[head, &[0; 4096]].concat(), &LIMITS)),
            "{head:?}"
        );
        assert!(
            is_corrupt(ingest(
                &[head, b"<script>alert(1)</script>\xFF\xD9"].concat(),
                &LIMITS
            )),
            "{head:?}"
        );
    }
}

#[test]
fn what_is_glued_to_a_picture_is_not_kept() {
    for format in FORMATS {
        let mut sent = file(&scene(20, 20).into(), format);
        sent.write_all(b"PK\x03\x04<?php system('id'); ?>").unwrap();
        let kept = ingest(&sent, &LIMITS).unwrap();
        assert!(
            !contains(&kept.jpeg, b"PK\x03\x04") && !contains(&kept.jpeg, b"php"),
            "{format:?}"
        );
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    for format in FORMATS {
        let sent = file(&scene(40, 30).into(), format);
        assert!(ingest(&sent, &LIMITS).is_ok());
        for length in 12..sent.len() {
            assert!(
                is_corrupt(ingest(&sent[..length], &LIMITS)),
                "{format:?} cut at {length} of {}",
                sent.len()
            );
        }
    }
}

#[test]
fn too_many_bytes_are_refused_before_anything_is_read() {
    let sent = file(&scene(20, 20).into(), ImageFormat::Png);
    let limits = PictureLimits {
        max_bytes: sent.len() - 1,
        ..LIMITS
    };
    assert_eq!(fault(ingest(&sent, &limits)).0, Code::PayloadTooLarge);
    assert!(
        ingest(
            &sent,
            &PictureLimits {
                max_bytes: sent.len(),
                ..LIMITS
            }
        )
        .is_ok()
    );
}

#[test]
fn declared_dimensions_beyond_the_limits_are_refused_without_decoding() {
    let dimensions = (
        Code::Validation,
        "/file".to_owned(),
        "dimensions".to_owned(),
    );
    for (width, height) in [(2001, 1), (1, 2001), (1001, 1000)] {
        for format in FORMATS {
            let sent = file(&scene(width, height).into(), format);
            assert_eq!(
                fault(ingest(&sent, &LIMITS)),
                dimensions,
                "{format:?} {width}×{height}"
            );
        }
    }
    assert!(ingest(&file(&scene(1000, 1000).into(), ImageFormat::Jpeg), &LIMITS).is_ok());

    // A bomb: a header of gigapixels before a few bytes of data.
    let mut jpeg = file(&scene(8, 8).into(), ImageFormat::Jpeg);
    let frame = jpeg
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xFF; 4]);
    assert_eq!(fault(ingest(&jpeg, &LIMITS)), dimensions);
    let huge = PictureLimits {
        max_side: 65_535,
        ..LIMITS
    };
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
