//! Asking WeChat.

use super::{
    events::{ContentWanted, SILENCE},
    judge, link, store,
};
use crate::{
    identity,
    kernel::{Code, Result},
    outbox::{Consumer, Delivered, Event, timer},
    photo,
    platform::{
        Ctx,
        wechat::{MediaCheck, Suggest, TextCheck},
    },
    rating, worker,
};
use chrono::Duration;
use entity::{
    content_check::{ActiveModel, Model},
    ids::{AccountId, PhotoId, RatingId},
    values::{CommentStatus, ContentCause, ContentKind, ContentState},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How long WeChat may be away before a person decides: as long as the author counts as active (spec 1.7).
const PATIENCE: Duration = Duration::hours(2);
/// How long a push may take: WeChat says half an hour (spec 1.7).
pub(super) const SILENT_AFTER: Duration = Duration::minutes(40);

/// What came of asking.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// There is nothing to ask about any more.
    Nothing,
    /// Judged at once.
    Judged {
        suggest: Word,
        label: Option<i64>,
        trace_id: Option<String>,
    },
    /// The verdict comes by push.
    Later { trace_id: String },
    /// A person has to decide.
    Person { cause: Why },
}

/// [`Suggest`], to be carried from before the transaction into it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Pass,
    Review,
    Risky,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Why {
    Inactive,
    Away,
}

impl From<Suggest> for Word {
    fn from(suggest: Suggest) -> Self {
        match suggest {
            Suggest::Pass => Self::Pass,
            Suggest::Review => Self::Review,
            Suggest::Risky => Self::Risky,
        }
    }
}

impl From<Word> for Suggest {
    fn from(word: Word) -> Self {
        match word {
            Word::Pass => Self::Pass,
            Word::Review => Self::Review,
            Word::Risky => Self::Risky,
        }
    }
}

/// Asks WeChat, outside the transaction; an outage is retried by the queue's backoff.
pub(super) struct Asking;

#[async_trait::async_trait]
impl Consumer for Asking {
    fn name(&self) -> &'static str {
        "content.asking"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[ContentWanted::KIND]
    }

    async fn before(&self, ctx: &Ctx, event: &Delivered) -> Result<Value> {
        let wanted: ContentWanted = event.read()?;
        let row = store::by_id(ctx.db.read(), wanted.check_id).await?;
        let answer = match row.filter(|row| is_due(row, &wanted)) {
            None => Answer::Nothing,
            Some(row) => match ask(ctx, &row).await {
                Ok(answer) => answer,
                Err(error) => {
                    let late = event.occurred_at + PATIENCE <= ctx.env.now();
                    if error.code == Code::Unavailable && !late {
                        return Err(error);
                    }
                    // Refused for good, or away too long: a person decides, and the operator is told.
                    tracing::error!(check.id = %row.id, error = ?error, "a content check could not be asked for");
                    metrics::counter!("linjian_content_checks_failed_total").increment(1);
                    Answer::Person { cause: Why::Away }
                }
            },
        };
        Ok(serde_json::to_value(answer)?)
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        before: Value,
    ) -> Result<()> {
        let wanted: ContentWanted = event.read()?;
        let row = store::lock(tx, wanted.check_id).await?;
        let Some(row) = row.filter(|row| is_due(row, &wanted)) else {
            return Ok(());
        };
        match serde_json::from_value(before)? {
            // Hidden or judged meanwhile: nothing is left to be said about it.
            Answer::Nothing => store::end(tx, row.id).await,
            Answer::Person { cause } => {
                let cause = match cause {
                    Why::Inactive => ContentCause::Inactive,
                    Why::Away => ContentCause::Away,
                };
                judge::queue(ctx, tx, &row, cause).await
            }
            Answer::Judged {
                suggest,
                label,
                trace_id,
            } => {
                asked(ctx, tx, &row, trace_id).await?;
                judge::take(ctx, tx, &row, (suggest.into(), label)).await
            }
            Answer::Later { trace_id } => {
                if asked(ctx, tx, &row, Some(trace_id)).await? {
                    let due = ctx.env.now() + SILENT_AFTER;
                    return timer::schedule(tx, &ctx.env, SILENCE, row.id, due).await;
                }
                // Without a number of its own no push can be told to be about this picture.
                judge::queue(ctx, tx, &row, ContentCause::Away).await
            }
        }
    }
}

