//! What a laid out page is: coloured fields, lines of text, the mini-program code. Points, from the top left corner.

use super::font::Weight;

/// A5: 148 by 210 mm.
pub(super) const WIDTH: f32 = 419.53;
pub(super) const HEIGHT: f32 = 595.28;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ink(pub(super) u8, pub(super) u8, pub(super) u8);

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

/// What a text is, for people who hear it (PDF/UA).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Heading,
    Paragraph,
}

/// A line of text on its base line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) x: f32,
    pub(super) baseline: f32,
    pub(super) text: String,
}

/// Lines of one size and colour.
#[derive(Clone, Debug)]
pub(super) struct Words {
    pub(super) role: Role,
    pub(super) weight: Weight,
    pub(super) size: f32,
    pub(super) ink: Ink,
    pub(super) lines: Vec<Line>,
}

/// Something on the page.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// A coloured field.
    Field(Area, Ink),
    Words(Words),
    /// The mini-program code.
    Code(Area),
}

impl Item {
    /// Moves it down.
    pub(super) fn down(&mut self, by: f32) {
        match self {
            Self::Field(area, _) | Self::Code(area) => area.y += by,
            Self::Words(words) => words.lines.iter_mut().for_each(|line| line.baseline += by),
        }
    }
}
