//! The drawing, without a node around it: nothing overlaps or leaves the page, type and contrast suit older eyes, and both
//! files hold what the page says.

use super::{
    Kind,
    content::{Content, Offer},
    draw,
    font::Fonts,
    layout::{self, PAPER},
    page::{Area, HEIGHT, Ink, Item, Role, WIDTH, Words},
    raster::PIXELS,
};
use image::{GrayImage, ImageFormat, Luma};
use proptest::prelude::{ProptestConfig, prop_assert, proptest};
use qrcode::QrCode;
use std::io::Cursor;

const CODE: &str = "0A1B2C3D4E5F6G7H8J9KMNPQRS";

fn content() -> Content {
    Content {
        company: "邻荐示例家政服务有限公司".into(),
        phone: "021-55550100".into(),
        code: CODE.into(),
        address: "api.linjian.example/r/0a1b2c3d4e5f".into(),
        offer: Some(Offer {
            title: "新朋友 首单立减 ¥30".into(),
            conditions: vec![
                "限首次下单的新客\u{ff0c}以扫码后页面为准".into(),
                "有效至2026年12月10日19时".into(),
                "领取后90天内使用".into(),
            ],
        }),
        until: None,
        sentence: Some("厨房擦得很干净\u{ff0c}孩子的房间也收拾好了\u{3002}".into()),
    }
}

/// What WeChat would answer for the code.
fn qr(text: &str) -> Vec<u8> {
    let code = QrCode::new(text).unwrap();
    let side = u32::try_from(code.width()).unwrap() + 8;
    let colors = code.to_colors();
    let small = GrayImage::from_fn(side, side, |x, y| {
        let inside = |at: u32| at.checked_sub(4).filter(|at| *at < side - 8);
        let dark = inside(x).zip(inside(y)).is_some_and(|(x, y)| {
            colors[usize::try_from(y * (side - 8) + x).unwrap()] == qrcode::Color::Dark
        });
        Luma([if dark { 0 } else { 255 }])
    });
    let sized = image::imageops::resize(&small, 430, 430, image::imageops::FilterType::Nearest);
    let mut png = Cursor::new(Vec::new());
    sized.write_to(&mut png, ImageFormat::Png).unwrap();
    png.into_inner()
}

fn words(items: &[Item]) -> Vec<&Words> {
    let words = items.iter().filter_map(|item| match item {
        Item::Words(words) => Some(words),
        Item::Field(..) | Item::Code(_) => None,
    });
    words.collect()
}

/// Where ink may fall: the code, and each line's em boxes.
fn inked(fonts: &Fonts, items: &[Item]) -> Vec<Area> {
    let mut areas = Vec::new();
    for item in items {
        match item {
            Item::Field(..) => {}
            Item::Code(area) => areas.push(*area),
            Item::Words(words) => areas.extend(words.lines.iter().map(|line| Area {
                x: line.x,
                y: line.baseline - 0.88 * words.size,
                width: fonts.width(words.weight, words.size, &line.text),
                height: words.size,
            })),
        }
    }
    areas
}

fn apart(one: &Area, two: &Area) -> bool {
    let clear = 0.01;
    one.x + one.width <= two.x + clear
        || two.x + two.width <= one.x + clear
        || one.y + one.height <= two.y + clear
        || two.y + two.height <= one.y + clear
}

fn well_laid(fonts: &Fonts, items: &[Item]) -> Result<(), String> {
    let areas = inked(fonts, items);
    for (at, one) in areas.iter().enumerate() {
        let inside = one.x >= 20.0
            && one.x + one.width <= WIDTH - 20.0
            && one.y >= 8.0
            && one.y + one.height <= HEIGHT - 8.0;
        if !inside {
            return Err(format!("off the page: {one:?}"));
        }
        if let Some(two) = areas[at + 1..].iter().find(|two| !apart(one, two)) {
            return Err(format!("{one:?} covers {two:?}"));
        }
    }
    Ok(())
}

