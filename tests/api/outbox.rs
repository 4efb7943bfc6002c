//! Events survive what machines do: crashes, retries, a queue that forgets.

use crate::support::{Backend, TestApp};
use chrono::{DateTime, SubsecRound, Utc};
use entity::{ids::AccountId, inbox, outbox as event};
use linjian::{
    kernel::{AppError, Code, Result},
    outbox::{self, Consumer, Delivered, Event, Registry, timer},
    platform::{
        Ctx, Rows,
        queue::{Message, Queue},
    },
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    sea_query::Expr,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};
use uuid::Uuid;

#[derive(Serialize, Deserialize)]
struct Rang {
    number: u32,
}

impl Event for Rang {
    const KIND: &'static str = "test.rang.v1";

    fn subject(&self) -> Uuid {
        Uuid::nil()
    }
}

/// Remembers what it handled; fails the first `failures` times.
#[derive(Clone, Default)]
struct Listener {
    heard: Arc<Mutex<Vec<u32>>>,
    failures: Arc<AtomicU32>,
    /// Fails because something it needs is away.
    away: bool,
    /// Fails by panicking.
    panics: bool,
}

#[async_trait::async_trait]
impl Consumer for Listener {
    fn name(&self) -> &'static str {
        "test.listener"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["test.rang.v1", "test.timer.v1"]
    }

    async fn handle(
        &self,
        _: &Ctx,
        _: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        let left = self.failures.load(Ordering::SeqCst);
        if left > 0 {
            self.failures.store(left - 1, Ordering::SeqCst);
            assert!(!self.panics, "a consumer's own fault");
            let away = AppError::new(Code::Unavailable, "away");
            return Err(if self.away {
                away
            } else {
                AppError::internal("not now")
            });
        }
        let number = if event.kind == Rang::KIND {
            event.read::<Rang>()?.number
        } else {
            999
        };
        self.heard.lock().unwrap().push(number);
        Ok(())
    }
}

/// The same under another name: the inbox tells them apart.
struct Second(Listener);

#[async_trait::async_trait]
impl Consumer for Second {
    fn name(&self) -> &'static str {
        "test.second"
    }

    fn kinds(&self) -> &'static [&'static str] {
        self.0.kinds()
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        before: Value,
    ) -> Result<()> {
        self.0.handle(ctx, tx, event, before).await
    }
}

/// Takes what waits together, and remembers how many that were.
struct Sharing(Listener, Arc<Mutex<Vec<usize>>>);

#[async_trait::async_trait]
impl Consumer for Sharing {
    fn name(&self) -> &'static str {
        "test.sharing"
    }

    fn kinds(&self) -> &'static [&'static str] {
        self.0.kinds()
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        before: Value,
    ) -> Result<()> {
        self.0.handle(ctx, tx, event, before).await
    }

    fn shares(&self) -> bool {
        true
    }

    async fn handle_all(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        events: &[&Delivered],
    ) -> Result<()> {
        self.1.lock().unwrap().push(events.len());
        for event in events {
            self.handle(ctx, tx, event, Value::Null).await?;
        }
        Ok(())
    }
}

fn now(ctx: &Ctx) -> DateTime<Utc> {
    ctx.env.now()
}

async fn ring(ctx: &Ctx, numbers: std::ops::Range<u32>) {
    let tx = ctx.db.begin_write().await.unwrap();
    for number in numbers {
        outbox::append(&tx, &ctx.env, &Rang { number })
            .await
            .unwrap();
    }
    ctx.commit(tx).await.unwrap();
}

/// What a relay leaves that dies before it publishes, by a clock a minute ahead: so no stall of the machine makes it old.
async fn mark_only(ctx: &Ctx) {
    let at = now(ctx) + chrono::Duration::minutes(1);
    event::Entity::update_many()
        .col_expr(event::Column::PublishedAt, Expr::value(Some(at)))
        .filter(event::Column::Kind.eq(Rang::KIND))
        .exec(ctx.db.read())
        .await
        .unwrap();
}

fn listening() -> (Listener, Registry) {
    let listener = Listener::default();
    (listener.clone(), Registry::default().with(listener))
}

fn heard(listener: &Listener) -> Vec<u32> {
    let mut heard = listener.heard.lock().unwrap().clone();
    heard.sort_unstable();
    heard
}

