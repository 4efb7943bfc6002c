//! The embedded queue: one process, nothing survives it, so it starts as "not intact".

use super::{Message, Queue, Receipt};
use crate::kernel::Result;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};
use uuid::Uuid;

/// Messages in order of their number; a returned message keeps its number and so comes first again.
#[derive(Default)]
struct State {
    next: u64,
    ready: BTreeMap<u64, Uuid>,
    taken: BTreeMap<u64, (Uuid, Instant)>,
    refilled: bool,
}

impl State {
    /// Puts back what was taken and not acknowledged in time; says when the next one is due.
    fn return_overdue(&mut self, now: Instant) -> Option<Instant> {
        let overdue: Vec<u64> = self
            .taken
            .iter()
            .filter(|(_, taken)| taken.1 <= now)
            .map(|(number, _)| *number)
            .collect();
        for number in overdue {
            if let Some((id, _)) = self.taken.remove(&number) {
                self.ready.insert(number, id);
            }
        }
        self.taken.values().map(|(_, due)| *due).min()
    }

    fn take(&mut self, max: usize, due: Instant) -> Vec<Message> {
        let mut messages = Vec::with_capacity(max.min(self.ready.len()));
        while messages.len() < max
            && let Some((number, event_id)) = self.ready.pop_first()
        {
            self.taken.insert(number, (event_id, due));
            messages.push(Message {
                event_id,
                receipt: Receipt(number.to_string()),
            });
        }
        messages
    }
}

/// A queue inside this process.
pub(super) struct MemoryQueue {
    state: Mutex<State>,
    arrived: Notify,
    visibility: Duration,
}

impl MemoryQueue {
    pub(super) fn new(visibility: Duration) -> Self {
        Self {
            state: Mutex::default(),
            arrived: Notify::new(),
            visibility,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the state is whole before anything can panic, so a poisoned lock is still good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl Queue for MemoryQueue {
    async fn publish(&self, ids: &[Uuid]) -> Result<()> {
        {
            let mut state = self.state();
            for id in ids {
                let number = state.next;
                state.next = number.wrapping_add(1);
                state.ready.insert(number, *id);
            }
        }
        self.arrived.notify_waiters();
        Ok(())
    }

    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Message>> {
        let until = Instant::now() + wait;
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            // Listening begins before looking, so that what arrives in between is not slept through.
            arrived.as_mut().enable();
            let now = Instant::now();
            let (messages, due) = {
                let mut state = self.state();
                let due = state.return_overdue(now);
                (state.take(max, now + self.visibility), due)
            };
            if !messages.is_empty() || now >= until {
                return Ok(messages);
            }
            let wake = due.map_or(until, |due| due.min(until));
            // Elapsed or woken: both mean "look again".
            let _ = tokio::time::timeout_at(wake, arrived).await;
        }
    }

    async fn ack(&self, messages: &[Message]) -> Result<()> {
        let mut state = self.state();
        for number in messages
            .iter()
            .filter_map(|message| message.receipt.0.parse::<u64>().ok())
        {
            state.taken.remove(&number);
            state.ready.remove(&number);
        }
        Ok(())
    }

    async fn surely_empty(&self) -> Result<bool> {
        Ok(false)
    }

    async fn intact(&self) -> Result<bool> {
        Ok(self.state().refilled)
    }

    async fn mark_refilled(&self) -> Result<()> {
        self.state().refilled = true;
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    async fn clear(&self) -> Result<()> {
        let mut state = self.state();
        // Numbers go on, so that an old receipt never fits a new message.
        *state = State {
            next: state.next,
            ..State::default()
        };
        Ok(())
    }
}
