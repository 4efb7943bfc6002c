//! Setting text: lines broken as Chinese is broken, blocks that stand below each other.

use super::{
    font::{Fonts, Weight},
    page::{Ink, Item, Line, Role, Words},
};

/// From line to line, in type sizes.
const LEADING: f32 = 1.36;

/// What stands together, from its own top.
pub(super) struct Block {
    pub(super) items: Vec<Item>,
    pub(super) height: f32,
}

impl Block {
    pub(super) fn empty() -> Self {
        Self {
            items: Vec::new(),
            height: 0.0,
        }
    }

    /// Takes another below, `gap` lower.
    pub(super) fn below(mut self, other: Self, gap: f32) -> Self {
        let top = self.height + gap;
        for mut item in other.items {
            item.down(top);
            self.items.push(item);
        }
        self.height = top + other.height;
        self
    }

    /// Where its first line of text stands.
    pub(super) fn first_baseline(&self) -> f32 {
        let words = self.items.iter().find_map(|item| match item {
            Item::Words(words) => words.lines.first(),
            Item::Field(..) | Item::Code(_) => None,
        });
        words.map_or(0.0, |line| line.baseline)
    }
}

/// One way to set text.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) weight: Weight,
    pub(super) size: f32,
    pub(super) ink: Ink,
}

impl Style {
    pub(super) const fn bold(size: f32, ink: Ink) -> Self {
        Self {
            weight: Weight::Bold,
            size,
            ink,
        }
    }
}

/// Sets text with the two fonts.
pub(super) struct Setter<'a> {
    pub(super) fonts: &'a Fonts,
}

impl Setter<'_> {
    /// Text in a column (left edge, width), wrapped.
    pub(super) fn set(
        &self,
        text: &str,
        style: Style,
        (x, room): (f32, f32),
        centred: bool,
        role: Role,
    ) -> Block {
        let step = style.size * LEADING;
        let mut block = Block::empty();
        let mut lines = Vec::new();
        for text in self.wrapped(text, style, room) {
            let width = self.fonts.width(style.weight, style.size, &text);
            let indent = if centred { (room - width) / 2.0 } else { 0.0 };
            lines.push(Line {
                x: x + indent,
                // The em box of hanzi reaches 0.12 below the base line; it stands in the middle of its step.
                baseline: block.height + (step - style.size) / 2.0 + style.size * 0.88,
                text,
            });
            block.height += step;
        }
        block.items.push(Item::Words(Words {
            role,
            weight: style.weight,
            size: style.size,
            ink: style.ink,
            lines,
        }));
        block
    }

    /// Breaks between hanzi anywhere, but not before a closing mark, and not inside a word that fits on a line.
    pub(super) fn wrapped(&self, text: &str, style: Style, room: f32) -> Vec<String> {
        let width = |text: &str| self.fonts.width(style.weight, style.size, text);
        let mut lines = Vec::new();
        let mut line = String::new();
        for piece in pieces(text) {
            for part in if width(&piece) > room {
                piece.chars().map(String::from).collect()
            } else {
                vec![piece]
            } {
                if !line.is_empty() && width(&format!("{line}{part}")) > room {
                    lines.push(std::mem::take(&mut line).trim_end().to_owned());
                    line.push_str(part.trim_start());
                } else {
                    line.push_str(&part);
                }
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
        lines
    }
}

/// What is not broken: words, a hanzi with the marks behind it, an opening mark with what follows.
fn pieces(text: &str) -> Vec<String> {
    let closing = |letter: char| {
        "\u{ff0c}\u{3002}\u{3001}\u{ff1b}\u{ff1a}\u{ff01}\u{ff1f}”’\u{ff09}》…—,.!?:;)~"
            .contains(letter)
    };
    let opening = |letter: char| "“‘\u{ff08}《(".contains(letter);
    let in_word = |letter: char| letter.is_ascii_graphic() || letter == '¥';
    let mut pieces: Vec<String> = Vec::new();
    let mut before = ' ';
    for letter in text.chars() {
        let joins = closing(letter) || opening(before) || (in_word(letter) && in_word(before));
        match pieces.last_mut() {
            Some(piece) if joins => piece.push(letter),
            _ => pieces.push(letter.into()),
        }
        before = letter;
    }
    pieces
}

/// `ABCD EFGH JKMNP`: groups of a size, and the last one takes a rest of one or two.
pub(super) fn in_groups(letters: &[char], size: usize) -> String {
    let mut groups: Vec<String> = letters
        .chunks(size)
        .map(|group| group.iter().collect())
        .collect();
    if groups.len() > 1
        && groups.last().is_some_and(|last| last.len() < 3)
        && let (Some(last), Some(before)) = (groups.pop(), groups.last_mut())
    {
        before.push_str(&last);
    }
    groups.join(" ")
}
