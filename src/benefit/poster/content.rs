//! What one poster says: read now, so that nothing old is ever printed.

use super::{font::Fonts, sentence};
use crate::{
    benefit::{
        link, programme,
        redeem::{generation_of, next_generation},
    },
    consent::{self, Purpose, ReviewPublic, Scope},
    identity,
    kernel::{Result, Span, day_bounds, shanghai},
    platform::{Ctx, vault::sha256_hex},
    rating::{self, PublishableComment},
    referral,
    rule::{self, Benefit, NamedBenefit},
    worker,
};
use chrono::{DateTime, Duration, NaiveTime, Utc};
use entity::{ids::AccountId, invitation};
use sea_orm::ConnectionTrait;
use serde::Serialize;

/// Goes up whenever the drawing changes, so that no poster of an older drawing is taken for a new one.
const LAYOUT: u32 = 1;

/// Longest texts that the page has room for; what is longer ends in `…`.
const COMPANY: usize = 39;
const PHONE: usize = 24;
const BENEFIT: usize = 26;
const ADDRESS: usize = 56;

/// Everything that is drawn, and nothing about the inviter (REF-L27): not even his masked name.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Content {
    pub(super) company: String,
    pub(super) phone: String,
    pub(super) code: String,
    /// The short address, as one types it.
    pub(super) address: String,
    pub(super) offer: Option<Offer>,
    /// `2026年12月10日19时`; nothing for a code that does not end.
    pub(super) until: Option<String>,
    /// A sentence of the inviter's own review, with his consent.
    pub(super) sentence: Option<String>,
}

/// What the newcomer gets, and on which condition.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Offer {
    pub(super) title: String,
    pub(super) conditions: Vec<String>,
}

impl Content {
    /// Reads what the poster of an invitation says now.
    pub(super) async fn of(ctx: &Ctx, row: &invitation::Model) -> Result<Self> {
        let db = ctx.db.read();
        let fonts = Fonts::open()?;
        let generation = next_generation(generation_of(db, row.customer_id).await?);
        let gift = programme::promise(ctx, db, row, generation).await?;
        let ends = ends(ctx, db, row, gift.is_some()).await?.map(moment);
        let controller = &ctx.config.controller;
        let fit = |text: &str, most, what| {
            let text = full_width(text.trim());
            shortened(&fonts.drawable(&text, what), most)
        };
        let offer = gift.map(|gift| Offer {
            title: fit(&title(&gift), BENEFIT, "a benefit"),
            conditions: conditions(&gift, ends.as_deref()),
        });
        Ok(Self {
            company: fit(&controller.name, COMPANY, "the company's name"),
            phone: shortened(&fonts.drawable(controller.phone.trim(), "the phone"), PHONE),
            code: row.code.clone(),
            address: shortened(
                &fonts.drawable(&link::short_text(ctx, &row.code), "the short address"),
                ADDRESS,
            ),
            until: ends.filter(|_| offer.is_none()),
            offer,
            sentence: sentence_of(ctx, db, row.customer_id, &fonts).await?,
        })
    }

    /// Changes with everything drawn: the name under which a drawing is kept, and its ETag.
    pub(super) fn fingerprint(&self) -> Result<String> {
        Ok(sha256_hex(
            serde_json::to_string(&(LAYOUT, self))?.as_bytes(),
        ))
    }
}

/// Until when the code works and what it promises is promised.
async fn ends(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    row: &invitation::Model,
    promised: bool,
) -> Result<Option<DateTime<Utc>>> {
    if !promised {
        return Ok(row.expires_at);
    }
    let last = referral::live(ctx, db).await?.rules.last_day();
    let period = last.map(|day| day_bounds(day).1);
    Ok([row.expires_at, period].into_iter().flatten().min())
}

/// A moment in words, rounded down: paper must not promise an hour too many.
fn moment(at: DateTime<Utc>) -> String {
    let local = at.with_timezone(&shanghai());
    if local.time() == NaiveTime::MIN {
        // The midnight after a day is the end of that day to everybody.
        return (local - Duration::days(1))
            .format("%Y年%-m月%-d日")
            .to_string();
    }
    local.format("%Y年%-m月%-d日%-H时").to_string()
}

