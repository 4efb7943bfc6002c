//! Where everything stands on the page: one model, drawn twice (PNG and PDF). Points, from the top left corner of an A5.
//!
//! For older eyes: nothing smaller than 18 pt, headings from 26 pt, lines at least 1.3 apart (工信部《移动互联网应用(APP)适老化通用
//! 设计规范》2021, 1.1 and 1.2), contrast 7:1 and more (WCAG 2.2, 1.4.6), no text on a picture, one column read from the top.

use super::{
    content::{Content, full_width},
    font::{Fonts, Weight},
    page::{Area, HEIGHT, Ink, Item, Role, WIDTH},
    setting::{Block, Setter, Style, in_groups},
};

const MARGIN: f32 = 28.0;
const INNER: f32 = WIDTH - 2.0 * MARGIN;
/// The smallest type.
const BODY: f32 = 18.0;
const HEADING: f32 = 26.0;
/// The least between two blocks, and the most.
const GAP: (f32, f32) = (5.0, 17.0);
/// Padding of the coloured fields.
const PAD: f32 = 11.0;

pub(super) const PAPER: Ink = Ink(255, 255, 255);
const BLACK: Ink = Ink(26, 26, 26);
const GREEN: Ink = Ink(9, 76, 60);
const RED: Ink = Ink(143, 24, 16);
const PALE: Ink = Ink(253, 243, 226);

const PLAIN: Style = Style {
    weight: Weight::Regular,
    size: BODY,
    ink: BLACK,
};
const LABEL: Style = Style {
    weight: Weight::Bold,
    size: BODY,
    ink: GREEN,
};

/// How much room a try may take; the first that fits is taken.
#[derive(Clone, Copy)]
struct Plan {
    code_side: f32,
    tall_letters: bool,
    tagline: bool,
    sentence: bool,
}

const PLANS: [Plan; 9] = [
    Plan::of(190.0, true, true, true),
    Plan::of(172.0, true, true, true),
    Plan::of(156.0, true, true, true),
    Plan::of(156.0, false, true, true),
    Plan::of(142.0, false, true, true),
    Plan::of(142.0, false, false, true),
    Plan::of(128.0, false, false, true),
    Plan::of(128.0, false, false, false),
    Plan::of(108.0, false, false, false),
];

impl Plan {
    const fn of(code_side: f32, tall_letters: bool, tagline: bool, sentence: bool) -> Self {
        Self {
            code_side,
            tall_letters,
            tagline,
            sentence,
        }
    }
}

/// Lays a poster out.
pub(super) fn page(fonts: &Fonts, content: &Content) -> Vec<Item> {
    let setter = Setter { fonts };
    let mut tries = PLANS.iter().map(|plan| setter.blocks(content, *plan));
    let mut taken = tries.next().unwrap_or_default();
    for next in tries {
        if slack(&taken) >= 0.0 {
            break;
        }
        taken = next;
    }
    spread(taken)
}

/// What is left of the page's height with the least gaps; the foot keeps half a margin free.
fn slack(blocks: &[Block]) -> f32 {
    let used: f32 = blocks.iter().map(|block| block.height + GAP.0).sum();
    HEIGHT - MARGIN / 2.0 - used
}

/// Puts the blocks below each other and shares out what is left.
fn spread(blocks: Vec<Block>) -> Vec<Item> {
    let count = f32::from(u16::try_from(blocks.len().max(1)).unwrap_or(u16::MAX));
    let gap = (GAP.0 + slack(&blocks).max(0.0) / count).min(GAP.1);
    let stacked = blocks
        .into_iter()
        .reduce(|above, block| above.below(block, gap));
    stacked.map(|block| block.items).unwrap_or_default()
}

