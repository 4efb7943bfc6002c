//! What WeChat tells about ticks and messages: the ledger of ticks is filled by nothing else (spec 1.4).

use super::{
    answer::{Answer, Source},
    send, store,
};
use crate::{
    identity,
    kernel::{AppError, Code, Result},
    outbox::{Consumer, Delivered, Event, Registry},
    platform::Ctx,
    push::{self, WechatPushed},
};
use chrono::Duration;
use entity::ids::AccountId;
use sea_orm::DatabaseTransaction;
use serde_json::Value;

/// Registers the messages' consumer.
pub fn consumers(registry: Registry) -> Registry {
    registry.with(Pushes)
}

/// The person decided in the mini-program's pop-up.
const POPUP: &str = "subscribe_msg_popup_event";
/// The person decided in WeChat's own settings.
const CHANGE: &str = "subscribe_msg_change_event";
/// A message was delivered, or not.
const SENT: &str = "subscribe_msg_sent_event";
const EVENTS: [&str; 3] = [POPUP, CHANGE, SENT];
/// The person wants no message (43101).
const REFUSED: &str = "43101";
/// A message that is still being handed over after this has lost its consumer; nothing will note its number.
const NOTED_WITHIN: Duration = Duration::minutes(10);

struct Pushes;

#[async_trait::async_trait]
impl Consumer for Pushes {
    fn name(&self) -> &'static str {
        "notify.pushes"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[WechatPushed::KIND]
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        let pushed: WechatPushed = event.read()?;
        if !EVENTS.contains(&pushed.event.as_str()) {
            return Ok(());
        }
        // Somebody who never logged in has nothing to be sent.
        let account = identity::account_of_openid(ctx, tx, &pushed.openid).await?;
        let Some(account) = account else {
            return Ok(());
        };
        let Some(ours) = send::template(ctx) else {
            return Ok(());
        };
        for item in pushed.list() {
            // Other templates of the same mini-program are not ours to count.
            if push::text(item, "TemplateId").as_deref() != Some(ours) {
                continue;
            }
            if pushed.event == SENT {
                sent(ctx, tx, (account, ours), item).await?;
            } else {
                decided(ctx, tx, (account, ours), &pushed.event, item).await?;
            }
        }
        Ok(())
    }
}

/// The person ticked or refused in the pop-up, or changed his mind in WeChat's settings.
async fn decided(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    (account, template): (AccountId, &str),
    event: &str,
    item: &Value,
) -> Result<()> {
    let said = push::text(item, "SubscribeStatusString").unwrap_or_default();
    let Some(answer) = Answer::of_word(&said) else {
        return Ok(());
    };
    store::answered(ctx, tx, account, (template, answer, Source::Wechat)).await?;
    match (event, answer) {
        // WX-09: one accept, one message.
        (POPUP, Answer::Accept) => store::tick(ctx, tx, account, template).await,
        // Whoever switches a template off takes the ticks he had given with it.
        (CHANGE, Answer::Reject | Answer::Ban) => store::exhaust(tx, account, template).await,
        // A refused pop-up gives nothing; what was ticked before stays. Switching on again is no tick.
        _ => Ok(()),
    }
}

/// What became of a message. WeChat may know before we have noted that it was handed over.
async fn sent(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    (account, template): (AccountId, &str),
    item: &Value,
) -> Result<()> {
    let Some(msgid) = push::text(item, "MsgID") else {
        return Ok(());
    };
    let code = push::text(item, "ErrorCode").unwrap_or_default();
    if code == REFUSED {
        store::exhaust(tx, account, template).await?;
    }
    let status = if matches!(code.as_str(), "" | "0") {
        ("delivered", msgid.as_str())
    } else {
        ("failed", code.as_str())
    };
    if store::settle(tx, account, &msgid, status).await? {
        return Ok(());
    }
    let since = ctx.env.now().checked_sub_signed(NOTED_WITHIN);
    if store::is_sending(tx, account, since.unwrap_or_default()).await? {
        return Err(AppError::new(Code::Unavailable, "消息刚刚交给微信"));
    }
    Ok(())
}
