//! What every queue must do, run on memory and on Redis.

use super::{Message, Queue, open, open_with};
use crate::{kernel::Code, platform::vault::random_code};
use std::{collections::HashSet, sync::Arc, time::Duration};
use uuid::Uuid;

const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(5);

fn ids(first: u128, count: u128) -> Vec<Uuid> {
    (first..first + count).map(Uuid::from_u128).collect()
}

/// Receives until `count` messages are there or a whole wait brought nothing.
async fn take(queue: &dyn Queue, count: usize) -> Vec<Message> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let messages = queue.receive(count - taken.len(), PATIENCE).await.unwrap();
        if messages.is_empty() {
            break;
        }
        taken.extend(messages);
    }
    taken
}

async fn is_empty(queue: &dyn Queue) -> bool {
    queue.receive(10, Duration::ZERO).await.unwrap().is_empty()
}

fn event_ids(messages: &[Message]) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = messages.iter().map(|message| message.event_id).collect();
    ids.sort();
    ids
}

async fn everything_published_arrives_and_what_is_acked_is_gone(queue: &dyn Queue) {
    queue.ping().await.unwrap();
    queue.publish(&[]).await.unwrap();
    queue.ack(&[]).await.unwrap();
    queue.publish(&ids(1, 300)).await.unwrap();
    let messages = take(queue, 300).await;
    assert_eq!(event_ids(&messages), ids(1, 300));
    queue.ack(&messages).await.unwrap();
    queue.ack(&messages).await.unwrap();
    assert!(is_empty(queue).await);
}

async fn no_more_than_asked_for_is_taken(queue: &dyn Queue) {
    queue.publish(&ids(1, 3)).await.unwrap();
    assert_eq!(queue.receive(2, PATIENCE).await.unwrap().len(), 2);
    assert_eq!(queue.receive(2, PATIENCE).await.unwrap().len(), 1);
    assert!(is_empty(queue).await);
}

async fn a_waiting_receiver_wakes_when_something_comes(queue: &dyn Queue) {
    let started = std::time::Instant::now();
    let (messages, ()) = tokio::join!(queue.receive(10, LONG), async {
        tokio::task::yield_now().await;
        queue.publish(&ids(7, 1)).await.unwrap();
    });
    assert_eq!(event_ids(&messages.unwrap()), ids(7, 1));
    assert!(started.elapsed() < LONG / 2);
}

async fn an_unacked_message_returns_and_an_acked_one_does_not(one: &dyn Queue, other: &dyn Queue) {
    one.publish(&ids(1, 2)).await.unwrap();
    let first = take(one, 2).await;
    assert_eq!(first.len(), 2);
    one.ack(&first[..1]).await.unwrap();
    let again = take(other, 1).await;
    assert_eq!(event_ids(&again), event_ids(&first[1..]));
    // The late acknowledgement of the first taker counts too.
    one.ack(&first[1..]).await.unwrap();
    assert!(other.receive(10, SHORT * 3).await.unwrap().is_empty());
}

/// A consumer at work until a wait brings nothing.
async fn work(queue: &dyn Queue) -> Vec<Uuid> {
    let mut mine = Vec::new();
    loop {
        let messages = queue.receive(5, SHORT).await.unwrap();
        if messages.is_empty() {
            return mine;
        }
        mine.extend(event_ids(&messages));
        tokio::task::yield_now().await;
    }
}

async fn two_live_consumers_never_share_a_message(one: &dyn Queue, other: &dyn Queue) {
    one.publish(&ids(1, 500)).await.unwrap();
    let (left, right) = tokio::join!(work(one), work(other));
    assert!(!left.is_empty() && !right.is_empty());
    let mut all = [left, right].concat();
    all.sort();
    assert_eq!(all, ids(1, 500));
}

async fn a_lost_queue_is_not_intact_until_it_is_refilled(queue: &dyn Queue) {
    assert!(!queue.intact().await.unwrap());
    queue.mark_refilled().await.unwrap();
    assert!(queue.intact().await.unwrap());
    queue.publish(&ids(1, 4)).await.unwrap();
    let before = queue.receive(2, PATIENCE).await.unwrap();
    assert_eq!(before.len(), 2);

    // Redis names entries by its own millisecond: lost and filled again within one, it would use the same names once more.
    tokio::time::sleep(Duration::from_millis(2)).await;
    queue.clear().await.unwrap();
    assert!(is_empty(queue).await);
    assert!(!queue.intact().await.unwrap());
    queue.publish(&ids(1, 4)).await.unwrap();
    queue.mark_refilled().await.unwrap();
    assert!(queue.intact().await.unwrap());
    queue.ack(&before).await.unwrap();
    assert_eq!(event_ids(&take(queue, 4).await), ids(1, 4));
}

