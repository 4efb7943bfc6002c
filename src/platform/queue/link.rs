//! Connections to one Redis or to a Redis Cluster, behind one type.

use crate::kernel::{AppError, Result};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, IntoConnectionInfo, Pipeline, RedisError,
    RedisFuture, RedisResult, Value,
    aio::{
        ConnectionLike, ConnectionManager, ConnectionManagerConfig, MultiplexedConnection,
        PubSubStream,
    },
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    io::tcp::TcpSettings,
};
use std::time::Duration;

/// How long one attempt to connect may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an ordinary command may take.
const ANSWER: Duration = Duration::from_secs(3);
/// The library's own limit for a blocking read on a cluster; the reader cuts it shorter by itself.
const BLOCKED: Duration = Duration::from_hours(1);

/// Where Redis is and how to get there.
pub(in crate::platform) enum Address {
    Single(Box<Client>),
    Cluster(Box<ClusterAddress>),
}

/// One client for short commands, one without their time limit.
pub(in crate::platform) struct ClusterAddress {
    ordinary: ClusterClient,
    blocking: ClusterClient,
    nodes: Vec<ConnectionInfo>,
}

/// An open way to Redis. Cheap to clone; clones share the sockets.
#[derive(Clone)]
pub(in crate::platform) enum Link {
    Managed(ConnectionManager),
    Blocking(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// 503 with the cause; never contains the URL.
pub(super) fn away(error: RedisError) -> AppError {
    AppError::new(crate::kernel::Code::Unavailable, "消息队列暂时不可用")
        .retry_after(1)
        .because(error)
}

impl Address {
    /// Reads the URL; an error never repeats it, for it may hold a password.
    pub(in crate::platform) fn parse(url: &str) -> Result<Self> {
        let wrong = |error: RedisError| {
            AppError::internal(format!(
                "the Redis URL is not usable: {}",
                error.detail().unwrap_or(error.category())
            ))
        };
        if !url.contains("+cluster://") {
            return Ok(Self::Single(Box::new(
                Client::open(node(url).map_err(wrong)?).map_err(wrong)?,
            )));
        }
        let nodes = cluster_nodes(url).into_iter().map(|part| node(&part));
        let nodes = nodes
            .collect::<RedisResult<Vec<ConnectionInfo>>>()
            .map_err(wrong)?;
        let client = |answer: Duration| {
            ClusterClient::builder(nodes.clone())
                .tcp_settings(TcpSettings::default().set_nodelay(true))
                .connection_timeout(CONNECT)
                .response_timeout(answer)
                .build()
        };
        Ok(Self::Cluster(Box::new(ClusterAddress {
            ordinary: client(ANSWER).map_err(wrong)?,
            blocking: client(BLOCKED).map_err(wrong)?,
            nodes: nodes.clone(),
        })))
    }

    /// A connection for short commands. It reconnects by itself.
    pub(in crate::platform) async fn connect(&self) -> RedisResult<Link> {
        match self {
            Self::Single(client) => {
                let config = ConnectionManagerConfig::new()
                    .set_connection_timeout(Some(CONNECT))
                    .set_response_timeout(Some(ANSWER))
                    .set_number_of_retries(2)
                    .set_max_delay(Duration::from_secs(1));
                Ok(Link::Managed(ConnectionManager::new_lazy_with_config(
                    client.as_ref().clone(),
                    config,
                )?))
            }
            Self::Cluster(cluster) => Ok(Link::Cluster(
                cluster.ordinary.get_async_connection().await?,
            )),
        }
    }

    /// A connection of its own for blocking reads, without a time limit: whoever reads sets one and, after an error,
    /// asks for a new connection.
    pub(super) async fn connect_blocking(&self) -> RedisResult<Link> {
        match self {
            Self::Single(client) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECT))
                    .set_response_timeout(None);
                Ok(Link::Blocking(
                    client
                        .get_multiplexed_async_connection_with_config(&config)
                        .await?,
                ))
            }
            Self::Cluster(cluster) => Ok(Link::Cluster(
                cluster.blocking.get_async_connection().await?,
            )),
        }
    }

    /// What is said on a channel, on a connection of its own, until that ends. In a cluster every node hears every
    /// channel, so the first that answers will do.
    pub(in crate::platform) async fn subscribe(&self, channel: &str) -> RedisResult<PubSubStream> {
        match self {
            Self::Single(client) => listen(client, channel).await,
            Self::Cluster(cluster) => {
                let mut last = None;
                for node in &cluster.nodes {
                    match listen(&Client::open(node.clone())?, channel).await {
                        Ok(stream) => return Ok(stream),
                        Err(error) => last = Some(error),
                    }
                }
                Err(last
                    .unwrap_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound).into()))
            }
        }
    }
}

/// The URL of each node of a cluster. After the first a node may be named by host and port alone: scheme, user and password are
/// then the first's, for all nodes of a cluster have the same.
fn cluster_nodes(url: &str) -> Vec<String> {
    let (scheme, rest) = url.split_once("+cluster://").unwrap_or(("redis", url));
    let first = rest.split(',').next().unwrap_or_default();
    let user = first.rsplit_once('@').map_or("", |(user, _)| user);
    let at = if user.is_empty() { "" } else { "@" };
    let mut nodes = vec![format!("{scheme}://{first}")];
    nodes.extend(rest.split(',').skip(1).map(|part| {
        if part.contains("://") {
            part.replacen("+cluster://", "://", 1)
        } else {
            format!("{scheme}://{user}{at}{part}")
        }
    }));
    nodes
}

async fn listen(client: &Client, channel: &str) -> RedisResult<PubSubStream> {
    let mut heard = client.get_async_pubsub().await?;
    heard.subscribe(channel).await?;
    Ok(heard.into_on_message())
}

fn node(url: &str) -> RedisResult<ConnectionInfo> {
    Ok(url
        .into_connection_info()?
        .set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Managed(link) => link.req_packed_command(command),
            Self::Blocking(link) => link.req_packed_command(command),
            Self::Cluster(link) => link.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Managed(link) => link.req_packed_commands(pipeline, offset, count),
            Self::Blocking(link) => link.req_packed_commands(pipeline, offset, count),
            Self::Cluster(link) => link.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Managed(link) => link.get_db(),
            Self::Blocking(link) => link.get_db(),
            Self::Cluster(link) => link.get_db(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_of_a_cluster_may_be_named_by_host_and_port_alone() {
        assert_eq!(
            cluster_nodes(
                "rediss+cluster://shop:p%40ss@one:6379,two:6380,rediss+cluster://shop:p%40ss@three:6381"
            ),
            [
                "rediss://shop:p%40ss@one:6379",
                "rediss://shop:p%40ss@two:6380",
                "rediss://shop:p%40ss@three:6381"
            ]
        );
        assert_eq!(
            cluster_nodes("redis+cluster://one:6379,two:6379"),
            ["redis://one:6379", "redis://two:6379"]
        );
        assert!(Address::parse("redis+cluster://one:6379,two:6379").is_ok());
        assert!(Address::parse("redis+cluster://one:6379,").is_err());
    }
}
