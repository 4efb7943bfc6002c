//! A page as PDF to print: A5, text as text in embedded subset fonts, tagged for screen readers (PDF/UA-1).

use super::{
    content::Content,
    font::{Fonts, Weight},
    page::{Area, HEIGHT, Ink, Item, Line, Role, WIDTH, Words},
};
use crate::kernel::{AppError, Result};
use image::RgbImage;
use krilla::{
    Document, SerializeSettings,
    color::rgb,
    configure::{Accessibility, ConfigurationBuilder},
    destination::XyzDestination,
    geom::{PathBuilder, Point, Rect, Size, Transform},
    image::Image,
    metadata::Metadata,
    outline::{Outline, OutlineNode},
    page::PageSettings,
    paint::Fill,
    surface::Surface,
    tagging::{Artifact, ArtifactType, ContentTag, SpanTag, Tag, TagGroup, TagTree},
    text::{Font, GlyphId, KrillaGlyph},
};
use std::num::NonZeroU16;

const CHINESE: &str = "zh-CN";
/// The company's name is the first heading, everything else stands below it.
const TOP: NonZeroU16 = NonZeroU16::MIN;
const BELOW: NonZeroU16 = TOP.saturating_add(1);

/// Draws the page; `code` is the mini-program code's picture.
pub(super) fn pdf(
    fonts: &Fonts,
    items: &[Item],
    code: &RgbImage,
    content: &Content,
) -> Result<Vec<u8>> {
    let configuration = ConfigurationBuilder::new()
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .map_err(|error| AppError::internal(format!("{error:?}")))?;
    let mut document = Document::new_with(SerializeSettings {
        configuration,
        ..SerializeSettings::default()
    });
    let size = PageSettings::from_wh(WIDTH, HEIGHT).ok_or_else(nothing)?;
    let faces = Faces {
        regular: face(Weight::Regular)?,
        bold: face(Weight::Bold)?,
    };
    let mut tree = TagTree::new().with_lang(Some(CHINESE.into()));
    let mut outline = Outline::new();
    let mut level = TOP;
    let mut page = document.start_page_with(size);
    let mut surface = page.surface();
    for item in items {
        match item {
            Item::Field(area, ink) => field(&mut surface, area, *ink)?,
            Item::Words(words) => {
                let mut group = TagGroup::new(Tag::P);
                if words.role == Role::Heading {
                    let title = title(words);
                    group = TagGroup::new(Tag::Hn(level, Some(title.clone())));
                    level = BELOW;
                    outline.push_child(OutlineNode::new(title, place(words)));
                }
                text(&mut surface, fonts, &faces, words, &mut group);
                tree.push(group);
            }
            Item::Code(area) => tree.push(picture(&mut surface, area, code)?),
        }
    }
    surface.finish();
    page.finish();
    document.set_tag_tree(tree);
    document.set_outline(outline);
    document.set_metadata(
        Metadata::new()
            .title(format!("{} 邀请海报", content.company))
            .language(CHINESE.into()),
    );
    document
        .finish()
        .map_err(|error| AppError::internal(format!("{error:?}")))
}

struct Faces {
    regular: Font,
    bold: Font,
}

fn face(weight: Weight) -> Result<Font> {
    Font::new(weight.bytes().into(), 0)
        .ok_or_else(|| AppError::internal("an embedded font does not open"))
}

fn nothing() -> AppError {
    AppError::internal("an area of no size")
}

fn ink(ink: Ink) -> Fill {
    Fill {
        paint: rgb::Color::new(ink.0, ink.1, ink.2).into(),
        ..Fill::default()
    }
}

/// A coloured field says nothing: an artifact to who listens.
fn field(surface: &mut Surface<'_>, area: &Area, color: Ink) -> Result<()> {
    let rect = Rect::from_xywh(area.x, area.y, area.width, area.height).ok_or_else(nothing)?;
    let mut path = PathBuilder::new();
    path.push_rect(rect);
    let path = path.finish().ok_or_else(nothing)?;
    surface.start_tagged(ContentTag::Artifact(Artifact::new(
        ArtifactType::Other,
        Some(rect),
    )));
    surface.set_fill(Some(ink(color)));
    surface.draw_path(&path);
    surface.end_tagged();
    Ok(())
}

fn title(words: &Words) -> String {
    words.lines.iter().map(|line| line.text.as_str()).collect()
}

/// Where a heading begins, for the reader's table of contents.
fn place(words: &Words) -> XyzDestination {
    let first = words.lines.first();
    let (x, y) = first.map_or((0.0, 0.0), |line| (line.x, line.baseline - words.size));
    XyzDestination::new(0, Point::from_xy(x, y))
}

fn text(
    surface: &mut Surface<'_>,
    fonts: &Fonts,
    faces: &Faces,
    words: &Words,
    group: &mut TagGroup,
) {
    let font = match words.weight {
        Weight::Regular => &faces.regular,
        Weight::Bold => &faces.bold,
    };
    surface.set_fill(Some(ink(words.ink)));
    for line in &words.lines {
        let id = surface.start_tagged(ContentTag::Span(SpanTag::empty().with_lang(Some(CHINESE))));
        surface.draw_glyphs(
            Point::from_xy(line.x, line.baseline),
            &glyphs(fonts, words, line),
            font.clone(),
            &line.text,
            words.size,
            false,
        );
        surface.end_tagged();
        group.push(id);
    }
}

fn glyphs(fonts: &Fonts, words: &Words, line: &Line) -> Vec<KrillaGlyph> {
    let glyph = |(at, letter): (usize, char)| {
        let glyph = fonts.glyph(words.weight, letter);
        KrillaGlyph::new(
            GlyphId::new(glyph.to_u32()),
            fonts.advance(words.weight, glyph),
            0.0,
            0.0,
            0.0,
            at..at + letter.len_utf8(),
            None,
        )
    };
    line.text.char_indices().map(glyph).collect()
}

fn picture(surface: &mut Surface<'_>, area: &Area, code: &RgbImage) -> Result<TagGroup> {
    let opaque = code
        .pixels()
        .flat_map(|pixel| {
            let [red, green, blue] = pixel.0;
            [red, green, blue, u8::MAX]
        })
        .collect();
    let image = Image::from_rgba8(opaque, code.width(), code.height());
    let size = Size::from_wh(area.width, area.height).ok_or_else(nothing)?;
    let mut group = TagGroup::new(Tag::Figure(Some("微信小程序码".into())));
    let id = surface.start_tagged(ContentTag::Other);
    surface.push_transform(&Transform::from_translate(area.x, area.y));
    surface.draw_image(image, size);
    surface.pop();
    surface.end_tagged();
    group.push(id);
    Ok(group)
}
