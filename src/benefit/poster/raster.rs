//! A page as PNG: A5 at 300 dots per inch.

use super::{
    font::{Fonts, Weight},
    layout::PAPER,
    page::{Area, HEIGHT, Ink, Item, Line, WIDTH, Words},
};
use crate::kernel::{AppError, Result};
use image::{RgbImage, imageops::FilterType};
use skrifa::outline::OutlinePen;
use tiny_skia::{
    Color, FillRule, Paint, Path, PathBuilder, Pixmap, PixmapPaint, PremultipliedColorU8, Rect,
    Transform,
};

/// Pixels across and down.
pub(super) const PIXELS: (u32, u32) = (1748, 2480);
/// 300 dots per inch, as PNG counts them: per metre.
const PER_METRE: u32 = 11_811;

/// Draws the page; `code` is the mini-program code's picture.
pub(super) fn png(fonts: &Fonts, items: &[Item], code: &RgbImage) -> Result<Vec<u8>> {
    let mut canvas =
        Pixmap::new(PIXELS.0, PIXELS.1).ok_or_else(|| AppError::internal("a page of no size"))?;
    canvas.fill(color(PAPER));
    let scale = Transform::from_scale(across(PIXELS.0) / WIDTH, across(PIXELS.1) / HEIGHT);
    for item in items {
        match item {
            Item::Field(area, ink) => {
                let path = PathBuilder::from_rect(rect(area)?);
                fill(&mut canvas, &path, *ink, scale);
            }
            Item::Words(words) => {
                for line in &words.lines {
                    let path = outlines(fonts, words, line)?;
                    if let Some(path) = path {
                        fill(&mut canvas, &path, words.ink, scale);
                    }
                }
            }
            Item::Code(area) => picture(&mut canvas, area, code, scale)?,
        }
    }
    encode(&canvas)
}

fn across(pixels: u32) -> f32 {
    f32::from(u16::try_from(pixels).unwrap_or(u16::MAX))
}

fn color(ink: Ink) -> Color {
    Color::from_rgba8(ink.0, ink.1, ink.2, u8::MAX)
}

fn rect(area: &Area) -> Result<Rect> {
    Rect::from_xywh(area.x, area.y, area.width, area.height)
        .ok_or_else(|| AppError::internal("an area of no size"))
}

fn fill(canvas: &mut Pixmap, path: &Path, ink: Ink, scale: Transform) {
    let mut paint = Paint::default();
    paint.set_color(color(ink));
    paint.anti_alias = true;
    canvas.fill_path(path, &paint, FillRule::Winding, scale, None);
}

/// A line's letters as one outline.
fn outlines(fonts: &Fonts, words: &Words, line: &Line) -> Result<Option<Path>> {
    let mut pen = Pen {
        path: PathBuilder::new(),
        x: line.x,
        y: line.baseline,
    };
    let weight: Weight = words.weight;
    for letter in line.text.chars() {
        let glyph = fonts.glyph(weight, letter);
        fonts.outline(weight, glyph, words.size, &mut pen)?;
        pen.x += fonts.advance(weight, glyph) * words.size;
    }
    Ok(pen.path.finish())
}

/// Fonts count upwards, pages downwards.
struct Pen {
    path: PathBuilder,
    x: f32,
    y: f32,
}

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.x + x, self.y - y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.x + x, self.y - y);
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        self.path
            .quad_to(self.x + cx, self.y - cy, self.x + x, self.y - y);
    }

    fn curve_to(&mut self, ax: f32, ay: f32, bx: f32, by: f32, x: f32, y: f32) {
        let (left, base) = (self.x, self.y);
        self.path.cubic_to(
            left + ax,
            base - ay,
            left + bx,
            base - by,
            left + x,
            base - y,
        );
    }

    fn close(&mut self) {
        self.path.close();
    }
}

/// The code, resampled to whole pixels so that its edges stay sharp.
fn picture(canvas: &mut Pixmap, area: &Area, code: &RgbImage, scale: Transform) -> Result<()> {
    let at = rect(area)?
        .transform(scale)
        .and_then(|rect| rect.round())
        .ok_or_else(|| AppError::internal("a code of no size"))?;
    let sized = image::imageops::resize(code, at.width(), at.height(), FilterType::CatmullRom);
    let mut pixels = Pixmap::new(at.width(), at.height())
        .ok_or_else(|| AppError::internal("a code of no size"))?;
    for (pixel, source) in pixels.pixels_mut().iter_mut().zip(sized.pixels()) {
        let [red, green, blue] = source.0;
        if let Some(opaque) = PremultipliedColorU8::from_rgba(red, green, blue, u8::MAX) {
            *pixel = opaque;
        }
    }
    canvas.draw_pixmap(
        at.x(),
        at.y(),
        pixels.as_ref(),
        &PixmapPaint::default(),
        Transform::identity(),
        None,
    );
    Ok(())
}

/// RGB without transparency, with its size in print.
fn encode(canvas: &Pixmap) -> Result<Vec<u8>> {
    let rgb: Vec<u8> = canvas
        .pixels()
        .iter()
        .flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()])
        .collect();
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, canvas.width(), canvas.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: PER_METRE,
        yppu: PER_METRE,
        unit: png::Unit::Meter,
    }));
    let mut writer = encoder.write_header().map_err(AppError::internal)?;
    writer.write_image_data(&rgb).map_err(AppError::internal)?;
    writer.finish().map_err(AppError::internal)?;
    Ok(out)
}
