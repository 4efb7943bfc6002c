//! The two fonts of the posters, embedded: which characters they hold, how wide and of what shape.
//!
//! Noto Sans CJK SC, subset to GB 2312 and some hanzi more (`scripts/poster_fonts.py`, licence in `assets/fonts/OFL.txt`).

use crate::kernel::{AppError, Result};
use skrifa::{
    FontRef, GlyphId, MetadataProvider,
    charmap::Charmap,
    instance::{LocationRef, Size},
    metrics::GlyphMetrics,
    outline::{DrawSettings, OutlineGlyphCollection, OutlinePen},
};
use std::borrow::Cow;

const REGULAR: &[u8] = include_bytes!("../../../assets/fonts/noto-sans-sc-regular.otf");
const BOLD: &[u8] = include_bytes!("../../../assets/fonts/noto-sans-sc-bold.otf");

/// What stands where a character is missing: U+3013, which printers use for a sort they do not have.
const MISSING_SORT: char = '〓';

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

impl Weight {
    /// The font file.
    pub(super) fn bytes(self) -> &'static [u8] {
        match self {
            Self::Regular => REGULAR,
            Self::Bold => BOLD,
        }
    }
}

/// One font, opened.
struct Face {
    charmap: Charmap<'static>,
    metrics: GlyphMetrics<'static>,
    outlines: OutlineGlyphCollection<'static>,
}

impl Face {
    fn open(weight: Weight) -> Result<Self> {
        let font = FontRef::new(weight.bytes()).map_err(AppError::internal)?;
        Ok(Self {
            charmap: font.charmap(),
            // At one unit per em every advance is a share of the type size.
            metrics: font.glyph_metrics(Size::new(1.0), LocationRef::default()),
            outlines: font.outline_glyphs(),
        })
    }
}

/// Both fonts.
pub(super) struct Fonts {
    regular: Face,
    bold: Face,
}

impl Fonts {
    pub(super) fn open() -> Result<Self> {
        Ok(Self {
            regular: Face::open(Weight::Regular)?,
            bold: Face::open(Weight::Bold)?,
        })
    }

    fn face(&self, weight: Weight) -> &Face {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }

    /// Whether the fonts can draw all of `text`.
    pub(super) fn covers(&self, text: &str) -> bool {
        text.chars()
            .all(|letter| self.regular.charmap.map(letter).is_some())
    }

    /// The text with 〓 for what the fonts lack, so that a gap is seen and never an empty box; `what` goes to the log.
    pub(super) fn drawable<'a>(&self, text: &'a str, what: &'static str) -> Cow<'a, str> {
        if self.covers(text) {
            return Cow::Borrowed(text);
        }
        tracing::warn!("poster: {what} has characters the embedded font lacks");
        let known = |letter| match self.regular.charmap.map(letter) {
            Some(_) => letter,
            None => MISSING_SORT,
        };
        Cow::Owned(text.chars().map(known).collect())
    }

    /// The glyph of a character; both fonts number theirs alike, but nothing rests on it.
    pub(super) fn glyph(&self, weight: Weight, letter: char) -> GlyphId {
        self.face(weight).charmap.map(letter).unwrap_or_default()
    }

    /// How far a glyph moves the pen, in shares of the type size.
    pub(super) fn advance(&self, weight: Weight, glyph: GlyphId) -> f32 {
        self.face(weight)
            .metrics
            .advance_width(glyph)
            .unwrap_or(1.0)
    }

    /// Width of a line of text at `size`.
    pub(super) fn width(&self, weight: Weight, size: f32, text: &str) -> f32 {
        text.chars()
            .map(|letter| self.advance(weight, self.glyph(weight, letter)) * size)
            .sum()
    }

    /// Draws a glyph's outline at `size`, y upwards.
    pub(super) fn outline(
        &self,
        weight: Weight,
        glyph: GlyphId,
        size: f32,
        pen: &mut impl OutlinePen,
    ) -> Result<()> {
        let Some(outline) = self.face(weight).outlines.get(glyph) else {
            return Ok(());
        };
        let settings = DrawSettings::unhinted(Size::new(size), LocationRef::default());
        outline.draw(settings, pen).map_err(AppError::internal)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fonts_hold_what_a_shop_writes() {
        let fonts = Fonts::open().unwrap();
        for text in [
            "邻荐示例家政服务有限公司",
            "新客首单立减 ¥30.50",
            "“,。!?:;()、”《》—…〓·",
            "021-55550100 https://api.example.cn/r/0123abcxyz",
            "鑫淼堃喆",
        ] {
            assert!(fonts.covers(text), "{text}");
        }
    }

    #[test]
    fn a_missing_character_is_shown_as_missing() {
        let fonts = Fonts::open().unwrap();
        assert_eq!(fonts.drawable("家𡚸政😀", "a test"), "家〓政〓");
        assert!(matches!(fonts.drawable("家政", "a test"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_hanzi_is_as_wide_as_its_size() {
        let fonts = Fonts::open().unwrap();
        for weight in [Weight::Regular, Weight::Bold] {
            assert!((fonts.width(weight, 18.0, "家政") - 36.0).abs() < 0.01);
        }
    }
}
