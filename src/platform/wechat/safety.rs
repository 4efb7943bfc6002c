//! Content safety: texts at once, pictures by push (spec 1.7).

use super::{
    WechatClient,
    fault::{ApiFault, busy},
};
use crate::kernel::{AppError, Result};
use reqwest::header;
use serde_json::{Value, json};

/// Most characters of a text.
const MOST_CHARS: usize = 2_500;
/// Both checks in their present form.
const VERSION: u8 = 2;
/// A comment.
const COMMENT: u8 = 2;
/// A picture.
const IMAGE: u8 = 2;
/// The person was not in the mini-program within two hours: WeChat does not judge.
const INACTIVE: i64 = 61_010;
/// Longest trace id that can be WeChat's.
const MOST_TRACE: usize = 128;
/// The push's name.
const EVENT: &str = "wxa_media_check";

/// What WeChat suggests. Nothing else of its answer decides (spec 1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suggest {
    /// Harmless.
    Pass,
    /// A person should look. A word nobody knows counts as this.
    Review,
    /// Against the rules.
    Risky,
}

impl Suggest {
    fn of(result: &Value) -> Self {
        match result.get("suggest").and_then(Value::as_str) {
            Some("pass") => Self::Pass,
            Some("risky") => Self::Risky,
            _ => Self::Review,
        }
    }
}

/// What became of a text. Temporary faults are errors instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextCheck {
    /// WeChat has judged.
    Judged {
        /// What it suggests.
        suggest: Suggest,
        /// Its label (100 is harmless), for the record.
        label: Option<i64>,
        /// Its number for this check.
        trace_id: Option<String>,
    },
    /// The author was not active of late (61010): a person has to read it; never a pass.
    Inactive,
}

/// What became of asking about a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaCheck {
    /// The answer comes by push under this number.
    Asked {
        /// WeChat's number for this check.
        trace_id: String,
    },
    /// The author was not active of late (61010).
    Inactive,
}

/// The answer about a picture, as pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaAnswer {
    /// Which check.
    pub trace_id: String,
    /// What it says; `None` when WeChat did not see the picture (`errcode` -1008 and the like).
    pub verdict: Option<(Suggest, Option<i64>)>,
}

impl MediaAnswer {
    /// Reads a pushed event; `None` when it is another event or names no check. Numbers may be strings and `detail` may
    /// have any form (spec 1.7).
    pub fn read(event: &str, message: &Value) -> Option<Self> {
        let trace_id = message.get("trace_id")?.as_str()?;
        let plausible = event == EVENT && (1..=MOST_TRACE).contains(&trace_id.len());
        let seen = ApiFault::of(message).is_none();
        let result = message.get("result").filter(|_| seen);
        plausible.then(|| Self {
            trace_id: trace_id.to_owned(),
            verdict: result.map(|result| (Suggest::of(result), label(result))),
        })
    }
}

/// Only a number that a label can be.
fn label(result: &Value) -> Option<i64> {
    let label = result.get("label")?;
    let number = match label {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    };
    number.filter(|label| (0..=1_000_000).contains(label))
}

fn trace(answer: &Value) -> Option<String> {
    let trace = answer.get("trace_id")?.as_str()?;
    (1..=MOST_TRACE)
        .contains(&trace.len())
        .then(|| trace.to_owned())
}

impl WechatClient {
    /// Has a comment of `openid` judged.
    ///
    /// # Errors
    /// `unavailable` when busy or out of quota: the job stays queued; `internal` for a text of more than 2,500
    /// characters.
    pub async fn msg_sec_check(&self, openid: &str, content: &str) -> Result<TextCheck> {
        if content.chars().count() > MOST_CHARS {
            return Err(AppError::internal("a text is too long for a content check"));
        }
        let body =
            json!({ "version": VERSION, "openid": openid, "scene": COMMENT, "content": content });
        let Some(answer) = self.judged("/wxa/msg_sec_check", &body).await? else {
            return Ok(TextCheck::Inactive);
        };
        let result = answer
            .get("result")
            .ok_or_else(|| busy(1).because("msg_sec_check without a result"))?;
        Ok(TextCheck::Judged {
            suggest: Suggest::of(result),
            label: label(result),
            trace_id: trace(&answer),
        })
    }

    /// Has the picture at `media_url` judged, which `openid` sent. The address must stay good for an hour at least.
    ///
    /// # Errors
    /// `unavailable` when busy or out of quota: the job stays queued.
    pub async fn media_check_async(&self, openid: &str, media_url: &str) -> Result<MediaCheck> {
        let body = json!({
            "media_url": media_url, "media_type": IMAGE, "version": VERSION, "scene": COMMENT, "openid": openid,
        });
        let Some(answer) = self.judged("/wxa/media_check_async", &body).await? else {
            return Ok(MediaCheck::Inactive);
        };
        let trace_id =
            trace(&answer).ok_or_else(|| busy(1).because("media_check_async without a trace"))?;
        Ok(MediaCheck::Asked { trace_id })
    }

    /// The answer, or `None` for 61010.
    async fn judged(&self, path: &str, body: &Value) -> Result<Option<Value>> {
        let (_, bytes) = self.with_token(path, body).await?;
        let answer: Value =
            serde_json::from_slice(&bytes).map_err(|error| busy(1).because(error))?;
        match ApiFault::of(&answer) {
            None => Ok(Some(answer)),
            Some(fault) if fault.code == INACTIVE => Ok(None),
            Some(fault) => Err(fault.into()),
        }
    }

    /// Our own public address, where WeChat fetches pictures and pushes to.
    pub fn public_base(&self) -> &str {
        &self.inner.settings.notify_base_url
    }

    /// Whether an address of ours answers with a picture: WeChat may say "pass" about one that does not (spec 1.7).
    pub async fn shows_picture(&self, url: &str) -> bool {
        let Ok(answer) = self.inner.http.get(url).send().await else {
            return false;
        };
        let kind = answer.headers().get(header::CONTENT_TYPE);
        let picture = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"image/"));
        picture && answer.status().is_success()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pushed_answer_is_read_in_every_form_wechat_sends() {
        let read = |message: Value| MediaAnswer::read(EVENT, &message);
        let said = |suggest, label| {
            Some(MediaAnswer {
                trace_id: "t-1".into(),
                verdict: Some((suggest, label)),
            })
        };
        let plain = json!({ "trace_id": "t-1", "errcode": 0, "detail": [], "result": { "suggest": "pass", "label": 100 } });
        assert_eq!(read(plain), said(Suggest::Pass, Some(100)));
        let texts = json!({ "trace_id": "t-1", "errcode": "0", "detail": {}, "result": { "suggest": "risky", "label": "20002" } });
        assert_eq!(read(texts), said(Suggest::Risky, Some(20_002)));
        let news =
            json!({ "trace_id": "t-1", "result": { "suggest": "splendid", "label": "much" } });
        assert_eq!(read(news), said(Suggest::Review, None), "never a pass");
        for unseen in [
            json!({ "trace_id": "t-1", "errcode": -1008, "result": { "suggest": "pass" } }),
            json!({ "trace_id": "t-1", "errcode": "-1008" }),
            json!({ "trace_id": "t-1", "errcode": 0 }),
        ] {
            assert_eq!(read(unseen).unwrap().verdict, None);
        }
        assert_eq!(read(json!({ "result": { "suggest": "pass" } })), None);
        assert_eq!(read(json!({ "trace_id": "", "errcode": 0 })), None);
        let other = json!({ "trace_id": "t-1", "result": { "suggest": "pass" } });
        assert_eq!(MediaAnswer::read("wxa_punish_event", &other), None);
    }
}
