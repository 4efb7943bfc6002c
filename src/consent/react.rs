//! Consents people take back in WeChat itself (spec 0.5): an authorisation revoked, or the whole account closed.

use super::{ledger::Expression, store, withdraw};
use crate::{
    http::RequestMeta,
    identity,
    kernel::{Code, Result},
    outbox::{Consumer, Delivered, Event, Registry},
    platform::Ctx,
    push::{self, WechatPushed},
};
use entity::ids::AccountId;
use sea_orm::DatabaseTransaction;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Somebody takes back one authorisation of the mini-program.
const REVOKED: &str = "user_authorization_revoke";
/// Somebody closes his account of the mini-program.
const CLOSED: &str = "user_authorization_cancellation";

/// Registers the consumer.
pub fn consumers(registry: Registry) -> Registry {
    registry.with(Pushes)
}

/// The purposes that rest on what a code of `RevokeInfo` stands for. What the contract needs (the phone of an order)
/// rests on the contract and stays until the order is done.
fn purposes_of(code: &str) -> &'static [&'static str] {
    match code {
        // Phone number.
        "8" => &["mkt_sms", "mkt_call"],
        // Location, once or all the time.
        "13" | "18" => &["worker_location"],
        // Pictures.
        "14" => &[
            "photo_capture",
            "photo_internal",
            "photo_showcase",
            "id_card",
            "match_profile",
        ],
        // Nickname and portrait: where a name, even a masked one, is shown to others.
        "6" | "19" | "20" => &["review_public", "graph_analysis"],
        _ => &[],
    }
}

struct Pushes;

#[async_trait::async_trait]
impl Consumer for Pushes {
    fn name(&self) -> &'static str {
        "consent.pushes"
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
        if ![REVOKED, CLOSED].contains(&pushed.event.as_str()) {
            return Ok(());
        }
        // These events come from WeChat's own push account; the person stands in a field.
        let openid = pushed
            .text("OpenID")
            .unwrap_or_else(|| pushed.openid.clone());
        let account = identity::account_of_openid(ctx, tx, &openid).await?;
        let Some(account) = account else {
            return Ok(());
        };
        if pushed.event == REVOKED {
            let codes = pushed.text("RevokeInfo").unwrap_or_default();
            let codes = codes.split(|c: char| !c.is_ascii_digit());
            let purposes = codes.flat_map(purposes_of).map(|&one| one.to_owned());
            return take_back(ctx, tx, account, purposes.collect(), &pushed).await;
        }
        let standing = store::of_subject(tx, account).await?;
        let purposes = standing.into_iter().map(|row| row.purpose).collect();
        take_back(ctx, tx, account, purposes, &pushed).await?;
        // RET-14: what is then to be deleted, and what the law keeps, is for people to decide within 15 working days.
        let detail = json!({ "account_id": account, "task": "用户已在微信注销,请在 15 个工作日内删除或匿名化其信息" });
        push::raise(tx, pushed.push_id, detail).await
    }
}

/// Withdraws what is open of these purposes. That WeChat said so, and in which message, is the evidence.
async fn take_back(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    account: AccountId,
    purposes: BTreeSet<String>,
    pushed: &WechatPushed,
) -> Result<()> {
    let meta = RequestMeta {
        request_id: pushed.push_id.to_string(),
        address_masked: "-".into(),
        device: "wechat",
    };
    let how = Expression {
        channel: "wechat_push",
        screen: None,
        app_version: None,
        meta: &meta,
    };
    for purpose in purposes {
        match withdraw::withdraw(ctx, tx, account, &purpose, None, &how).await {
            // Never asked, never granted: nothing to take back.
            Err(error) if matches!(error.code, Code::InvalidState | Code::NotFound) => {}
            done => drop(done?),
        }
    }
    Ok(())
}