type Pair = (Arc<dyn Queue>, Arc<dyn Queue>);

/// `pair` opens one new queue, seen by two consumers.
async fn conforms(pair: impl Fn(Duration) -> Pair) {
    let alone = || pair(LONG).0;
    everything_published_arrives_and_what_is_acked_is_gone(&*alone()).await;
    no_more_than_asked_for_is_taken(&*alone()).await;
    a_waiting_receiver_wakes_when_something_comes(&*alone()).await;
    a_lost_queue_is_not_intact_until_it_is_refilled(&*alone()).await;
    let (one, other) = pair(SHORT);
    an_unacked_message_returns_and_an_acked_one_does_not(&*one, &*other).await;
    let (one, other) = pair(LONG);
    two_live_consumers_never_share_a_message(&*one, &*other).await;
}

#[tokio::test]
async fn the_memory_queue_conforms() {
    conforms(|visibility| {
        let queue = open_with(None, "unused", visibility).unwrap();
        (queue.clone(), queue)
    })
    .await;
    let alone = open(None, "unused").unwrap();
    assert!(
        !alone.surely_empty().await.unwrap(),
        "of other processes it does not know"
    );
}

async fn a_shared_queue_knows_when_it_is_empty(url: &str) {
    let prefix = prefix();
    let open = || open_with(Some(url), &prefix, LONG).unwrap();
    let (one, other) = (open(), open());
    assert!(other.surely_empty().await.unwrap());
    one.publish(&ids(1, 3)).await.unwrap();
    assert!(!other.surely_empty().await.unwrap(), "all of it waits");
    let messages = take(&*one, 3).await;
    one.ack(&messages[1..]).await.unwrap();
    assert!(!other.surely_empty().await.unwrap(), "one is taken");
    one.ack(&messages).await.unwrap();
    assert!(other.surely_empty().await.unwrap());
}

async fn conforms_at(url: &str) {
    a_shared_queue_knows_when_it_is_empty(url).await;
    conforms(|visibility| {
        let prefix = prefix();
        let open = || open_with(Some(url), &prefix, visibility).unwrap();
        (open(), open())
    })
    .await;
}

#[tokio::test]
async fn the_redis_queue_conforms() {
    conforms_at(&redis_url()).await;
}

#[tokio::test]
async fn the_redis_cluster_queue_conforms() {
    conforms_at(&redis_cluster_url()).await;
}

#[tokio::test]
async fn a_flushall_in_mid_flight_shows_and_a_refill_brings_everything() {
    // A database of its own, so that the flush does not reach the tests beside it; a cluster has only one.
    let url = redis_url();
    let url = if url.contains("+cluster") {
        url
    } else {
        format!("{}/9", url.trim_end_matches('/'))
    };
    let queue = open_with(Some(&url), &prefix(), LONG).unwrap();
    queue.mark_refilled().await.unwrap();
    queue.publish(&ids(1, 50)).await.unwrap();
    assert_eq!(take(&*queue, 20).await.len(), 20);
    assert!(queue.intact().await.unwrap());

    raw(&url, redis::cmd("FLUSHDB")).await;
    assert!(!queue.intact().await.unwrap());
    queue.publish(&ids(1, 25)).await.unwrap();
    // Lost once more while refilling: the refill may not be called done.
    raw(&url, redis::cmd("FLUSHDB")).await;
    queue.publish(&ids(26, 25)).await.unwrap();
    queue.mark_refilled().await.unwrap();
    assert!(!queue.intact().await.unwrap());

    queue.publish(&ids(1, 50)).await.unwrap();
    queue.mark_refilled().await.unwrap();
    assert!(queue.intact().await.unwrap());
    let arrived: HashSet<Uuid> = event_ids(&take(&*queue, 75).await).into_iter().collect();
    assert_eq!(arrived, ids(1, 50).into_iter().collect());
}

#[tokio::test]
async fn a_flush_under_a_waiting_receiver_is_survived() {
    let (url, prefix) = (redis_url(), prefix());
    let queue = open(Some(&url), &prefix).unwrap();
    queue.mark_refilled().await.unwrap();
    // The first look opens the connection, so that the next one blocks in Redis at once.
    assert!(is_empty(&*queue).await);
    let (messages, ()) = tokio::join!(queue.receive(10, LONG), async {
        tokio::task::yield_now().await;
        queue.clear().await.unwrap();
        queue.publish(&ids(3, 1)).await.unwrap();
    });
    assert_eq!(event_ids(&messages.unwrap()), ids(3, 1));
    assert!(!queue.intact().await.unwrap());
}

