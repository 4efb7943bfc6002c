//! One push: proved and opened, stored with its event in one transaction, answered (spec 1.8).

use super::{
    events::WechatPushed,
    message::{self, Attention},
    store::{self, New},
};
use crate::{kernel::Result, outbox, platform::Ctx};
use serde_json::Value;

/// Stores a verified message once and tells the house. Says whether it is new.
///
/// # Errors
/// A database fault; WeChat then sends it again.
pub(super) async fn take(ctx: &Ctx, told: &Value) -> Result<bool> {
    let event = message::event_of(told);
    let kept = message::kept(&event, told);
    let attention = message::attention(&event);
    let new = New {
        dedupe_key: message::dedupe_key(told),
        event: event.clone(),
        attention,
        detail: (attention != Attention::None).then(|| kept.clone()),
    };
    let tx = ctx.db.begin_write().await?;
    let Some(push_id) = store::insert(ctx, &tx, new).await? else {
        tx.rollback().await?;
        return Ok(false);
    };
    let pushed = WechatPushed {
        push_id,
        event,
        openid: super::text(told, "FromUserName").unwrap_or_default(),
        message: kept,
    };
    outbox::append(&tx, &ctx.env, &pushed).await?;
    ctx.commit(tx).await?;
    if attention == Attention::Act {
        tracing::warn!(event.name = %pushed.event, "WeChat tells something about the mini-program; a person must look");
    }
    Ok(true)
}