impl Setter<'_> {
    fn blocks(&self, content: &Content, plan: Plan) -> Vec<Block> {
        let mut blocks = vec![self.company(&content.company)];
        if plan.tagline {
            let style = Style::bold(28.0, GREEN);
            blocks.push(self.centred("朋友推荐您试试我们的家政", style, Role::Heading));
        }
        if let Some(offer) = &content.offer {
            blocks.push(self.offer(&offer.title, &offer.conditions));
        }
        let sentence = content.sentence.as_deref().filter(|_| plan.sentence);
        blocks.push(self.scan(sentence, plan.code_side));
        blocks.push(self.letters(&content.code, plan.tall_letters));
        let style = Style::bold(22.0, BLACK);
        blocks.push(
            self.labelled("网址", &content.address, PLAIN)
                .below(self.labelled("电话", &content.phone, style), 0.0),
        );
        if let Some(until) = &content.until {
            blocks.push(self.labelled("有效期至", until, PLAIN));
        }
        blocks.push(self.foot());
        blocks
    }

    /// The company on its green field: the advertiser is named first (REF-21).
    fn company(&self, name: &str) -> Block {
        let one_line = self.fonts.width(Weight::Bold, 30.0, name) <= INNER;
        let size = if one_line { 30.0 } else { HEADING };
        let mut words = self.centred(name, Style::bold(size, PAPER), Role::Heading);
        words.items.iter_mut().for_each(|item| item.down(PAD + 2.0));
        let height = words.height + 2.0 * PAD + 4.0;
        let field = Area {
            x: 0.0,
            y: 0.0,
            width: WIDTH,
            height,
        };
        words.items.insert(0, Item::Field(field, GREEN));
        Block {
            height,
            items: words.items,
        }
    }

    fn offer(&self, title: &str, conditions: &[String]) -> Block {
        let room = INNER - 2.0 * PAD;
        let one_line = |size: &f32| self.fonts.width(Weight::Bold, *size, title) <= room;
        let size = [32.0, 30.0, 28.0].into_iter().find(one_line);
        let style = Style::bold(size.unwrap_or(HEADING), RED);
        let mut inside = self.set(title, style, (MARGIN + PAD, room), true, Role::Heading);
        for line in self.condensed(conditions, room) {
            let line = self.set(&line, PLAIN, (MARGIN + PAD, room), true, Role::Paragraph);
            inside = inside.below(line, 0.0);
        }
        let height = inside.height + 2.0 * PAD - 4.0;
        inside
            .items
            .iter_mut()
            .for_each(|item| item.down(PAD - 2.0));
        let field = Area {
            x: MARGIN,
            y: 0.0,
            width: INNER,
            height,
        };
        inside.items.insert(0, Item::Field(field, PALE));
        Block {
            height,
            items: inside.items,
        }
    }

    /// Conditions that fit on one line together share it.
    fn condensed(&self, conditions: &[String], room: f32) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for condition in conditions {
            let joined = lines
                .last()
                .map(|last| format!("{last}\u{ff0c}{condition}"));
            let fits = |text: &String| self.fonts.width(Weight::Regular, BODY, text) <= room;
            match (joined.filter(fits), lines.last_mut()) {
                (Some(joined), Some(last)) => *last = joined,
                _ => lines.push(condition.clone()),
            }
        }
        lines
    }

    /// The code, and beside it what to do with it, or what the inviter wrote about us.
    fn scan(&self, sentence: Option<&str>, side: f32) -> Block {
        let code = Area {
            x: MARGIN,
            y: 0.0,
            width: side,
            height: side,
        };
        let (x, room) = (MARGIN + side + 16.0, INNER - side - 16.0);
        let style = Style::bold(HEADING, BLACK);
        let mut beside = self.set("微信扫一扫", style, (x, room), false, Role::Heading);
        if let Some(sentence) = sentence {
            let quoted = format!("“{sentence}”");
            let quoted = self.set(&quoted, PLAIN, (x, room), false, Role::Paragraph);
            let source = self.set("——客户评价节选", LABEL, (x, room), false, Role::Paragraph);
            beside = beside.below(quoted, 4.0).below(source, 0.0);
        } else {
            let what = full_width("先看服务和价格,再决定要不要约");
            beside = beside.below(
                self.set(&what, PLAIN, (x, room), false, Role::Paragraph),
                4.0,
            );
        }
        let height = side.max(beside.height);
        let centre = (height - beside.height) / 2.0;
        let mut items = vec![Item::Code(Area {
            y: (height - side) / 2.0,
            ..code
        })];
        for mut item in beside.items {
            item.down(centre);
            items.push(item);
        }
        Block { items, height }
    }

    /// The code in letters, in groups one can keep in mind.
    fn letters(&self, code: &str, tall: bool) -> Block {
        let label = self.set("邀请码", LABEL, (MARGIN, INNER), true, Role::Paragraph);
        let letters: Vec<char> = code.chars().collect();
        let rows: Vec<String> = if tall {
            let rows = letters.chunks(letters.len().div_ceil(2).max(1));
            rows.map(|row| in_groups(row, 4)).collect()
        } else {
            vec![in_groups(&letters, 5)]
        };
        let fits = |size: &f32| {
            rows.iter()
                .all(|row| self.fonts.width(Weight::Bold, *size, row) <= INNER)
        };
        let sizes = [30.0, 28.0, 26.0, 24.0, 22.0, 21.0, 20.0, 19.0];
        let size = sizes.into_iter().find(fits).unwrap_or(BODY);
        rows.iter().fold(label, |block, row| {
            let row = self.set(
                row,
                Style::bold(size, BLACK),
                (MARGIN, INNER),
                true,
                Role::Paragraph,
            );
            block.below(row, 0.0)
        })
    }

    /// `网址 api.example.cn/r/…`, on lines of its own when it is long.
    fn labelled(&self, label: &str, value: &str, style: Style) -> Block {
        let width = self.fonts.width(LABEL.weight, LABEL.size, label) + 10.0;
        let room = INNER - width;
        let mut block = self.set(value, style, (MARGIN + width, room), false, Role::Paragraph);
        let label = self.set(label, LABEL, (MARGIN, width), false, Role::Paragraph);
        let first = block.first_baseline();
        for mut item in label.items {
            if let Item::Words(words) = &mut item {
                words
                    .lines
                    .iter_mut()
                    .for_each(|line| line.baseline = first);
            }
            block.items.insert(0, item);
        }
        block
    }

    /// Marked as an advertisement (广告法 14), and that nobody has to.
    fn foot(&self) -> Block {
        let words = self.set(
            "广告",
            Style::bold(BODY, PAPER),
            (MARGIN + 6.0, 40.0),
            false,
            Role::Paragraph,
        );
        let field = Area {
            x: MARGIN,
            y: 0.0,
            width: 48.0,
            height: words.height,
        };
        let choice = full_width("要不要用,由您自己决定");
        let choice = self.set(
            &choice,
            PLAIN,
            (MARGIN + 60.0, INNER - 60.0),
            false,
            Role::Paragraph,
        );
        let height = words.height;
        let items = std::iter::once(Item::Field(field, GREEN));
        Block {
            items: items.chain(words.items).chain(choice.items).collect(),
            height,
        }
    }

    fn centred(&self, text: &str, style: Style, role: Role) -> Block {
        self.set(text, style, (MARGIN, INNER), true, role)
    }
}
