//! Message pushes of the sandbox's mini-program to our own callback (spec 1.8).

use super::{APPID, MARK, Sandbox, post::Parcel, trade::digits};
use crate::kernel::{AppError, Result};
use crate::platform::wechat::{push_seal::PushKey, settings::PUSH_PATH};
use actix_web::{middleware::DefaultHeaders, web};
use chrono::Duration;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The sandbox's mini-program as a user of WeChat's own network.
const ORIGINAL_ID: &str = "gh_5a6e64626f78";
/// Most copies of one push at once.
const MOST_COPIES: usize = 50;
/// When a push that was not taken at once is tried again.
const AGAIN: Duration = Duration::seconds(5);

/// The form a push is written in; the console's choice in life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PushFormat {
    /// JSON.
    #[default]
    Json,
    /// XML with CDATA.
    Xml,
}

/// What is wrong with a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PushTrouble {
    /// One letter of `msg_signature` is another; `signature` still holds.
    BadSignature,
    /// One bit of the ciphertext is flipped after signing.
    Ciphertext,
    /// In the clear, as in plain mode.
    Plain,
    /// Sealed for another mini-program.
    Foreign,
    /// The sealed XML has a document type with an entity.
    Doctype,
}

/// `POST /sandbox/push`: the fields of an event, and how to deliver it.
#[derive(Debug, Deserialize)]
struct PushIn {
    /// JSON or XML.
    #[serde(default)]
    format: PushFormat,
    /// Copies, delivered at once, 1 to 50.
    times: Option<usize>,
    /// What is wrong with all of them.
    trouble: Option<PushTrouble>,
    /// `FromUserName`, `Event` … as WeChat names them; addressee and time are filled in.
    #[serde(flatten)]
    event: Map<String, Value>,
}

/// What `POST /sandbox/push` answers.
#[derive(Debug, Serialize)]
struct PushOut {
    delivered: Vec<Answered>,
}

/// The receiver's answer to one copy.
#[derive(Clone, Debug, Serialize)]
struct Answered {
    /// HTTP status; 0 when there was no answer.
    status: u16,
    /// `success`, or why not.
    body: String,
}

/// Mounts the control on the main listener.
pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/sandbox/push")
            .wrap(DefaultHeaders::new().add(MARK))
            .route(web::post().to(control)),
    );
}

async fn control(body: web::Bytes, sandbox: web::Data<Sandbox>) -> Result<web::Json<PushOut>> {
    let input: PushIn = serde_json::from_slice(&body)
        .map_err(|error| AppError::field("", "json", error.to_string()))?;
    let copies = input.times.unwrap_or(1);
    if !(1..=MOST_COPIES).contains(&copies) {
        return Err(AppError::field(
            "/times",
            "range",
            "times 应在 1 到 50 之间",
        ));
    }
    let event = sandbox.dated(Value::Object(input.event));
    let one = || sandbox.push_once(&event, input.format, input.trouble);
    let delivered = join_all((0..copies).map(|_| one())).await;
    let delivered = delivered.into_iter().collect::<Result<_>>()?;
    Ok(web::Json(PushOut { delivered }))
}

impl Sandbox {
    /// Pushes an event to the backend, `after` from now by the injected clock. Sealed as in WeChat's secure mode.
    pub(super) fn push(&self, event: Value, after: Duration) {
        self.post(Parcel::Push(self.dated(event)), after);
    }

    /// Pushes an event now and waits for the answer; whether the backend took it. What it does not take is tried again
    /// like any other.
    pub async fn push_now(&self, event: Value) -> bool {
        let event = self.dated(event);
        let taken = self.deliver_push(&event).await;
        if !taken {
            self.post(Parcel::Push(event), AGAIN);
        }
        taken
    }

    /// One try; whether the backend took it.
    pub(super) async fn deliver_push(&self, event: &Value) -> bool {
        let answer = self.push_once(event, PushFormat::Json, None).await;
        answer.is_ok_and(|answer| {
            answer.status == 200 && matches!(answer.body.as_str(), "" | "success")
        })
    }

    /// What every push carries. A retry is the same message, so it is dated once.
    fn dated(&self, mut event: Value) -> Value {
        if let Value::Object(fields) = &mut event {
            let mut fill = |name: &str, value: Value| {
                fields.entry(name).or_insert(value);
            };
            fill("ToUserName", ORIGINAL_ID.into());
            fill("FromUserName", "sandbox".into());
            fill("CreateTime", self.inner.env.now().timestamp().into());
            fill("MsgType", "event".into());
        }
        event
    }

    async fn push_once(
        &self,
        event: &Value,
        format: PushFormat,
        trouble: Option<PushTrouble>,
    ) -> Result<Answered> {
        let none = Answered {
            status: 0,
            body: String::new(),
        };
        let Some(backend) = self.inner.backend.get() else {
            return Ok(none);
        };
        let (query, body) = self.letter_of(event, format, trouble)?;
        let request = self
            .inner
            .courier
            .post(format!("{backend}{PUSH_PATH}?{query}"))
            .header(
                "Content-Type",
                match format {
                    PushFormat::Json => "application/json",
                    PushFormat::Xml => "text/xml",
                },
            )
            .body(body);
        match request.send().await {
            Ok(answer) => Ok(Answered {
                status: answer.status().as_u16(),
                body: answer.text().await.unwrap_or_default(),
            }),
            Err(error) => {
                tracing::info!(error = %error.without_url(), "a sandbox push got no answer");
                Ok(none)
            }
        }
    }

