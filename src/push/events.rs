//! What the message push tells the house.

use crate::outbox::Event;
use entity::ids::PushMessageId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// A verified message of WeChat's push, once. Rooms pick the events they know by `event`.
#[derive(Debug, Serialize, Deserialize)]
pub struct WechatPushed {
    /// Its row; the event's subject.
    pub push_id: PushMessageId,
    /// `wxa_media_check`, `subscribe_msg_popup_event`, `user_authorization_revoke` …; empty for a plain message.
    pub event: String,
    /// `FromUserName`: whom it is about, as an openid.
    pub openid: String,
    /// The message as JSON, whatever form it came in; field names as WeChat writes them.
    pub message: Value,
}

impl Event for WechatPushed {
    const KIND: &'static str = "wechat.pushed.v1";

    fn subject(&self) -> Uuid {
        self.push_id.0
    }
}

impl WechatPushed {
    /// A field of the message as text, whether WeChat wrote a text or a number.
    pub fn text(&self, name: &str) -> Option<String> {
        text(&self.message, name)
    }

    /// The items of `List`: templates a person decided on, messages that were sent.
    pub fn list(&self) -> impl Iterator<Item = &Value> {
        self.message
            .get("List")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    }
}

/// A field as text: in XML every number is one, in JSON some are.
pub fn text(message: &Value, name: &str) -> Option<String> {
    match message.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