#[test]
fn the_page_is_laid_out_without_overlap_in_type_for_older_eyes() {
    let fonts = Fonts::open().unwrap();
    let items = layout::page(&fonts, &content());
    well_laid(&fonts, &items).unwrap();
    for words in words(&items) {
        let least = if words.role == Role::Heading {
            26.0
        } else {
            18.0
        };
        assert!(words.size >= least, "{words:?}");
    }
    let text: String = words(&items)
        .iter()
        .flat_map(|words| &words.lines)
        .map(|line| line.text.as_str())
        .collect();
    for part in [
        "广告",
        "由您自己决定",
        "021-55550100",
        "客户评价节选",
        "首单立减",
        "限首次下单的新客",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// Relative luminance (WCAG 2.2).
fn luminance(ink: Ink) -> f64 {
    let part = |value: u8| {
        let share = f64::from(value) / 255.0;
        if share <= 0.040_45 {
            share / 12.92
        } else {
            ((share + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * part(ink.0) + 0.7152 * part(ink.1) + 0.0722 * part(ink.2)
}

#[test]
fn every_line_stands_out_seven_to_one_from_what_is_behind_it() {
    let fonts = Fonts::open().unwrap();
    let items = layout::page(&fonts, &content());
    for words in words(&items) {
        for line in &words.lines {
            let over = |area: &Area| {
                area.x <= line.x
                    && line.x < area.x + area.width
                    && area.y <= line.baseline
                    && line.baseline < area.y + area.height
            };
            let ground = items.iter().rev().find_map(|item| match item {
                Item::Field(area, ink) if over(area) => Some(*ink),
                _ => None,
            });
            let (one, two) = (luminance(words.ink), luminance(ground.unwrap_or(PAPER)));
            let contrast = (one.max(two) + 0.05) / (one.min(two) + 0.05);
            assert!(contrast >= 7.0, "{contrast}: {}", line.text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_settings_break_the_page(
        company in "[家政a-z ]{1,39}",
        phone in "[0-9 -]{5,24}",
        host in "[a-z.]{4,39}",
        title in "[礼品a-z¥0-9 ]{4,26}",
        sentence in "[很干净\u{ff0c}]{4,40}",
        with in 0_u8..8,
    ) {
        let mut all = content();
        all.company = company;
        all.phone = phone;
        all.address = format!("{host}/r/0a1b2c3d4e5f");
        if let Some(offer) = &mut all.offer {
            offer.title = title;
        }
        if with & 1 == 0 {
            all.offer = None;
            all.until = Some("2026年12月10日19时".into());
        }
        all.sentence = (with & 2 > 0).then_some(sentence);
        let fonts = Fonts::open().unwrap();
        let laid = well_laid(&fonts, &layout::page(&fonts, &all));
        prop_assert!(laid.is_ok(), "{laid:?}: {all:?}");
    }
}

#[test]
fn the_picture_has_the_size_of_the_paper_and_its_code_can_be_read() {
    let link = format!("http://localhost/demo?scene={CODE}");
    let png = draw(&content(), &qr(&link), Kind::Png).unwrap();
    let picture = image::load_from_memory(&png).unwrap().into_luma8();
    assert_eq!(picture.dimensions(), PIXELS);
    let side = |x: usize, y: usize| picture.as_raw()[y * 1748 + x];
    let mut seen = rqrr::PreparedImage::prepare_from_greyscale(1748, 2480, side);
    let grids = seen.detect_grids();
    assert_eq!(grids.len(), 1);
    assert_eq!(grids[0].decode().unwrap().1, link);
}

#[test]
fn the_print_is_an_a5_page_with_embedded_fonts_and_readable_text() {
    let pdf = draw(&content(), &qr("x"), Kind::Pdf).unwrap();
    let document = lopdf::Document::load_mem(&pdf).unwrap();
    let pages = document.get_pages();
    assert_eq!(pages.len(), 1);
    let text: String = document
        .extract_text(&[1])
        .unwrap()
        .split_whitespace()
        .collect();
    for part in [
        CODE,
        "邻荐示例家政服务有限公司",
        "021-55550100",
        "广告",
        "厨房擦得很干净",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(pdf.len() < 200_000, "{} bytes", pdf.len());
}

#[test]
fn what_changes_the_drawing_changes_its_name() {
    let names = |change: fn(&mut Content)| {
        let mut changed = content();
        change(&mut changed);
        changed.fingerprint().unwrap()
    };
    let all = [
        names(|_| {}),
        names(|all| all.company.push('省')),
        names(|all| all.phone.push('1')),
        names(|all| all.offer = None),
        names(|all| all.sentence = None),
        names(|all| all.until = Some("2026年12月10日".into())),
        names(|all| all.code.push('A')),
        names(|all| all.address.push('a')),
    ];
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}
