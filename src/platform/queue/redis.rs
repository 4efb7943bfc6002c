//! The production queue: Redis Streams with one consumer group.
//!
//! Keys, all under one hash tag, so that they share a slot of a cluster:
//! - `{<prefix>}:events`: the stream. One entry per message, its only field `id` is the event's UUID. The group is
//!   `consumers`; each process is a consumer with a random name.
//! - `{<prefix>}:epoch`: written by `mark_refilled`, holds the server's `run_id`. The queue is intact while this key
//!   and the stream exist and the `run_id` is still that of the server that answers. So FLUSHALL, an eviction, a
//!   restart (even one from an old snapshot) and a failover all read as "not intact".
//! - `{<prefix>}:refill:<consumer>`: a refill of that process is going on, holds the `run_id`. `mark_refilled` writes
//!   the epoch only while this key stands; a FLUSHALL in the middle of a refill takes it away.
//!
//! What becomes of an entry: acknowledged, it leaves the group and the stream in one transaction. Taken but not
//! acknowledged for the visibility time (60 s unless said otherwise), because its consumer died or was cut off, it is
//! claimed by another process within half that time more. An entry that is no UUID is acknowledged and logged.
//! All keys expire after [`KEEP_S`] (seven days) in which no process published or received; the first to return finds
//! the queue not intact. Entries are never trimmed by number: that would lose ids without a trace.
//! A consumer without pending entries that was silent for [`FORGET_MS`] (one day) is taken out of the group.

use super::{
    Message, Queue, Receipt,
    link::{Address, Link, away},
};
use crate::{
    kernel::{AppError, Result},
    platform::vault::random_token,
};
use redis::{
    FromRedisValue, RedisError, RedisResult, Script, ScriptInvocation, Value,
    streams::{StreamAutoClaimReply, StreamId, StreamReadReply},
};
use std::{
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Mutex, OnceCell},
    time::{Instant, timeout},
};
use uuid::Uuid;

const GROUP: &str = "consumers";
/// Seconds without any process after which Redis may forget everything.
const KEEP_S: u64 = 7 * 24 * 3600;
/// Milliseconds of silence after which a consumer with nothing pending is forgotten.
const FORGET_MS: u64 = 24 * 3600 * 1000;
/// How often a process tidies up.
const TIDY_EVERY: Duration = Duration::from_hours(1);
/// Entries per read: few round trips, and a death returns no more than this.
const BATCH: usize = 128;
/// What a blocking read may take beyond its own waiting time before the connection counts as dead.
const GRACE: Duration = Duration::from_secs(5);

/// KEYS: events, epoch, refill. ARGV: seconds to keep. 1 when intact; otherwise notes that a refill begins.
static INTACT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or 'unknown'
         if redis.call('GET', KEYS[2]) == run and redis.call('EXISTS', KEYS[1]) == 1 then return 1 end
         redis.call('DEL', KEYS[2])
         redis.call('SET', KEYS[3], run, 'EX', ARGV[1])
         return 0",
    )
});

/// KEYS: events, epoch, refill. ARGV: seconds to keep, group, '1' when a refill had begun. 1 when marked.
static REFILLED: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or 'unknown'
         if ARGV[3] == '1' and redis.call('GET', KEYS[3]) ~= run then return 0 end
         redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[2], '0', 'MKSTREAM')
         redis.call('EXPIRE', KEYS[1], ARGV[1])
         redis.call('SET', KEYS[2], run, 'EX', ARGV[1])
         redis.call('DEL', KEYS[3])
         return 1",
    )
});

/// KEYS: events, epoch. ARGV: seconds to keep, group. Makes the group where it is missing; then data was lost.
static REGROUP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[2], '0', 'MKSTREAM')
         if made.err then
           if string.find(made.err, 'BUSYGROUP') then return 0 end
           return made
         end
         redis.call('EXPIRE', KEYS[1], ARGV[1])
         redis.call('DEL', KEYS[2])
         return 1",
    )
});

/// KEYS: events, epoch. ARGV: seconds to keep, group, silence in ms. Renews the expiry, forgets dead consumers.
static TIDY: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "redis.call('EXPIRE', KEYS[1], ARGV[1])
         redis.call('EXPIRE', KEYS[2], ARGV[1])
         local forgotten = 0
         for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[2])) do
           local fact = {}
           for i = 1, #row, 2 do fact[row[i]] = row[i + 1] end
           if fact.pending == 0 and fact.idle > tonumber(ARGV[3]) then
             redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[2], fact.name)
             forgotten = forgotten + 1
           end
         end
         return forgotten",
    )
});

/// What only the receiving side needs, behind a lock: one blocking read at a time.
struct Reader {
    link: Option<Link>,
    claim_at: Instant,
    claim_from: String,
    tidy_at: Instant,
}

/// A queue in Redis, seen by one consumer. Several receivers of one process take turns.
pub(super) struct RedisQueue {
    address: Address,
    link: OnceCell<Link>,
    reader: Mutex<Reader>,
    refilling: AtomicBool,
    visibility: Duration,
    consumer: String,
    events: String,
    epoch: String,
    refill: String,
}