on_both! {
    async fn an_event_of_a_rolled_back_cause_never_happened(app) {
        let ctx = app.ctx();
        let (listener, registry) = listening();
        let tx = ctx.db.begin_write().await.unwrap();
        outbox::append(&tx, &ctx.env, &Rang { number: 1 }).await.unwrap();
        drop(tx);
        outbox::drain(ctx, &registry).await.unwrap();
        assert!(heard(&listener).is_empty());
    }

    async fn a_queue_that_forgets_in_mid_flight_loses_and_duplicates_nothing(app) {
        let ctx = app.ctx();
        let (listener, registry) = listening();
        ring(ctx, 0..50).await;
        // All are in the queue, none is handled, when it forgets everything, as FLUSHALL or a restart would make it.
        assert_eq!(outbox::relay::once(ctx, false).await.unwrap(), 50);
        ctx.queue.clear().await.unwrap();
        ring(ctx, 50..100).await;
        outbox::drain(ctx, &registry).await.unwrap();
        ctx.queue.clear().await.unwrap();
        outbox::drain(ctx, &registry).await.unwrap();
        assert_eq!(heard(&listener), (0..100).collect::<Vec<_>>());
    }

    async fn a_failing_event_backs_off_and_succeeds_later(app) {
        let ctx = app.ctx();
        let (listener, registry) = listening();
        listener.failures.store(2, Ordering::SeqCst);
        ring(ctx, 7..8).await;
        outbox::drain(ctx, &registry).await.unwrap();
        assert!(heard(&listener).is_empty());
        let clock = ctx.test_clock.as_ref().unwrap();
        for _ in 0..3 {
            clock.advance(chrono::Duration::seconds(5));
            outbox::drain(ctx, &registry).await.unwrap();
        }
        assert_eq!(heard(&listener), [7]);
    }

    async fn a_hopeless_event_is_buried_without_blocking_others_and_can_be_replayed(app) {
        let ctx = app.ctx();
        let (listener, registry) = listening();
        listener.failures.store(8, Ordering::SeqCst);
        ring(ctx, 1..2).await;
        let clock = ctx.test_clock.as_ref().unwrap();
        for _ in 0..8 {
            outbox::drain(ctx, &registry).await.unwrap();
            clock.advance(chrono::Duration::minutes(11));
        }
        ring(ctx, 2..3).await;
        outbox::drain(ctx, &registry).await.unwrap();
        assert_eq!(heard(&listener), [2]);
        let dead = outbox::dead_letters(ctx, 10).await.unwrap();
        assert_eq!(dead.len(), 1);
        assert_eq!(dead[0].attempts, 8);
        assert_eq!(outbox::replay(ctx, Some(dead[0].id)).await.unwrap(), 1);
        outbox::drain(ctx, &registry).await.unwrap();
        assert_eq!(heard(&listener), [1, 2]);
    }

    async fn a_timer_rings_once_when_due_and_not_when_cancelled(app) {
        let ctx = app.ctx();
        let (listener, registry) = listening();
        let due = now(ctx) + chrono::Duration::hours(1);
        let (kept, cancelled) = (ctx.env.id::<AccountId>(), ctx.env.id::<AccountId>());
        let tx = ctx.db.begin_write().await.unwrap();
        timer::schedule(&tx, &ctx.env, "test.timer.v1", kept, due).await.unwrap();
        timer::schedule(&tx, &ctx.env, "test.timer.v1", cancelled, due).await.unwrap();
        timer::cancel(&tx, &ctx.env, "test.timer.v1", cancelled).await.unwrap();
        ctx.commit(tx).await.unwrap();
        outbox::drain(ctx, &registry).await.unwrap();
        assert!(heard(&listener).is_empty());
        ctx.test_clock.as_ref().unwrap().advance(chrono::Duration::minutes(61));
        outbox::drain(ctx, &registry).await.unwrap();
        outbox::drain(ctx, &registry).await.unwrap();
        assert_eq!(heard(&listener), [999]);
    }
}

