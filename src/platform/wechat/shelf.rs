//! Where nodes share the access token: one key in Redis, gone with its token (spec 1.2).
//!
//! Nothing rests on it: without Redis, or with an empty one, each node fetches for itself, and gets the same token.

use crate::{
    kernel::{AppError, OrLog, Result},
    platform::queue::link::{Address, Link},
};
use chrono::{DateTime, Utc};
use redis::{AsyncCommands, RedisResult, Script, SetExpiry, SetOptions};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;
use tokio::sync::OnceCell;

/// How long one node may take to fetch before another tries. The lock saves quota; two fetches do no harm.
const CLAIM_MS: u64 = 10_000;

/// A token and until when it is used.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Token {
    pub(super) value: String,
    pub(super) until: DateTime<Utc>,
}

/// KEYS: token. ARGV: the value that was refused. Deletes it unless another node has replaced it already.
static DROP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local held = redis.call('GET', KEYS[1])
         if not held then return 0 end
         local read, token = pcall(cjson.decode, held)
         if read and token.value ~= ARGV[1] then return 0 end
         return redis.call('DEL', KEYS[1])",
    )
});

/// The shared place of one mini-program's token.
pub struct TokenShelf {
    address: Address,
    link: OnceCell<Link>,
    token: String,
    claim: String,
}

impl TokenShelf {
    /// A shelf in this Redis; the prefix keeps deployments apart.
    ///
    /// # Errors
    /// `internal` when the URL is not usable.
    pub fn open(url: &str, prefix: &str, appid: &str) -> Result<Self> {
        Ok(Self {
            address: Address::parse(url)?,
            link: OnceCell::new(),
            token: format!("{{{prefix}}}:wx:{appid}:token"),
            claim: format!("{{{prefix}}}:wx:{appid}:token:claim"),
        })
    }

    async fn link(&self) -> RedisResult<Link> {
        self.link
            .get_or_try_init(|| self.address.connect())
            .await
            .cloned()
    }

    /// The token there, if it is still good.
    pub(super) async fn read(&self, now: DateTime<Utc>) -> Option<Token> {
        let read = async {
            self.link()
                .await?
                .get::<_, Option<String>>(&self.token)
                .await
        };
        let held = kept_quiet(read.await)??;
        let token: Token = serde_json::from_str(&held).ok()?;
        (now < token.until).then_some(token)
    }

    /// Puts a token there for as long as it is good.
    pub(super) async fn put(&self, token: &Token, now: DateTime<Utc>) {
        let Ok(text) = serde_json::to_string(token) else {
            return;
        };
        let lives = u64::try_from((token.until - now).num_milliseconds()).unwrap_or_default();
        if lives == 0 {
            return;
        }
        let options = SetOptions::default().with_expiration(SetExpiry::PX(lives));
        let put = async {
            self.link()
                .await?
                .set_options::<_, _, ()>(&self.token, text, options)
                .await
        };
        kept_quiet(put.await);
    }

    /// Whether this node shall fetch; a Redis that is away says yes.
    pub(super) async fn claim(&self) -> bool {
        let options = SetOptions::default()
            .conditional_set(redis::ExistenceCheck::NX)
            .with_expiration(SetExpiry::PX(CLAIM_MS));
        let claim = async {
            self.link()
                .await?
                .set_options::<_, _, Option<String>>(&self.claim, "1", options)
                .await
        };
        kept_quiet(claim.await).is_none_or(|made| made.is_some())
    }

    /// Lets the next node fetch.
    pub(super) async fn release(&self) {
        let release = async { self.link().await?.del::<_, ()>(&self.claim).await };
        kept_quiet(release.await);
    }

    /// Takes the refused token away, unless another is there already.
    pub(super) async fn drop_refused(&self, refused: &str) {
        let drop = async {
            let mut link = self.link().await?;
            DROP.key(&self.token)
                .arg(refused)
                .invoke_async::<()>(&mut link)
                .await
        };
        kept_quiet(drop.await);
    }
}

fn kept_quiet<T>(outcome: RedisResult<T>) -> Option<T> {
    // The category alone: a detail may quote what was sent.
    outcome
        .map_err(|error| AppError::internal(error.category().to_owned()))
        .or_log("the shared access token cannot be reached")
}
