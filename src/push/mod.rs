//! WeChat's message push: verified, opened, stored once, answered; handled from the queue (spec 1.8).
//!
//! Owns `push_message`. Emits `wechat.pushed.v1`.

mod events;

pub use events::WechatPushed;