on_both! {
    async fn an_event_whose_relay_died_between_marking_and_publishing_is_handed_over_again(app) {
        let ctx = app.ctx();
        let (listener, registry) = listening();
        // The queue knows this deployment, so nothing tells the relay that a row was marked and never published.
        outbox::drain(ctx, &registry).await.unwrap();
        ring(ctx, 1..2).await;
        mark_only(ctx).await;
        ring(ctx, 2..3).await;
        assert_eq!(outbox::relay::once(ctx, true).await.unwrap(), 1);
        let clock = ctx.test_clock.as_ref().unwrap();
        clock.advance(chrono::Duration::minutes(1) + chrono::Duration::seconds(3));
        assert_eq!(outbox::relay::once(ctx, true).await.unwrap(), 0, "it may be in the queue, behind the other");
        clock.advance(chrono::Duration::minutes(6));
        outbox::drain(ctx, &registry).await.unwrap();
        assert_eq!(heard(&listener), [1, 2]);
    }

    async fn one_consumers_trouble_is_not_anothers(app) {
        let ctx = app.ctx();
        let (broken, sound) = (Listener::default(), Listener::default());
        broken.failures.store(1, Ordering::SeqCst);
        let registry = Registry::default().with(broken.clone()).with(Second(sound.clone()));
        ring(ctx, 5..6).await;
        outbox::drain(ctx, &registry).await.unwrap();
        assert_eq!((heard(&broken), heard(&sound)), (vec![], vec![5]));
        ctx.test_clock.as_ref().unwrap().advance(chrono::Duration::seconds(5));
        outbox::drain(ctx, &registry).await.unwrap();
        assert_eq!((heard(&broken), heard(&sound)), (vec![5], vec![5]));
    }

    async fn an_outage_buries_nothing_however_long_it_lasts(app) {
        let ctx = app.ctx();
        let listener = Listener { away: true, ..Listener::default() };
        listener.failures.store(30, Ordering::SeqCst);
        let registry = Registry::default().with(listener.clone());
        ring(ctx, 9..10).await;
        for _ in 0..31 {
            outbox::drain(ctx, &registry).await.unwrap();
            ctx.test_clock.as_ref().unwrap().advance(chrono::Duration::minutes(11));
        }
        assert_eq!(heard(&listener), [9]);
        assert!(outbox::dead_letters(ctx, 10).await.unwrap().is_empty());
    }

    async fn a_consumer_that_panics_has_failed_like_any_other(app) {
        let ctx = app.ctx();
        let listener = Listener { panics: true, ..Listener::default() };
        listener.failures.store(1, Ordering::SeqCst);
        let registry = Registry::default().with(listener.clone());
        ring(ctx, 3..4).await;
        outbox::drain(ctx, &registry).await.unwrap();
        ctx.test_clock.as_ref().unwrap().advance(chrono::Duration::seconds(5));
        outbox::drain(ctx, &registry).await.unwrap();
        assert_eq!(heard(&listener), [3]);
    }

    async fn rows_come_back_as_they_were_written_and_stay_when_written_again(app) {
        let ctx = app.ctx();
        let at: DateTime<Utc> = "2026-06-01T02:03:04.567891999Z".parse().unwrap();
        let rows = [("引号\"、\\ 与换行\n🙂", Some(Uuid::nil()), i32::MIN, json!({"深": [1, null, "x"]})), ("", None, i32::MAX, json!([]))];
        let rows = rows.map(|(text, subject, attempts, payload)| event::ActiveModel {
            id: Set(ctx.env.id()),
            kind: Set(text.to_owned()),
            subject_id: Set(subject),
            payload: Set(payload),
            occurred_at: Set(at),
            published_at: Set(None),
            done_at: Set(Some(at)),
            attempts: Set(attempts),
            retry_at: Set(None),
            dead_at: Set(None),
            last_error: Set(subject.map(|_| "出错".to_owned())),
        });
        let write = async |rows: Vec<event::ActiveModel>| {
            let tx = ctx.db.begin_write().await.unwrap();
            let (mut all, key) = (Rows::default(), [event::Column::Id]);
            all.overwriting(rows, &key, &[event::Column::Attempts]).unwrap();
            all.write(&tx).await.unwrap();
            ctx.commit(tx).await.unwrap();
        };
        write(rows.to_vec()).await;
        let read = async |id: &event::ActiveModel| {
            let found = event::Entity::find_by_id(id.id.clone().unwrap()).one(ctx.db.read()).await.unwrap();
            found.unwrap()
        };
        let micros = at.trunc_subsecs(6);
        for row in &rows {
            let (found, row) = (read(row).await, row.clone());
            assert_eq!((found.kind, found.subject_id, found.payload), (row.kind.unwrap(), row.subject_id.unwrap(), row.payload.unwrap()));
            assert_eq!((found.attempts, found.last_error), (row.attempts.unwrap(), row.last_error.unwrap()));
            assert_eq!((found.occurred_at.trunc_subsecs(6), found.done_at.map(|at| at.trunc_subsecs(6))), (micros, Some(micros)));
        }
        let mut again = rows[0].clone();
        (again.kind, again.attempts) = (Set("anders".to_owned()), Set(7));
        write(vec![again.clone()]).await;
        let found = read(&again).await;
        assert_eq!((found.kind, found.attempts), (rows[0].kind.clone().unwrap(), 7));
        // Where rows must be new, one that is there already lets none through.
        let tx = ctx.db.begin_write().await.unwrap();
        let mut all = Rows::default();
        let mut unknown = rows[1].clone();
        unknown.id = Set(ctx.env.id());
        all.add_new([unknown.clone(), again], &[event::Column::Id]).unwrap();
        assert!(all.write(&tx).await.is_err());
        drop(tx);
        let found = event::Entity::find_by_id(unknown.id.unwrap()).one(ctx.db.read()).await.unwrap();
        assert!(found.is_none());
    }

    async fn what_a_twin_has_handled_is_left_out_and_its_neighbours_stay_together(app) {
        let ctx = app.ctx();
        let (listener, sizes) = (Listener::default(), Arc::default());
        let registry = Registry::default().with(Sharing(listener.clone(), Arc::clone(&sizes)));
        ring(ctx, 1..4).await;
        let mine = event::Entity::find().filter(event::Column::Kind.eq(Rang::KIND));
        let first = mine.order_by_asc(event::Column::Id).all(ctx.db.read()).await.unwrap().remove(0);
        let tx = ctx.db.begin_write().await.unwrap();
        let twins = inbox::ActiveModel {
            consumer: Set("test.sharing".to_owned()),
            event_id: Set(first.id),
            handled_at: Set(ctx.env.now()),
        };
        let mut rows = Rows::default();
        rows.add_new([twins], &[inbox::Column::Consumer, inbox::Column::EventId]).unwrap();
        rows.write(&tx).await.unwrap();
        ctx.commit(tx).await.unwrap();
        outbox::drain(ctx, &registry).await.unwrap();
        assert_eq!(heard(&listener), [2, 3]);
        assert_eq!(*sizes.lock().unwrap(), [2]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_relay_marked_comes_as_soon_as_the_shared_queue_is_empty() {
    let app = TestApp::start(Backend::Production).await;
    let ctx = app.ctx();
    let (listener, registry) = listening();
    outbox::drain(ctx, &registry).await.unwrap();
    ring(ctx, 1..2).await;
    mark_only(ctx).await;
    assert_eq!(
        outbox::relay::once(ctx, true).await.unwrap(),
        0,
        "the other relay may be about to publish it"
    );
    let clock = ctx.test_clock.as_ref().unwrap();
    clock.advance(chrono::Duration::minutes(1) + chrono::Duration::seconds(3));
    assert_eq!(outbox::relay::once(ctx, true).await.unwrap(), 1);
    outbox::drain(ctx, &registry).await.unwrap();
    assert_eq!(heard(&listener), [1]);
    app.finish().await;
}

/// A queue that takes and gives as ever, and cannot say what it holds.
struct Mute(Arc<dyn Queue>);

#[async_trait::async_trait]
impl Queue for Mute {
    async fn publish(&self, ids: &[Uuid]) -> Result<()> {
        self.0.publish(ids).await
    }

    async fn receive(&self, max: usize, wait: std::time::Duration) -> Result<Vec<Message>> {
        self.0.receive(max, wait).await
    }

    async fn ack(&self, messages: &[Message]) -> Result<()> {
        self.0.ack(messages).await
    }

    async fn surely_empty(&self) -> Result<bool> {
        Err(AppError::new(Code::Unavailable, "away"))
    }

    async fn intact(&self) -> Result<bool> {
        self.0.intact().await
    }

    async fn mark_refilled(&self) -> Result<()> {
        self.0.mark_refilled().await
    }

    async fn ping(&self) -> Result<()> {
        self.0.ping().await
    }

    async fn clear(&self) -> Result<()> {
        self.0.clear().await
    }
}

on_both! {
    async fn a_queue_that_fails_between_marking_and_publishing_leaves_the_events_due(app) {
        let (listener, registry) = listening();
        outbox::drain(app.ctx(), &registry).await.unwrap();
        let mut ctx = app.ctx().clone();
        ctx.queue = Arc::new(Mute(Arc::clone(&ctx.queue)));
        ring(&ctx, 1..4).await;
        assert_eq!(outbox::relay::once(&ctx, true).await.unwrap_err().code, Code::Unavailable);
        assert_eq!(outbox::relay::once(app.ctx(), false).await.unwrap(), 3, "at once, and not when they are stale");
        outbox::drain(app.ctx(), &registry).await.unwrap();
        assert_eq!(heard(&listener), [1, 2, 3]);
    }
}
