//! A WeChat user of one mini-program (SEC-07: keyed by appid and openid, unionid proves nothing).

use crate::ids::{AccountId, WechatIdentityId};
use crate::values::Sealed;
use sea_orm::entity::prelude::*;

/// A WeChat user of one mini-program (SEC-07: keyed by appid and openid, unionid proves nothing).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "wechat_identity")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WechatIdentityId,
    /// Appid.
    pub appid: String,
    /// Never answered to a client, never logged.
    pub openid: String,
    /// Account id.
    pub account_id: AccountId,
    /// Overwritten at each login, never leaves the server (WX-08).
    pub session_key: Sealed,
    /// Last login.
    pub seen_at: DateTimeUtc,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