#[tokio::test]
async fn an_entry_that_is_no_id_is_thrown_away_and_blocks_nothing() {
    let (url, prefix) = (redis_url(), prefix());
    let queue = open(Some(&url), &prefix).unwrap();
    let key = format!("{{{prefix}}}:events");
    for (field, value) in [
        ("id", "not-an-id"),
        ("junk", "00000000-0000-0000-0000-000000000001"),
        ("id", "\u{7f}"),
    ] {
        raw(
            &url,
            redis::cmd("XADD")
                .arg(&key)
                .arg("*")
                .arg(field)
                .arg(value)
                .clone(),
        )
        .await;
    }
    queue.publish(&ids(5, 1)).await.unwrap();
    let messages = take(&*queue, 1).await;
    assert_eq!(event_ids(&messages), ids(5, 1));
    queue.ack(&messages).await.unwrap();
    assert_eq!(
        raw(&url, redis::cmd("XLEN").arg(&key).clone()).await,
        redis::Value::Int(0)
    );
}

#[tokio::test]
async fn a_silent_consumer_is_forgotten_unless_it_holds_a_message() {
    let (url, prefix) = (redis_url(), prefix());
    let consumer = || super::redis::RedisQueue::new(&url, &prefix, LONG).unwrap();
    let (holder, done) = (consumer(), consumer());
    holder.publish(&ids(1, 1)).await.unwrap();
    assert_eq!(take(&holder, 1).await.len(), 1);
    holder.publish(&ids(2, 1)).await.unwrap();
    done.ack(&take(&done, 1).await).await.unwrap();
    // The wait makes sure that a millisecond of silence has passed.
    assert!(
        holder
            .receive(1, Duration::from_millis(5))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(holder.tidy(0).await.unwrap(), 1);
    let key = format!("{{{prefix}}}:events");
    let redis::Value::Array(left) = raw(
        &url,
        redis::cmd("XINFO")
            .arg("CONSUMERS")
            .arg(&key)
            .arg("consumers")
            .clone(),
    )
    .await
    else {
        panic!("XINFO CONSUMERS answers a list");
    };
    assert_eq!(left.len(), 1);
    let redis::Value::Int(seconds) = raw(&url, redis::cmd("TTL").arg(&key).clone()).await else {
        panic!("TTL answers a number");
    };
    assert!(seconds > 6 * 24 * 3600);
}

#[tokio::test]
async fn a_cut_connection_heals_by_itself() {
    let (url, prefix) = (redis_url(), prefix());
    let queue = super::redis::RedisQueue::new(&url, &prefix, LONG).unwrap();
    queue.publish(&ids(1, 1)).await.unwrap();
    assert_eq!(take(&queue, 1).await.len(), 1);
    for connection in queue.connections().await {
        raw(
            &url,
            redis::cmd("CLIENT")
                .arg("KILL")
                .arg("ID")
                .arg(connection)
                .clone(),
        )
        .await;
    }
    // The commands in flight when the cut is noticed may fail; the next ones must not.
    let _ = queue.ping().await;
    let _ = queue.receive(1, Duration::ZERO).await;
    queue.publish(&ids(2, 1)).await.unwrap();
    assert_eq!(event_ids(&take(&queue, 1).await), ids(2, 1));
}

#[tokio::test]
async fn a_redis_that_is_away_is_unavailable_and_the_error_hides_the_password() {
    let queue = open(Some("redis://:hunter2@127.0.0.1:1/"), "away").unwrap();
    for error in [
        queue.ping().await.unwrap_err(),
        queue.receive(1, Duration::ZERO).await.unwrap_err(),
    ] {
        assert_eq!(error.code, Code::Unavailable);
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    let error = open(Some("http://:hunter2@nowhere"), "away").err().unwrap();
    assert!(!format!("{error:?}").contains("hunter2"));
    for prefix in ["", "a{b}", "a b", "大"] {
        assert!(
            open(Some("redis://127.0.0.1:1/"), prefix).is_err(),
            "{prefix}"
        );
    }
}

fn prefix() -> String {
    format!("test-{}", random_code(26).to_lowercase())
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment where Redis is"
)]
pub(in crate::platform) fn redis_url() -> String {
    std::env::var("LINJIAN_TEST_REDIS_URL").expect(
        "LINJIAN_TEST_REDIS_URL must name a Redis for tests, for example redis://127.0.0.1:6379",
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment where Redis is"
)]
pub(in crate::platform) fn redis_cluster_url() -> String {
    std::env::var("LINJIAN_TEST_REDIS_CLUSTER_URL").expect(
        "LINJIAN_TEST_REDIS_CLUSTER_URL must name a Redis Cluster for tests, for example redis+cluster://127.0.0.1:7001",
    )
}

async fn raw(url: &str, command: redis::Cmd) -> redis::Value {
    let mut link = super::link::Address::parse(url)
        .unwrap()
        .connect()
        .await
        .unwrap();
    command.query_async(&mut link).await.unwrap()
}
