//! A bell all nodes hear: something has changed that is worth a look at the database.
//!
//! Nothing rests on it. A ring may be lost (Redis is away, a connection was cut, a node was not listening yet); whoever
//! listens also looks by himself now and then. It carries no data.

use super::queue::link::{Address, Link};
use crate::kernel::{AppError, OrLog, Result};
use futures_util::StreamExt;
use redis::RedisResult;
use std::time::Duration;
use tokio::sync::{OnceCell, watch};

/// Pause before the channel is asked for again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a subscription may take to be made.
const SUBSCRIBE: Duration = Duration::from_secs(3);

/// Rung on one node, heard on all that share a Redis; within the process without one.
pub struct Bell {
    rung: watch::Sender<u64>,
    wire: Option<Wire>,
}

/// The channel in Redis.
struct Wire {
    address: Address,
    link: OnceCell<Link>,
    channel: String,
}

impl Bell {
    /// A bell; `prefix` keeps deployments on one Redis apart, `name` the bells of one deployment.
    ///
    /// # Errors
    /// `internal` when the URL is not usable.
    pub fn open(url: Option<&str>, prefix: &str, name: &str) -> Result<Self> {
        let wire = url
            .map(|url| {
                Ok::<_, AppError>(Wire {
                    address: Address::parse(url)?,
                    link: OnceCell::new(),
                    channel: format!("{{{prefix}}}:bell:{name}"),
                })
            })
            .transpose()?;
        Ok(Self {
            rung: watch::Sender::new(0),
            wire,
        })
    }

    /// Rings, here at once and elsewhere by Redis.
    pub async fn ring(&self) {
        self.here();
        if let Some(wire) = &self.wire {
            quiet(wire.publish().await, "a ring that other nodes do not hear");
        }
    }

    /// Hears every ring from now on; several rings in a row may be heard as one.
    pub fn ears(&self) -> watch::Receiver<u64> {
        self.rung.subscribe()
    }

    /// Brings the rings of other nodes here, until dropped.
    pub async fn relay(&self) {
        let Some(wire) = &self.wire else {
            return std::future::pending().await;
        };
        loop {
            let heard =
                tokio::time::timeout(SUBSCRIBE, wire.address.subscribe(&wire.channel)).await;
            if let Ok(Ok(mut rings)) = heard {
                // Rings of the time before are lost: one look makes up for them.
                self.here();
                while rings.next().await.is_some() {
                    self.here();
                }
            }
            tracing::debug!("the bell's channel in Redis is not open; it is asked for again");
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn here(&self) {
        self.rung
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Wire {
    async fn publish(&self) -> RedisResult<()> {
        let mut link = self
            .link
            .get_or_try_init(|| self.address.connect())
            .await?
            .clone();
        redis::cmd("PUBLISH")
            .arg(&self.channel)
            .arg("1")
            .query_async::<()>(&mut link)
            .await
    }
}

fn quiet(outcome: RedisResult<()>, what: &'static str) {
    // The category alone: a detail may quote the server's address.
    outcome
        .map_err(|error| AppError::internal(error.category().to_owned()))
        .or_log(what);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{
        queue::conformance::{redis_cluster_url, redis_url},
        vault::random_code,
    };
    use std::sync::Arc;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_ring_is_heard_here_without_redis() {
        let bell = Bell::open(None, "unused", "test").unwrap();
        let mut ears = bell.ears();
        bell.ring().await;
        tokio::time::timeout(PATIENCE, ears.changed())
            .await
            .unwrap()
            .unwrap();
    }

    #[tokio::test]
    async fn a_ring_on_one_node_is_heard_on_another_and_not_in_another_deployment() {
        heard_by_redis(&redis_url()).await;
    }

    #[tokio::test]
    async fn a_ring_is_heard_on_another_node_through_a_redis_cluster() {
        heard_by_redis(&redis_cluster_url()).await;
    }

    async fn heard_by_redis(url: &str) {
        let prefix = format!("test-{}", random_code(26).to_lowercase());
        let open = |prefix: &str| Arc::new(Bell::open(Some(url), prefix, "test").unwrap());
        let (one, other, stranger) = (open(&prefix), open(&prefix), open("somebody-else"));
        let mut listening = Vec::new();
        for bell in [&other, &stranger] {
            let (bell, mut ears) = (bell.clone(), bell.ears());
            let relay = bell.clone();
            listening.push(tokio::spawn(async move { relay.relay().await }));
            // The subscription itself rings once.
            tokio::time::timeout(PATIENCE, ears.changed())
                .await
                .unwrap()
                .unwrap();
        }
        let (mut heard, unheard) = (other.ears(), stranger.ears());
        one.ring().await;
        tokio::time::timeout(PATIENCE, heard.changed())
            .await
            .unwrap()
            .unwrap();
        assert!(!unheard.has_changed().unwrap());
        for task in listening {
            task.abort();
        }
    }

    #[tokio::test]
    async fn without_its_redis_a_bell_rings_here_and_fails_nobody() {
        let bell = Bell::open(Some("redis://127.0.0.1:1"), "away", "test").unwrap();
        let ears = bell.ears();
        bell.ring().await;
        assert!(ears.has_changed().unwrap());
    }
}