impl RedisQueue {
    pub(super) fn new(url: &str, prefix: &str, visibility: Duration) -> Result<Self> {
        let good =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
        if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(good) {
            return Err(AppError::internal(
                "the queue prefix must be 1 to 64 of a-z, 0-9, '-', '_', '.'",
            ));
        }
        let consumer = random_token(16);
        let now = Instant::now();
        Ok(Self {
            address: Address::parse(url)?,
            link: OnceCell::new(),
            reader: Mutex::new(Reader {
                link: None,
                claim_at: now,
                claim_from: "0-0".into(),
                tidy_at: now,
            }),
            refilling: AtomicBool::new(false),
            visibility,
            events: format!("{{{prefix}}}:events"),
            epoch: format!("{{{prefix}}}:epoch"),
            refill: format!("{{{prefix}}}:refill:{consumer}"),
            consumer,
        })
    }

    async fn link(&self) -> RedisResult<Link> {
        self.link
            .get_or_try_init(|| self.address.connect())
            .await
            .cloned()
    }

    async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> RedisResult<T> {
        script.invoke_async(&mut self.link().await?).await
    }

    /// The server's numbers of our connections, so that a test can cut them.
    #[cfg(test)]
    pub(super) async fn connections(&self) -> Vec<u64> {
        let mut numbers = Vec::new();
        let reader = self.reader.lock().await.link.clone();
        for mut link in [Some(self.link().await.unwrap()), reader]
            .into_iter()
            .flatten()
        {
            numbers.push(
                redis::cmd("CLIENT")
                    .arg("ID")
                    .query_async(&mut link)
                    .await
                    .unwrap(),
            );
        }
        numbers
    }

    /// Turns entries into messages. What cannot be read is acknowledged at once, or it would come back for ever.
    async fn read_entries(&self, entries: Vec<StreamId>) -> RedisResult<Vec<Message>> {
        let mut messages = Vec::with_capacity(entries.len());
        let mut garbage = Vec::new();
        for entry in entries {
            match event_id(&entry) {
                Some(event_id) => messages.push(Message {
                    event_id,
                    receipt: Receipt(entry.id),
                }),
                None => garbage.push(entry.id),
            }
        }
        if !garbage.is_empty() {
            tracing::warn!(queue.entries = ?garbage, "threw away queue entries that hold no event id");
            self.remove(&garbage).await?;
        }
        Ok(messages)
    }

    async fn remove(&self, entries: &[String]) -> RedisResult<()> {
        let mut link = self.link().await?;
        for batch in entries.chunks(BATCH) {
            let mut pipe = redis::pipe();
            pipe.atomic();
            pipe.xack(&self.events, GROUP, batch)
                .ignore()
                .xdel(&self.events, batch)
                .ignore();
            pipe.query_async::<()>(&mut link).await?;
        }
        Ok(())
    }

    /// Takes over what other consumers, or this one, left unacknowledged for too long.
    async fn claim(&self, reader: &mut Reader, max: usize) -> RedisResult<Vec<StreamId>> {
        let mut link = self.link().await?;
        let reply: StreamAutoClaimReply = redis::cmd("XAUTOCLAIM")
            .arg(&self.events)
            .arg(GROUP)
            .arg(&self.consumer)
            .arg(millis(self.visibility))
            .arg(&reader.claim_from)
            .arg("COUNT")
            .arg(max)
            .query_async(&mut link)
            .await?;
        if reply.next_stream_id == "0-0" {
            reader.claim_at = Instant::now() + self.visibility / 2;
        }
        reader.claim_from = reply.next_stream_id;
        Ok(reply.claimed)
    }

    /// Waits for new entries on the connection that is the reader's own.
    async fn read(
        &self,
        reader: &mut Reader,
        max: usize,
        block: Duration,
    ) -> RedisResult<Vec<StreamId>> {
        let mut link = match reader.link.take() {
            Some(link) => link,
            None => self.address.connect_blocking().await?,
        };
        let mut command = redis::cmd("XREADGROUP");
        command
            .arg("GROUP")
            .arg(GROUP)
            .arg(&self.consumer)
            .arg("COUNT")
            .arg(max);
        if block >= Duration::from_millis(1) {
            // BLOCK 0 would wait for ever.
            command.arg("BLOCK").arg(millis(block));
        }
        command.arg("STREAMS").arg(&self.events).arg(">");
        let answer = timeout(
            block + GRACE,
            command.query_async::<Option<StreamReadReply>>(&mut link),
        )
        .await;
        let answer = answer
            .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()));
        // A link that failed, or whose answer was not awaited to the end, is not used again.
        if answer
            .as_ref()
            .map_or_else(|error| error.code().is_some(), |_| true)
        {
            reader.link = Some(link);
        }
        Ok(answer?
            .into_iter()
            .flat_map(|reply| reply.keys)
            .flat_map(|key| key.ids)
            .collect())
    }

    /// Renews the expiry of the keys and forgets consumers; answers how many.
    pub(super) async fn tidy(&self, forget_ms: u64) -> RedisResult<u64> {
        let mut script = TIDY.key(&self.events);
        script
            .key(&self.epoch)
            .arg(KEEP_S)
            .arg(GROUP)
            .arg(forget_ms);
        self.run(&script).await
    }

    /// One look for messages: overdue ones first, then new ones for up to `block`.
    async fn look(
        &self,
        reader: &mut Reader,
        max: usize,
        block: Duration,
    ) -> RedisResult<Vec<StreamId>> {
        let now = Instant::now();
        if now >= reader.tidy_at {
            self.tidy(FORGET_MS).await?;
            reader.tidy_at = now + TIDY_EVERY;
        }
        if now >= reader.claim_at {
            let claimed = self.claim(reader, max).await?;
            if !claimed.is_empty() {
                return Ok(claimed);
            }
        }
        let block = block.min(reader.claim_at.saturating_duration_since(Instant::now()));
        self.read(reader, max, block).await
    }
}

