//! The client: one HTTP pool, one merchant key, the keys of WeChat Pay.

use super::{
    certificate::Renewal,
    cipher::Cipher,
    key::{SigningKey, VerifyingKey},
    settings::{NOTIFY_PATH, WechatSettings, wrong},
    shelf::TokenShelf,
    token::TokenCache,
    verify::PlatformKeys,
};
use crate::{
    config::is_loopback,
    kernel::{AppError, Env, Result},
};
use reqwest::{Client, Url, redirect::Policy};
use std::{sync::Arc, time::Duration};

/// Longest time to connect (spec 1).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest time for a whole call (spec 1).
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Speaks to WeChat, or to the sandbox, which it cannot tell apart. Cheap to clone.
#[derive(Clone)]
pub struct WechatClient {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) settings: WechatSettings,
    pub(super) env: Env,
    pub(super) http: Client,
    pub(super) api_base: Url,
    pub(super) pay_base: Url,
    pub(super) merchant_key: SigningKey,
    pub(super) platform_keys: PlatformKeys,
    /// The configured key WeChat is asked to sign its answers with, if there is one.
    pub(super) platform_key_id: Option<String>,
    pub(super) renewal: Renewal,
    pub(super) cipher: Cipher,
    pub(super) token: TokenCache,
    /// Where all nodes share the token; without one each process has its own.
    pub(super) shelf: Option<TokenShelf>,
}

impl std::fmt::Debug for WechatClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WechatClient")
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}

impl WechatClient {
    /// A client for these settings.
    ///
    /// # Errors
    /// `validation` naming the setting: a base that is not https, a PEM that is no RSA key, an `APIv3` key that is not
    /// 32 bytes, sandbox keys with WeChat's own hosts.
    pub fn new(settings: WechatSettings, env: Env) -> Result<Self> {
        Self::sharing(settings, env, None)
    }

    /// A client that shares its access token with other nodes.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn sharing(settings: WechatSettings, env: Env, shelf: Option<TokenShelf>) -> Result<Self> {
        let api_base = settings.base("api_base", &settings.api_base)?;
        let pay_base = settings.base("pay_base", &settings.pay_base)?;
        let merchant_key = SigningKey::from_pem(&settings.merchant_key_pem)
            .map_err(|fault| wrong("merchant_key", "不是可用的 RSA 私钥").because(fault))?;
        let cipher =
            Cipher::new(&settings.apiv3_key).ok_or_else(|| wrong("apiv3_key", "应为 32 个字符"))?;
        let keys = settings
            .platform_keys
            .iter()
            .map(|(id, text)| VerifyingKey::from_pem(id, text).map(|key| (id.clone(), key)))
            .collect::<Result<_, _>>()
            .map_err(|fault| {
                wrong("platform_keys", "不是可用的微信支付公钥或证书").because(fault)
            })?;
        let platform_key_id = settings.platform_keys.first().map(|(id, _)| id.clone());
        if platform_key_id.is_none() && !settings.platform_certificates {
            return Err(wrong("platform_keys", "至少需要一把微信支付公钥"));
        }
        let http = http(is_loopback(&api_base) && is_loopback(&pay_base))?;
        let inner = Inner {
            settings,
            env,
            http,
            api_base,
            pay_base,
            merchant_key,
            platform_keys: PlatformKeys::new(keys),
            platform_key_id,
            renewal: Renewal::default(),
            cipher,
            token: TokenCache::default(),
            shelf,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The mini-program's id; with an openid it names a person.
    pub fn appid(&self) -> &str {
        &self.inner.settings.appid
    }

    /// The merchant number.
    pub fn mchid(&self) -> &str {
        &self.inner.settings.mchid
    }

    /// Where WeChat Pay sends notifications of our orders, refunds and transfers.
    pub(super) fn notify_url(&self) -> String {
        format!("{}{NOTIFY_PATH}", self.inner.settings.notify_base_url)
    }
}

fn http(loopback: bool) -> Result<Client> {
    let builder = Client::builder()
        .user_agent(concat!("linjian/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(CALL_TIMEOUT)
        // A redirect would carry the token in its query to somebody else.
        .redirect(Policy::none());
    // On loopback neither a proxy nor the system's root certificates (absent in small containers) have a part.
    let builder = if loopback {
        builder.no_proxy().tls_certs_only([])
    } else {
        builder
    };
    builder.build().map_err(AppError::internal)
}
