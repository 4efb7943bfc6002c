//! The capabilities a use case may ask for. No feature data.

use super::{
    Bell, Db, blob::Blobs, limiter::Limits, queue::Queue, vault::Vault, wechat::WechatClient,
};
use crate::{
    config::Settings,
    kernel::{Env, Result, ShiftClock},
};
use sea_orm::DatabaseTransaction;
use std::sync::Arc;
use tokio::sync::Notify;

/// Everything the outside world offers, built once by `app.rs` and cloned freely.
#[derive(Clone)]
pub struct Ctx {
    /// The database.
    pub db: Db,
    /// Time and ids.
    pub env: Env,
    /// The event queue.
    pub queue: Arc<dyn Queue>,
    /// Photos and posters.
    pub blobs: Arc<dyn Blobs>,
    /// WeChat, or its sandbox.
    pub wechat: WechatClient,
    /// Rate limits.
    pub limits: Arc<Limits>,
    /// Field encryption and random tokens.
    pub vault: Arc<Vault>,
    /// Settings.
    pub config: Arc<Settings>,
    /// The movable clock behind `env`; `Some` in sandbox mode alone.
    pub test_clock: Option<ShiftClock>,
    /// Rung on nodes that do not work when they wrote events, heard on those that do.
    pub door: Arc<Bell>,
    /// Rung after a commit that wrote events, so that the relay does not wait for its poll.
    pub wake: Arc<Notify>,
    /// Rung when another version of the rules is in force or waits for its moment, so that every node makes it ready.
    pub bell: Arc<Bell>,
}

impl Ctx {
    /// Commits and rings the relay.
    ///
    /// # Errors
    /// A database fault; then nothing was written.
    pub async fn commit(&self, tx: DatabaseTransaction) -> Result<()> {
        tx.commit().await?;
        self.wake.notify_one();
        Ok(())
    }

    /// Base address customers see, without a trailing slash.
    pub fn public_url(&self) -> &str {
        self.config.http.public_url.trim_end_matches('/')
    }
}