    /// Query string and body of one try, sealed and signed anew.
    fn letter_of(
        &self,
        event: &Value,
        format: PushFormat,
        trouble: Option<PushTrouble>,
    ) -> Result<(String, String)> {
        let secrets = &self.inner.secrets;
        let appid = match trouble {
            Some(PushTrouble::Foreign) => "wx5a6e64626f780002",
            _ => APPID,
        };
        let key = PushKey::new(&secrets.push_token, &secrets.push_aes_key, appid)
            .ok_or_else(|| AppError::internal("the sandbox has no push key"))?;
        let plain = match format {
            PushFormat::Json => event.to_string(),
            PushFormat::Xml => written(event, trouble == Some(PushTrouble::Doctype)),
        };
        let random = random16()?;
        let sealed = key.seal(&random, plain.as_bytes());
        let mut sealed =
            sealed.ok_or_else(|| AppError::internal("a push that cannot be sealed"))?;
        let timestamp = self.inner.env.now().timestamp().to_string();
        let nonce = digits(10).map_err(|_| AppError::internal("no randomness"))?;
        let mut msg_signature = key.sign(&timestamp, &nonce, &sealed);
        match trouble {
            Some(PushTrouble::BadSignature) => msg_signature = other_end(&msg_signature),
            Some(PushTrouble::Ciphertext) => sealed = other_start(&sealed),
            Some(PushTrouble::Plain | PushTrouble::Foreign | PushTrouble::Doctype) | None => {}
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("signature", &key.sign_address(&timestamp, &nonce))
            .append_pair("timestamp", &timestamp)
            .append_pair("nonce", &nonce);
        if trouble == Some(PushTrouble::Plain) {
            return Ok((query.finish(), plain));
        }
        if let Some(openid) = event.get("FromUserName").and_then(Value::as_str) {
            query.append_pair("openid", openid);
        }
        query
            .append_pair("encrypt_type", "aes")
            .append_pair("msg_signature", &msg_signature);
        let to = event.get("ToUserName").cloned().unwrap_or_default();
        let envelope = json!({ "ToUserName": to, "Encrypt": sealed });
        let body = match format {
            PushFormat::Json => envelope.to_string(),
            PushFormat::Xml => written(&envelope, false),
        };
        Ok((query.finish(), body))
    }
}

/// Sixteen letters and digits, as WeChat puts in front.
fn random16() -> Result<[u8; 16]> {
    let text = digits(16).map_err(|_| AppError::internal("no randomness"))?;
    text.into_bytes()
        .try_into()
        .map_err(|_| AppError::internal("not sixteen digits"))
}

/// The text with its last letter replaced.
fn other_end(text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if let Some(last) = letters.last_mut() {
        *last = if *last == '0' { '1' } else { '0' };
    }
    letters.into_iter().collect()
}

/// The text with its first letter replaced.
fn other_start(text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if let Some(first) = letters.first_mut() {
        *first = if *first == 'A' { 'B' } else { 'A' };
    }
    letters.into_iter().collect()
}

/// An event as WeChat writes it in XML: CDATA, lists by repetition, the list of a subscription event in a wrapper.
fn written(event: &Value, doctype: bool) -> String {
    let mut fields = event.as_object().cloned().unwrap_or_default();
    let wrapper = match event.get("Event").and_then(Value::as_str) {
        Some("subscribe_msg_popup_event") => Some("SubscribeMsgPopupEvent"),
        Some("subscribe_msg_change_event") => Some("SubscribeMsgChangeEvent"),
        Some("subscribe_msg_sent_event") => Some("SubscribeMsgSentEvent"),
        _ => None,
    };
    if let (Some(wrapper), Some(list)) = (wrapper, fields.remove("List")) {
        fields.insert(wrapper.to_owned(), json!({ "List": list }));
    }
    let start = if doctype {
        "<!DOCTYPE xml [<!ENTITY who \"x\">]>"
    } else {
        ""
    };
    format!("{start}{}", element("xml", &Value::Object(fields)))
}

fn element(name: &str, value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(|item| element(name, item)).collect(),
        Value::Object(fields) => {
            let inner: String = fields
                .iter()
                .map(|(name, value)| element(name, value))
                .collect();
            format!("<{name}>{inner}</{name}>")
        }
        Value::String(text) => {
            // The one thing CDATA cannot hold is its own end.
            let text = text.replace("]]>", "]]]]><![CDATA[>");
            format!("<{name}><![CDATA[{text}]]></{name}>")
        }
        Value::Null => format!("<{name}></{name}>"),
        Value::Bool(_) | Value::Number(_) => format!("<{name}>{value}</{name}>"),
    }
}
