//! Content safety of the sandbox (spec 1.7): words decide about texts, the player about pictures.
//!
//! Texts: one that contains 违规 is risky, 待审 is for review, every other passes. A person whose login code was
//! `sandbox-idle…` counts as not active within two hours: 61010. Pictures: `media_url` is really fetched, and what
//! cannot be fetched is told as -1008; what can is judged as `POST /sandbox/media-verdict {"verdict": …}` said last, `pass`
//! before. The answer is pushed two seconds later by the injected clock.

use super::{
    APPID, Sandbox,
    mini::{IDLE, Refusal, TokenQuery, answered, read, system},
};
use crate::kernel::{AppError, Result};
use actix_web::{HttpResponse, web};
use aws_lc_rs::rand;
use chrono::Duration;
use reqwest::header;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::PoisonError;

/// Largest picture WeChat looks at, bytes.
const MOST_BYTES: usize = 10 * 1024 * 1024;
/// Our original id.
const ORIGINAL: &str = "gh_5a6e64626f78";

/// What the next checks of pictures come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum MediaVerdict {
    #[default]
    Pass,
    Review,
    Risky,
    /// No push ever comes.
    Silence,
    /// As if the picture could not be fetched.
    Unreachable,
    /// Both checks, texts too, answer "system busy".
    Away,
}

/// `POST /sandbox/media-verdict`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerdictIn {
    verdict: MediaVerdict,
}

pub(super) async fn set_verdict(
    body: web::Bytes,
    sandbox: web::Data<Sandbox>,
) -> Result<web::Json<VerdictIn>> {
    let input: VerdictIn = serde_json::from_slice(&body)
        .map_err(|error| AppError::field("/verdict", "json", error.to_string()))?;
    *sandbox
        .inner
        .media_verdict
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = input.verdict;
    std::future::ready(Ok(web::Json(input))).await
}

#[derive(Deserialize)]
struct TextIn {
    version: u8,
    openid: String,
    scene: u8,
    content: String,
}

pub(super) async fn text(
    query: web::Query<TokenQuery>,
    body: web::Bytes,
    sandbox: web::Data<Sandbox>,
) -> HttpResponse {
    std::future::ready(answered(judge(&query, &body, &sandbox))).await
}

fn judge(query: &TokenQuery, body: &[u8], sandbox: &Sandbox) -> Result<Value, Refusal> {
    query.check(sandbox)?;
    let input: TextIn = read(body)?;
    let length = input.content.chars().count();
    if input.version != 2 || !(1..=4).contains(&input.scene) || !(1..=2_500).contains(&length) {
        return Err((47_001, "data format error"));
    }
    sandbox.judges(&input.openid)?;
    let (suggest, label) = if input.content.contains("违规") {
        ("risky", 20_006)
    } else if input.content.contains("待审") {
        ("review", 21_000)
    } else {
        ("pass", 100)
    };
    Ok(json!({
        "errcode": 0, "errmsg": "ok", "trace_id": trace_id()?,
        "result": { "suggest": suggest, "label": label },
        "detail": [{ "strategy": "content_model", "errcode": 0, "suggest": suggest, "label": label, "prob": 90 }],
    }))
}

#[derive(Deserialize)]
struct MediaIn {
    media_url: String,
    media_type: u8,
    version: u8,
    scene: u8,
    openid: String,
}

pub(super) async fn media(
    query: web::Query<TokenQuery>,
    body: web::Bytes,
    sandbox: web::Data<Sandbox>,
) -> HttpResponse {
    let asked = async {
        query.check(&sandbox)?;
        let input: MediaIn = read(&body)?;
        if input.version != 2
            || !(1..=4).contains(&input.scene)
            || !(1..=2).contains(&input.media_type)
        {
            return Err((47_001, "data format error"));
        }
        sandbox.judges(&input.openid)?;
        let trace_id = trace_id()?;
        sandbox.look(&input, &trace_id).await;
        Ok(json!({ "errcode": 0, "errmsg": "ok", "trace_id": trace_id }))
    };
    answered(asked.await)
}

/// Three groups of eight hex digits.
fn trace_id() -> Result<String, Refusal> {
    let mut bytes = [0_u8; 12];
    rand::fill(&mut bytes).map_err(|_| system(&AppError::internal("no randomness")))?;
    let groups: Vec<String> = bytes.chunks(4).map(hex::encode).collect();
    Ok(groups.join("-"))
}

impl Sandbox {
    fn verdict(&self) -> MediaVerdict {
        *self
            .inner
            .media_verdict
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this person's content is judged now.
    fn judges(&self, openid: &str) -> Result<(), Refusal> {
        if self.verdict() == MediaVerdict::Away {
            return Err((-1, "system error"));
        }
        if openid.starts_with(IDLE) {
            return Err((61_010, "code is expired"));
        }
        Ok(())
    }

    /// Fetches the picture and lets the answer wait for its two seconds.
    async fn look(&self, input: &MediaIn, trace_id: &str) {
        let verdict = self.verdict();
        if verdict == MediaVerdict::Silence {
            return;
        }
        let seen = verdict != MediaVerdict::Unreachable && self.fetches(&input.media_url).await;
        let mut event = json!({
            "ToUserName": ORIGINAL, "FromUserName": input.openid, "CreateTime": self.inner.env.now().timestamp(),
            "MsgType": "event", "Event": "wxa_media_check", "appid": APPID, "trace_id": trace_id, "version": 2,
            "detail": [], "errcode": -1008, "errmsg": "下载错误,请检查媒体链接是否有效",
        });
        if let Some(event) = event.as_object_mut().filter(|_| seen) {
            let (suggest, label) = match verdict {
                MediaVerdict::Risky => ("risky", 20_002),
                MediaVerdict::Review => ("review", 21_000),
                _ => ("pass", 100),
            };
            let detail = json!([{ "strategy": "content_model", "errcode": 0, "suggest": suggest, "label": label, "prob": 90 }]);
            event.insert("errcode".into(), 0.into());
            event.insert("errmsg".into(), "ok".into());
            event.insert("detail".into(), detail);
            event.insert(
                "result".into(),
                json!({ "suggest": suggest, "label": label }),
            );
        }
        self.push(event, Duration::seconds(2));
    }

    async fn fetches(&self, url: &str) -> bool {
        let Ok(answer) = self.inner.courier.get(url).send().await else {
            return false;
        };
        let kind = answer.headers().get(header::CONTENT_TYPE);
        let picture = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"image/"));
        let whole = picture && answer.status().is_success();
        whole
            && answer
                .bytes()
                .await
                .is_ok_and(|bytes| !bytes.is_empty() && bytes.len() <= MOST_BYTES)
    }
}
