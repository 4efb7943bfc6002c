//! A message in three steps: claim the tick and the occasion, hand it to WeChat, note how it went.

use super::store;
use crate::{
    config::{Settings, WechatMode},
    consent::{Granted, MktWechat},
    identity,
    kernel::{AppError, Result},
    platform::{
        Ctx,
        wechat::{SendOutcome, Subscribe, answer_lost},
    },
};
use entity::ids::{AccountId, MessageId};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The template of the sandbox's service notice; live shops name theirs in `wechat.service_template`.
const SANDBOX_TEMPLATE: &str = crate::platform::wechat::sandbox::TEMPLATE;

/// A message that is ours to send: a tick is used, the occasion taken.
pub struct Notice {
    id: MessageId,
    account: AccountId,
    openid: String,
    template: String,
}

/// How a message ended; the consumer stores it with its inbox row.
#[derive(Debug, Serialize, Deserialize)]
pub struct Posted {
    id: MessageId,
    account: AccountId,
    template: String,
    status: String,
    detail: String,
}

/// The fields every notice fills: what it is about, when, what to do. The template must have just these.
pub const FIELDS: [&str; 3] = ["thing1", "time2", "thing3"];

/// The template in use, if the shop has one.
pub fn template_of(settings: &Settings) -> Option<&str> {
    let named = settings.wechat.service_template.as_str();
    match (named, settings.wechat.mode) {
        ("", WechatMode::Live) => None,
        ("", WechatMode::Sandbox) => Some(SANDBOX_TEMPLATE),
        (named, _) => Some(named),
    }
}

/// [`template_of`] this deployment.
pub(super) fn template(ctx: &Ctx) -> Option<&str> {
    template_of(&ctx.config)
}

/// First step: whoever holds the person's consent may claim. `None` when no template is set, nothing is ticked, or the
/// occasion has its message: the person then finds the invitation in the app.
///
/// # Errors
/// A database fault.
pub async fn claim(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    proof: &Granted<'_, MktWechat>,
    occasion: Uuid,
) -> Result<Option<Notice>> {
    let account = proof.subject();
    let Some(template) = template(ctx) else {
        return Ok(None);
    };
    let Some(openid) = identity::openid_of(ctx, tx, account).await? else {
        return Ok(None);
    };
    let Some(id) = store::take(ctx, tx, account, template, occasion).await? else {
        return Ok(None);
    };
    if !store::use_tick(ctx, tx, account, template).await? {
        store::forget(tx, id).await?;
        return Ok(None);
    }
    Ok(Some(Notice {
        id,
        account,
        openid,
        template: template.to_owned(),
    }))
}

/// Second step, outside any transaction. A busy WeChat gives tick and occasion back, so that the event's retry sends it.
///
/// # Errors
/// `unavailable`: nothing was sent, try again later.
pub async fn deliver(
    ctx: &Ctx,
    notice: Notice,
    page: &str,
    data: &[(&str, &str)],
) -> Result<Posted> {
    let Notice {
        id,
        account,
        openid,
        template,
    } = notice;
    let message = Subscribe {
        openid: &openid,
        template_id: &template,
        page: Some(page),
        data,
    };
    let outcome = match ctx.wechat.subscribe_send(&message).await {
        Ok(outcome) => outcome,
        // It may have gone out: one tick, one message, so the tick is spent and nothing is sent again.
        Err(error) if answer_lost(&error) => {
            tracing::warn!(message.id = %id, "nobody knows whether a message went out");
            return Ok(Posted {
                id,
                account,
                template,
                status: "unknown".to_owned(),
                detail: String::new(),
            });
        }
        Err(error) => return Err(take_back(ctx, id, account, &template, error).await),
    };
    let (status, detail) = match outcome {
        SendOutcome::Sent { msgid } => ("sent", msgid.unwrap_or_default()),
        SendOutcome::NoGrant => ("refused", "43101".to_owned()),
        SendOutcome::UnknownRecipient => ("failed", "40003".to_owned()),
        SendOutcome::Rejected { errcode } => ("failed", errcode.to_string()),
        SendOutcome::Unfit { key } => ("failed", format!("47003 {key}")),
    };
    Ok(Posted {
        id,
        account,
        template,
        status: status.to_owned(),
        detail,
    })
}

async fn take_back(
    ctx: &Ctx,
    id: MessageId,
    account: AccountId,
    template: &str,
    error: AppError,
) -> AppError {
    let undone = async {
        let tx = ctx.db.begin_write().await?;
        store::forget(&tx, id).await?;
        store::give_back(&tx, account, template).await?;
        ctx.commit(tx).await
    };
    match undone.await {
        Ok(()) => error,
        Err(worse) => worse,
    }
}

/// Third step, in the consumer's transaction.
///
/// # Errors
/// A database fault.
pub async fn record(tx: &DatabaseTransaction, posted: &Posted) -> Result<()> {
    if posted.status == "refused" {
        store::exhaust(tx, posted.account, &posted.template).await?;
    }
    if posted.status == "failed" {
        tracing::error!(message.id = %posted.id, errcode = %posted.detail, "WeChat refused a message for good");
    }
    store::note(tx, posted.id, &posted.status, &posted.detail).await
}