fn event_id(entry: &StreamId) -> Option<Uuid> {
    match entry.map.get("id") {
        Some(Value::BulkString(text)) => Uuid::try_parse_ascii(text).ok(),
        _ => None,
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// The stream or its group is gone: while asking (NOGROUP, also from within a script) or while waiting (UNBLOCKED).
fn is_lost(error: &RedisError) -> bool {
    matches!(error.code(), Some("NOGROUP" | "UNBLOCKED"))
        || error
            .detail()
            .is_some_and(|detail| detail.contains("NOGROUP") || detail.contains("no such key"))
}

#[async_trait::async_trait]
impl Queue for RedisQueue {
    async fn publish(&self, ids: &[Uuid]) -> Result<()> {
        let mut link = self.link().await.map_err(away)?;
        for batch in ids.chunks(BATCH) {
            let mut pipe = redis::pipe();
            for id in batch {
                pipe.xadd(&self.events, "*", &[("id", id.hyphenated().to_string())])
                    .ignore();
            }
            pipe.cmd("EXPIRE").arg(&self.events).arg(KEEP_S).ignore();
            pipe.query_async::<()>(&mut link).await.map_err(away)?;
        }
        Ok(())
    }

    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Message>> {
        let until = Instant::now() + wait;
        let max = max.clamp(1, BATCH);
        let mut reader = self.reader.lock().await;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.look(&mut reader, max, left).await {
                Ok(entries) => {
                    let messages = self.read_entries(entries).await.map_err(away)?;
                    if !messages.is_empty() || Instant::now() >= until {
                        return Ok(messages);
                    }
                }
                Err(error) if is_lost(&error) => {
                    let mut script = REGROUP.key(&self.events);
                    script.key(&self.epoch).arg(KEEP_S).arg(GROUP);
                    if self.run::<bool>(&script).await.map_err(away)? {
                        tracing::warn!(
                            "the queue in Redis was empty or lost; unfinished events have to be published again"
                        );
                    }
                    if Instant::now() >= until {
                        return Ok(Vec::new());
                    }
                }
                Err(error) => return Err(away(error)),
            }
        }
    }

    async fn ack(&self, messages: &[Message]) -> Result<()> {
        let entries: Vec<String> = messages
            .iter()
            .map(|message| message.receipt.0.clone())
            .collect();
        self.remove(&entries).await.map_err(away)
    }

    async fn surely_empty(&self) -> Result<bool> {
        // What is acknowledged leaves the stream.
        let mut link = self.link().await.map_err(away)?;
        let left = redis::cmd("XLEN")
            .arg(&self.events)
            .query_async::<u64>(&mut link)
            .await
            .map_err(away)?;
        Ok(left == 0)
    }

    async fn intact(&self) -> Result<bool> {
        let mut script = INTACT.key(&self.events);
        script.key(&self.epoch).key(&self.refill).arg(KEEP_S);
        let intact = self.run::<bool>(&script).await.map_err(away)?;
        if !intact {
            self.refilling.store(true, Ordering::SeqCst);
        }
        Ok(intact)
    }

    async fn mark_refilled(&self) -> Result<()> {
        let begun = u8::from(self.refilling.load(Ordering::SeqCst));
        let mut script = REFILLED.key(&self.events);
        script
            .key(&self.epoch)
            .key(&self.refill)
            .arg(KEEP_S)
            .arg(GROUP)
            .arg(begun);
        if self.run::<bool>(&script).await.map_err(away)? {
            self.refilling.store(false, Ordering::SeqCst);
        } else {
            tracing::warn!("the queue was lost again while it was being refilled");
        }
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        // A read of our own key rather than PING: on a cluster it asks the node that matters.
        let mut link = self.link().await.map_err(away)?;
        redis::cmd("EXISTS")
            .arg(&self.events)
            .query_async::<u64>(&mut link)
            .await
            .map(drop)
            .map_err(away)
    }

    async fn clear(&self) -> Result<()> {
        let mut link = self.link().await.map_err(away)?;
        let keys = [&self.events, &self.epoch, &self.refill];
        redis::cmd("DEL")
            .arg(&keys)
            .query_async::<()>(&mut link)
            .await
            .map_err(away)
    }
}
