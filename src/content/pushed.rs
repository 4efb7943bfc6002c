//! WeChat's answers about pictures, and their absence.

use super::{
    events::{ContentWanted, SILENCE},
    judge, link, store,
};
use crate::{
    kernel::{AppError, Code, Result},
    outbox::{self, Consumer, Delivered, Event, timer},
    platform::{
        Ctx,
        wechat::{MediaAnswer, Suggest},
    },
    push::WechatPushed,
};
use chrono::Duration;
use entity::{
    content_check::{ActiveModel, Model},
    ids::{ContentCheckId, PhotoId},
    values::{ContentCause, ContentState},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction};
use serde_json::{Value, json};

/// How often WeChat is asked about one picture.
const MOST_ATTEMPTS: i32 = 2;
/// What a first look says of a number nobody has written yet.
const UNKNOWN: &str = "unknown";
/// A word may come before the number it is about is written; not by more than this.
const NOTED_WITHIN: Duration = Duration::minutes(2);
/// How soon it is asked again after it could not fetch the picture.
const AGAIN_AFTER: Duration = Duration::minutes(1);

/// Verdicts as they are pushed.
pub(super) struct Pushes;

fn answer_of(event: &Delivered) -> Result<Option<MediaAnswer>> {
    let pushed: WechatPushed = event.read()?;
    Ok(MediaAnswer::read(&pushed.event, &pushed.message))
}

#[async_trait::async_trait]
impl Consumer for Pushes {
    fn name(&self) -> &'static str {
        "content.pushes"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[WechatPushed::KIND]
    }

    /// Whether the picture was seen at all: "pass" is also said about an address that is dead (spec 1.7). What was fetched
    /// through its link was seen; where no fetch is on record, the link is tried.
    async fn before(&self, ctx: &Ctx, event: &Delivered) -> Result<Value> {
        let Some(MediaAnswer {
            trace_id,
            verdict: Some((Suggest::Pass, _)),
        }) = answer_of(event)?
        else {
            return Ok(json!(true));
        };
        let row = store::of_trace(ctx.db.read(), &trace_id).await?;
        if row.is_none() {
            return Ok(json!(UNKNOWN));
        }
        let unfetched = row.filter(|row| takes_words(row) && row.fetched_at.is_none());
        let Some(row) = unfetched else {
            return Ok(json!(true));
        };
        let link = link::to(ctx, PhotoId(row.subject_id))?;
        Ok(json!(ctx.wechat.shows_picture(&link).await))
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        before: Value,
    ) -> Result<()> {
        let Some(answer) = answer_of(event)? else {
            return Ok(());
        };
        // A trace nobody knows is another deployment's, or of an asking whose answer was lost and that was made again.
        // One asked for this very moment is not: its number is written when WeChat has answered.
        let Some(found) = store::of_trace(tx, &answer.trace_id).await? else {
            let young = event.occurred_at + NOTED_WITHIN > ctx.env.now();
            if young && store::is_asking(tx).await? {
                return Err(AppError::new(Code::Unavailable, "内容检查刚刚交给微信"));
            }
            return Ok(());
        };
        if before == json!(UNKNOWN) {
            // Written between our two looks: whether the picture was seen is asked at the next try.
            return Err(AppError::new(Code::Unavailable, "内容检查刚刚交给微信"));
        }
        let row = store::lock(tx, found.id).await?;
        let Some(row) = row.filter(takes_words) else {
            return Ok(());
        };
        match answer.verdict.filter(|_| before == json!(true)) {
            Some(said) => judge::take(ctx, tx, &row, said).await,
            None => unseen(ctx, tx, &row, &answer.trace_id).await,
        }
    }
}

/// WeChat's word counts while nobody has decided: not WeChat before, not staff.
fn takes_words(row: &Model) -> bool {
    row.state != ContentState::Settled && row.verdict.is_none()
}

/// WeChat could not look: once more in a minute, then a person. What it says of an asking before the last is known.
async fn unseen(ctx: &Ctx, tx: &DatabaseTransaction, row: &Model, trace: &str) -> Result<()> {
    let last = row.trace_id.as_deref() == Some(trace);
    if row.state != ContentState::Waiting || !last || row.cause.is_some() {
        return Ok(());
    }
    if row.attempt >= MOST_ATTEMPTS {
        return judge::queue(ctx, tx, row, ContentCause::Unreachable).await;
    }
    let change = ActiveModel {
        id: Set(row.id),
        cause: Set(Some(ContentCause::Unreachable)),
        ..Default::default()
    };
    change.update(tx).await?;
    let due = ctx.env.now() + AGAIN_AFTER;
    timer::schedule(tx, &ctx.env, SILENCE, row.id, due).await
}

/// No word came, or none about the content: WeChat is asked once more, then a person.
pub(super) struct Silence;

#[async_trait::async_trait]
impl Consumer for Silence {
    fn name(&self) -> &'static str {
        "content.silence"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[SILENCE]
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        let check_id: ContentCheckId = event.subject()?;
        let row = store::lock(tx, check_id).await?;
        let Some(row) = row.filter(|row| row.state == ContentState::Waiting) else {
            return Ok(());
        };
        if row.attempt >= MOST_ATTEMPTS {
            return judge::queue(ctx, tx, &row, ContentCause::Silent).await;
        }
        let wanted = ContentWanted {
            check_id,
            attempt: row.attempt.saturating_add(1),
        };
        outbox::append(tx, &ctx.env, &wanted).await.map(drop)
    }
}
