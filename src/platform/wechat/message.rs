//! One-time subscription messages (spec 1.4).

use super::{
    WechatClient,
    fault::{ApiFault, busy},
    limit,
};
use crate::kernel::Result;
use serde_json::{Map, Value, json};

/// `thing` values hold at most this many characters.
const THING_CHARS: usize = 20;

/// One message to one person.
pub struct Subscribe<'a> {
    /// To whom.
    pub openid: &'a str,
    /// Which template.
    pub template_id: &'a str,
    /// The page a tap opens, without a leading slash.
    pub page: Option<&'a str>,
    /// Values by key (`thing1`, `time2` …). A `thing` that is too long is cut; all others are sent as they are.
    pub data: &'a [(&'a str, &'a str)],
}

/// What became of a message. Temporary faults are errors instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// WeChat has it.
    Sent {
        /// WeChat's number for it, when given.
        msgid: Option<String>,
    },
    /// The person ticked no subscription, or it is used up: set the grant to 0, never retry (43101).
    NoGrant,
    /// No such person in this mini-program (40003).
    UnknownRecipient,
    /// A value breaks its limit: our template mapping is wrong. Nothing was sent, the tick stands.
    Unfit {
        /// Its key.
        key: String,
    },
    /// Template, value or page is wrong: our fault, a dead letter (40037, 47003, 41030).
    Rejected {
        /// WeChat's `errcode`.
        errcode: i64,
    },
}

impl WechatClient {
    /// Sends one message; it uses up one tick of the person.
    ///
    /// # Errors
    /// `unavailable` when busy or out of quota: the job stays queued.
    pub async fn subscribe_send(&self, message: &Subscribe<'_>) -> Result<SendOutcome> {
        let data: Map<String, Value> = message
            .data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!({ "value": fitted(key, value) })))
            .collect();
        // WeChat names the field only for people to read; checked here, the log names it for us.
        if let Some((key, _)) = message
            .data
            .iter()
            .find(|(key, value)| !limit::fits(key, &fitted(key, value)))
        {
            return Ok(SendOutcome::Unfit {
                key: (*key).to_owned(),
            });
        }
        let mut body = json!({
            "touser": message.openid,
            "template_id": message.template_id,
            "data": data,
            "miniprogram_state": self.miniprogram_state(),
            "lang": "zh_CN",
        });
        if let (Some(page), Some(body)) = (message.page, body.as_object_mut()) {
            body.insert("page".into(), page.into());
        }
        let (_, bytes) = self
            .with_token("/cgi-bin/message/subscribe/send", &body)
            .await?;
        let answer: Value =
            serde_json::from_slice(&bytes).map_err(|error| busy(1).because(error))?;
        let Some(fault) = ApiFault::of(&answer) else {
            return Ok(SendOutcome::Sent {
                msgid: answer.get("msgid").map(plain),
            });
        };
        match fault.code {
            43_101 => Ok(SendOutcome::NoGrant),
            40_003 => Ok(SendOutcome::UnknownRecipient),
            errcode @ (40_037 | 47_003 | 41_030) => Ok(SendOutcome::Rejected { errcode }),
            _ => Err(fault.into()),
        }
    }
}

impl WechatClient {
    /// The word this call has for the version of the mini-program.
    fn miniprogram_state(&self) -> &'static str {
        match self.inner.settings.env_version.as_str() {
            "trial" => "trial",
            "develop" => "developer",
            _ => "formal",
        }
    }
}

/// Cuts a `thing` to 19 characters and an ellipsis. A cut amount, time or phrase would say something else.
fn fitted(key: &str, value: &str) -> String {
    if !key.starts_with("thing") || value.chars().count() <= THING_CHARS {
        return value.to_owned();
    }
    value.chars().take(THING_CHARS - 1).chain(['…']).collect()
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