fn title(gift: &NamedBenefit) -> String {
    format!("新朋友 {}", rule::benefit_words(&gift.benefit))
}

/// For whom and until when (REF-12, 广告法 8): the page the code opens has the last word, since budgets end.
fn conditions(gift: &NamedBenefit, ends: Option<&str>) -> Vec<String> {
    let mut lines = vec![full_width("限首次下单的新客,以扫码后页面为准")];
    let lasts = match &gift.benefit {
        Benefit::PriceOff { expires_after, .. }
        | Benefit::Coupon { expires_after, .. }
        | Benefit::Goods { expires_after, .. }
        | Benefit::Privilege { expires_after, .. } => *expires_after,
    };
    let days = lasts.map(Span::get).map(|span| span.num_days());
    let parts = [
        ends.map(|end| format!("有效至{end}")),
        days.filter(|days| *days > 0)
            .map(|days| format!("领取后{days}天内使用")),
    ];
    lines.extend(parts.into_iter().flatten());
    lines
}

/// The newest review of the inviter that he has made public himself, scope by scope, and that a poster may quote.
async fn sentence_of(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    author: AccountId,
    fonts: &Fonts,
) -> Result<Option<String>> {
    for comment in rating::publishable_comments(db, author).await? {
        // The consent is for this one review (CR-24), and is asked anew for every poster, so a withdrawal counts at once.
        let scope = Some(Scope::booking(comment.booking_id));
        if !consent::holds(ctx, db, author, ReviewPublic::KEY, scope).await? {
            continue;
        }
        let names = people(ctx, db, author, &comment).await?;
        let found = sentence::printable(&comment.text, &names);
        match found {
            Some(sentence) if fonts.covers(&sentence) => return Ok(Some(sentence)),
            Some(_) => tracing::info!("poster: a sentence has characters the embedded font lacks"),
            None => {}
        }
    }
    Ok(None)
}

/// Who must not be named: the author and who served him.
async fn people(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    author: AccountId,
    comment: &PublishableComment,
) -> Result<Vec<String>> {
    let mut names = vec![identity::person(ctx, db, author).await?.name];
    if let Some(worker) = comment.worker_id {
        names.push(worker::name_of(ctx, &worker::by_id(db, worker).await?)?);
    }
    Ok(names)
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let start: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{start}…")
}

/// Chinese type sets full-width marks behind hanzi; settings are often typed with half-width ones.
pub(super) fn full_width(text: &str) -> String {
    let mut hanzi_before = false;
    let set = |letter: char| {
        let wide = match letter {
            ',' => '\u{ff0c}',
            ';' => '\u{ff1b}',
            ':' => '\u{ff1a}',
            '!' => '\u{ff01}',
            '?' => '\u{ff1f}',
            other => other,
        };
        let out = if hanzi_before { wide } else { letter };
        hanzi_before = ('\u{4e00}'..='\u{9fff}').contains(&letter);
        out
    };
    text.chars().map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn a_moment_is_never_later_on_paper() {
        let at = |hour, minute| Utc.with_ymd_and_hms(2026, 12, 10, hour, minute, 0).unwrap();
        assert_eq!(moment(at(11, 59)), "2026年12月10日19时");
        assert_eq!(moment(at(16, 0)), "2026年12月10日");
        assert_eq!(moment(at(16, 30)), "2026年12月11日0时");
    }

    #[test]
    fn marks_behind_hanzi_are_full_width_and_addresses_stay() {
        assert_eq!(full_width("你好,世界!"), "你好\u{ff0c}世界\u{ff01}");
        assert_eq!(full_width("http://a.cn:80"), "http://a.cn:80");
    }

    #[test]
    fn what_is_too_long_ends_in_an_ellipsis() {
        assert_eq!(shortened("家政服务", 4), "家政服务");
        assert_eq!(shortened("家政服务公司", 4), "家政服…");
    }
}
