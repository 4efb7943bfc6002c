//! What a message is to us: its key, what of it goes on, who should look at it. Pure.

use super::events::text;
use crate::platform::vault::sha256_hex;
use serde_json::{Map, Value, json};

/// Where a message stands in the staff's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attention {
    /// Not there: a room handles it, or nobody.
    None,
    /// To be read when wanted.
    Log,
    /// To be looked at and acknowledged.
    Act,
}

impl Attention {
    /// The stored word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Log => "log",
            Self::Act => "act",
        }
    }
}

/// Fields that tell two messages of the same person, second and event apart; a retry repeats them all.
const TELLING: [&str; 7] = [
    "trace_id",
    "OpenID",
    "RevokeInfo",
    "List",
    "transaction_id",
    "merchant_trade_no",
    "out_trade_no",
];
/// Fields that say who, or that the columns say already.
const ENVELOPE: [&str; 4] = ["ToUserName", "FromUserName", "Event", "MsgType"];
/// Longest text of an account event that staff see.
const LONGEST: usize = 500;

/// `MsgId`, else who, when and what (spec 1.8); hashed, so that the key itself tells nothing.
pub(super) fn dedupe_key(message: &Value) -> String {
    let key = if let Some(id) = text(message, "MsgId") {
        json!(["id", id])
    } else {
        let plain = ["FromUserName", "CreateTime", "Event"].map(|name| text(message, name));
        let telling = TELLING.map(|name| message.get(name));
        json!(["event", plain, telling])
    };
    sha256_hex(key.to_string().as_bytes())
}

/// The event's name; empty for what a person wrote.
pub(super) fn event_of(message: &Value) -> String {
    let event = text(message, "Event").unwrap_or_default();
    event.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// Whether an event is about the mini-program as a whole and not about a person.
fn is_account_event(event: &str) -> bool {
    let families = ["wxa_", "weapp_", "trade_manage_"];
    event != "wxa_media_check" && families.iter().any(|family| event.starts_with(family))
}

/// Who should look: a penalty or a duty to act waits for a word, a settled order is only noted.
pub(super) fn attention(event: &str) -> Attention {
    if !is_account_event(event) {
        Attention::None
    } else if event == "trade_manage_order_settlement" {
        Attention::Log
    } else {
        Attention::Act
    }
}

/// What handlers need. What a customer wrote, and events nobody knows, lose everything but their frame.
pub(super) fn kept(event: &str, message: &Value) -> Value {
    let wanted: &[&str] = match event {
        "subscribe_msg_popup_event" | "subscribe_msg_change_event" | "subscribe_msg_sent_event" => {
            &["List"]
        }
        "user_authorization_revoke" | "user_authorization_cancellation" => {
            &["OpenID", "RevokeInfo"]
        }
        "wxa_media_check" => &[
            "appid", "trace_id", "version", "detail", "errcode", "errmsg", "result",
        ],
        event if is_account_event(event) => return about_account(message),
        _ => &[],
    };
    let frame = ["MsgType", "Event", "CreateTime", "MsgId"];
    let fields = frame.iter().chain(wanted).filter_map(|name| {
        let value = message.get(*name)?;
        Some(((*name).to_owned(), storable(value)))
    });
    Value::Object(fields.collect())
}

/// An account event for staff: all its fields, except who is named in them.
fn about_account(message: &Value) -> Value {
    let Value::Object(fields) = storable(message) else {
        return Value::Null;
    };
    let names_nobody =
        |name: &str| !ENVELOPE.contains(&name) && !name.to_ascii_lowercase().contains("openid");
    let fields: Map<String, Value> = fields
        .into_iter()
        .filter(|(name, _)| names_nobody(name))
        .collect();
    Value::Object(fields)
}

/// The value without control characters, which PostgreSQL does not keep in JSON, and without endless texts.
fn storable(value: &Value) -> Value {
    let plain = |text: &str| -> String {
        let visible = text.chars().filter(|c| !c.is_control() || *c == '\n');
        visible.take(LONGEST).collect()
    };
    match value {
        Value::String(text) => plain(text).into(),
        Value::Array(items) => items.iter().map(storable).collect(),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (plain(name), storable(value)));
            Value::Object(fields.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_has_the_same_key_and_another_message_another() {
        let told = |event: &Value| dedupe_key(event);
        let popup = json!({ "FromUserName": "o", "CreateTime": 7, "Event": "e", "trace_id": "a" });
        let as_text =
            json!({ "Event": "e", "CreateTime": "7", "FromUserName": "o", "trace_id": "a" });
        assert_eq!(told(&popup), told(&as_text));
        for (field, value) in [
            ("FromUserName", json!("p")),
            ("CreateTime", json!(8)),
            ("Event", json!("f")),
            ("trace_id", json!("b")),
            ("RevokeInfo", json!("8")),
        ] {
            let mut other = popup.clone();
            other[field] = value;
            assert_ne!(told(&popup), told(&other), "{field}");
        }
        let numbered = json!({ "MsgId": 23_456_789_012_345_678_u64, "CreateTime": 7 });
        let again = json!({ "MsgId": "23456789012345678", "CreateTime": 8 });
        assert_eq!(told(&numbered), told(&again));
    }

    #[test]
    fn what_a_customer_wrote_is_not_kept() {
        let text = json!({ "FromUserName": "o", "MsgType": "text", "Content": "阿姨什么时候到?", "MsgId": 1 });
        assert_eq!(kept("", &text), json!({ "MsgType": "text", "MsgId": 1 }));
        let unknown = json!({ "Event": "debug_demo", "debug_str": "x", "MsgType": "event" });
        assert_eq!(
            kept("debug_demo", &unknown),
            json!({ "Event": "debug_demo", "MsgType": "event" })
        );
    }

    #[test]
    fn account_events_keep_their_fields_but_no_person() {
        let punish = json!({
            "ToUserName": "gh", "FromUserName": "o", "Event": "wxa_punish_event", "MsgType": "event", "CreateTime": 7,
            "reason": "滥用分享\u{0}", "user_openid": "o",
        });
        assert_eq!(
            kept("wxa_punish_event", &punish),
            json!({ "CreateTime": 7, "reason": "滥用分享" })
        );
        assert_eq!(attention("wxa_punish_event"), Attention::Act);
        assert_eq!(attention("trade_manage_order_settlement"), Attention::Log);
        assert_eq!(attention("wxa_media_check"), Attention::None);
        assert_eq!(attention("user_info_modified"), Attention::None);
    }
}
