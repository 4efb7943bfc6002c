//! What the client must know about itself and about WeChat.

use crate::{
    config::is_loopback,
    kernel::{AppError, Code, Result},
};
use reqwest::Url;

/// Where the API takes WeChat Pay's notifications, below [`WechatSettings::notify_base_url`].
pub const NOTIFY_PATH: &str = "/api/v1/webhooks/wechat-pay";

/// Where the API takes message pushes, below [`WechatSettings::notify_base_url`].
pub const PUSH_PATH: &str = "/api/v1/webhooks/wechat-push";

/// Marks the key ids of the sandbox; a client that talks to WeChat itself refuses them.
pub(super) const SANDBOX_KEY_ID: &str = "PUB_KEY_ID_SANDBOX_";

/// Ids, keys and hosts; the app fills it from its settings or takes the sandbox's.
#[derive(Clone)]
pub struct WechatSettings {
    /// Mini-program id.
    pub appid: String,
    /// Mini-program secret.
    pub app_secret: String,
    /// Mini-program host, `https://api.weixin.qq.com`.
    pub api_base: String,
    /// WeChat Pay host, `https://api.mch.weixin.qq.com`.
    pub pay_base: String,
    /// Merchant number.
    pub mchid: String,
    /// Serial of the merchant certificate, 40 hex digits.
    pub merchant_serial: String,
    /// The merchant's private key, PEM (PKCS#8 or PKCS#1).
    pub merchant_key_pem: String,
    /// `APIv3` key, 32 bytes; opens what notifications carry.
    pub apiv3_key: String,
    /// Keys WeChat signs with: (public key id or certificate serial, PEM of the key or certificate). The first is the
    /// one asked for with `Wechatpay-Serial`; during WeChat's change-over both are held (spec 2.2).
    pub platform_keys: Vec<(String, String)>,
    /// Whether platform certificates are fetched and renewed as well.
    pub platform_certificates: bool,
    /// Our public address, without a trailing slash.
    pub notify_base_url: String,
    /// Token of the message push.
    pub push_token: String,
    /// `EncodingAESKey` of the message push, 43 characters.
    pub push_aes_key: String,
    /// Version of the mini-program that codes, links and messages open: `release`, `trial`, `develop`.
    pub env_version: String,
}

impl std::fmt::Debug for WechatSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WechatSettings")
            .field("appid", &self.appid)
            .field("mchid", &self.mchid)
            .field("api_base", &self.api_base)
            .field("pay_base", &self.pay_base)
            .finish_non_exhaustive()
    }
}

impl WechatSettings {
    /// Reads a host: https, or loopback for the sandbox. Sandbox keys stay on loopback.
    pub(super) fn base(&self, name: &'static str, text: &str) -> Result<Url> {
        let url = Url::parse(text).map_err(|error| wrong(name, "不是网址").because(error))?;
        if is_loopback(&url) {
            return Ok(url);
        }
        if url.scheme() != "https" {
            return Err(wrong(name, "应为 https 地址"));
        }
        if self
            .platform_keys
            .iter()
            .any(|(id, _)| id.starts_with(SANDBOX_KEY_ID))
        {
            return Err(wrong("platform_keys", "沙箱密钥不能用于正式环境"));
        }
        Ok(url)
    }
}

/// A fault of one setting, named so that the operator finds it.
pub(super) fn wrong(name: &'static str, why: &str) -> AppError {
    AppError::new(Code::Validation, format!("wechat.{name}:{why}"))
}
