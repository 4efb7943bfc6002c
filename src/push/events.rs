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