/// Whether this asking is still to be made: another delivery may have made it.
fn is_due(row: &Model, wanted: &ContentWanted) -> bool {
    row.state == ContentState::Waiting && row.attempt.saturating_add(1) == wanted.attempt
}

async fn ask(ctx: &Ctx, row: &Model) -> Result<Answer> {
    // WX-14: the operator has switched the checks off since.
    if !ctx.config.wechat.content_check {
        return Ok(Answer::Judged {
            suggest: Word::Pass,
            label: None,
            trace_id: None,
        });
    }
    match row.kind {
        ContentKind::Comment => ask_about_comment(ctx, RatingId(row.subject_id)).await,
        ContentKind::Photo => ask_about_photo(ctx, PhotoId(row.subject_id)).await,
    }
}

async fn ask_about_comment(ctx: &Ctx, id: RatingId) -> Result<Answer> {
    let db = ctx.db.read();
    let row = rating::by_id(db, id).await?;
    let Some(row) = row.filter(|row| row.comment_status == CommentStatus::Pending) else {
        return Ok(Answer::Nothing);
    };
    let text = row.comment.unwrap_or_default();
    let Some(openid) = identity::openid_of(ctx, db, row.customer_id).await? else {
        return Ok(Answer::Person {
            cause: Why::Inactive,
        });
    };
    Ok(match ctx.wechat.msg_sec_check(&openid, &text).await? {
        TextCheck::Judged {
            suggest,
            label,
            trace_id,
        } => Answer::Judged {
            suggest: suggest.into(),
            label,
            trace_id,
        },
        TextCheck::Inactive => Answer::Person {
            cause: Why::Inactive,
        },
    })
}

async fn ask_about_photo(ctx: &Ctx, id: PhotoId) -> Result<Answer> {
    let db = ctx.db.read();
    let Some(row) = photo::by_id(db, id).await?.filter(photo::is_undecided) else {
        return Ok(Answer::Nothing);
    };
    // CR-36: the customer's consent may be gone since. What he took back is hidden by its own event; where only the text
    // has changed, WeChat may not look and a person does.
    if !photo::may_be_checked(ctx, db, &row).await? {
        return Ok(Answer::Person { cause: Why::Away });
    }
    // Who sent it is who is active now: the worker, not the customer whose home it shows.
    let account: Option<AccountId> = worker::by_id(db, row.worker_id).await?.account_id;
    let openid = match account {
        Some(account) => identity::openid_of(ctx, db, account).await?,
        None => None,
    };
    let Some(openid) = openid else {
        return Ok(Answer::Person {
            cause: Why::Inactive,
        });
    };
    let link = link::to(ctx, id)?;
    Ok(match ctx.wechat.media_check_async(&openid, &link).await? {
        MediaCheck::Asked { trace_id } => Answer::Later { trace_id },
        MediaCheck::Inactive => Answer::Person {
            cause: Why::Inactive,
        },
    })
}

/// Notes that WeChat was asked, under which number; `false` when the number is another check's.
async fn asked(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    row: &Model,
    trace: Option<String>,
) -> Result<bool> {
    let trace = match trace {
        Some(trace) if store::of_trace(tx, &trace).await?.is_none() => Some(trace),
        _ => None,
    };
    let known = trace.is_some();
    let change = ActiveModel {
        id: Set(row.id),
        attempt: Set(row.attempt.saturating_add(1)),
        trace_id: Set(trace),
        earlier_trace_id: Set(row.trace_id.clone()),
        asked_at: Set(Some(ctx.env.now())),
        cause: Set(None),
        ..Default::default()
    };
    change.update(tx).await?;
    Ok(known)
}
