//! kill -9 in a burst of ratings: afterwards every invitation exists exactly once.

use crate::support::{Backend, Person, TestApp};
use chrono::Duration;
use entity::{
    booking, decision,
    ids::{AccountId, BookingId, ServiceId},
    invitation, service,
    values::{BookingStatus, Fen, InvitationSource},
};
use linjian::platform::sealed::{Column, seal};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter,
};
use serde_json::json;
use std::{
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

const PEOPLE: usize = 200;
const KILLS: usize = 5;

/// A consenting customer with a completed, half-prepaid visit nobody has rated.
async fn satisfied(app: &TestApp, service: ServiceId, number: usize) -> (Person, BookingId) {
    let person = app.customer(&format!("burst-{number}")).await;
    person.consents("referral_profiling", None).await;
    let ctx = app.ctx();
    let id: BookingId = ctx.env.id();
    let now = ctx.env.now();
    let account: AccountId = AccountId(person.id.parse().unwrap());
    let tx = ctx.db.begin_write().await.unwrap();
    booking::ActiveModel {
        id: Set(id),
        customer_id: Set(account),
        service_id: Set(service),
        worker_id: Set(None),
        status: Set(BookingStatus::Completed),
        start_at: Set(now - Duration::hours(4)),
        end_at: Set(now - Duration::hours(2)),
        area: Set("浦东".into()),
        address: Set(seal(&ctx.vault, Column::BookingAddress, id, "{\"line\":\"x\"}").unwrap()),
        contact_phone: Set(seal(&ctx.vault, Column::BookingPhone, id, "13912345678").unwrap()),
        answers: Set(json!({})),
        quote: Set(json!([])),
        total_fen: Set(Fen(20_000)),
        prepaid_fen: Set(Fen(10_000)),
        refunded_fen: Set(Fen(0)),
        hold_expires_at: Set(None),
        rework_of: Set(None),
        confirmed_at: Set(Some(now - Duration::days(1))),
        completed_at: Set(Some(now - Duration::hours(1))),
        created_at: Set(now - Duration::days(1)),
        updated_at: Set(now),
    }
    .insert(&tx)
    .await
    .unwrap();
    ctx.commit(tx).await.unwrap();
    (person, id)
}

/// The real binary on the same deployment as `app`.
fn spawn(app: &TestApp, port: u16) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linjian"));
    command
        .arg("serve")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for (key, value) in app.settings() {
        let name = format!("LINJIAN__{}", key.replace('.', "__").to_uppercase());
        command.env(name, value);
    }
    command.env("LINJIAN__HTTP__LISTEN", format!("127.0.0.1:{port}"));
    command.spawn().unwrap()
}

async fn alive(base: &str) {
    for _ in 0..600 {
        let asked = reqwest::get(format!("{base}/readyz")).await;
        if asked.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the node did not come up");
}

async fn rate_until_answered(
    base: String,
    person: Person,
    booking: BookingId,
    done: Arc<AtomicUsize>,
) {
    let client = reqwest::Client::new();
    let body =
        json!({ "quality": 5, "punctuality": 5, "attitude": 5, "communication": 5, "value": 5 });
    for _ in 0..2_000 {
        let sent = client
            .post(format!("{base}/api/v1/bookings/{booking}/rating"))
            .bearer_auth(&person.token)
            .header("Idempotency-Key", format!("rate-{booking}"))
            .json(&body)
            .send()
            .await;
        match sent.map(|answer| answer.status().as_u16()) {
            Ok(201) => {
                done.fetch_add(1, Ordering::SeqCst);
                return;
            }
            Ok(status) => assert!(
                [409, 429, 503].contains(&status),
                "a rating was answered {status}"
            ),
            // The node is down; the caller tries again with the same key.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
    panic!("a rating was never answered");
}

async fn burst(backend: Backend) {
    // What a killed node held is taken over after this; the test need not wait the usual half minute.
    let sooner = [("queue.claim_after", "PT10S")];
    let app = TestApp::with(backend, linjian::app::Half::ApiOnly, &sooner).await;
    let service = service::Entity::find()
        .all(app.ctx().db.read())
        .await
        .unwrap()
        .remove(0)
        .id;
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        people.push(satisfied(&app, service, number).await);
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let base = format!("http://127.0.0.1:{port}");
    let mut node = spawn(&app, port);
    alive(&base).await;
    let done = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for chunk in people.chunks(PEOPLE / 8) {
        let (base, chunk, done) = (base.clone(), chunk.to_vec(), done.clone());
        tasks.push(tokio::spawn(async move {
            for (person, booking) in chunk {
                rate_until_answered(base.clone(), person, booking, done.clone()).await;
            }
        }));
    }
    for kill in 1..=KILLS {
        // Each time a further part of the burst has been answered, so the kills fall all over it.
        while done.load(Ordering::SeqCst) < kill * PEOPLE / (KILLS + 1) {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        node.kill().unwrap();
        node.wait().unwrap();
        if kill == 3 {
            app.ctx().queue.clear().await.unwrap();
        }
        node = spawn(&app, port);
        alive(&base).await;
    }
    for task in tasks {
        task.await.unwrap();
    }
    let settled = linjian::outbox::settle(app.ctx(), std::time::Duration::from_mins(1))
        .await
        .unwrap();
    node.kill().unwrap();
    node.wait().unwrap();
    assert!(settled, "events were left over");
    check(&app).await;
    app.finish().await;
}

async fn check(app: &TestApp) {
    let db = app.ctx().db.read();
    let rows = invitation::Entity::find()
        .filter(invitation::Column::Source.eq(InvitationSource::Rule))
        .all(db)
        .await
        .unwrap();
    let people: std::collections::HashSet<_> = rows.iter().map(|row| row.customer_id).collect();
    assert_eq!((rows.len(), people.len()), (PEOPLE, PEOPLE));
    let fired = decision::Entity::find()
        .filter(decision::Column::RuleId.eq("quality-baseline"))
        .count(db)
        .await
        .unwrap();
    assert_eq!(fired, u64::try_from(PEOPLE).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_five_times_in_a_burst_every_invitation_exists_once_on_sqlite_and_memory() {
    burst(Backend::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_five_times_with_the_queue_flushed_every_invitation_exists_once_on_postgres_and_redis()
 {
    burst(Backend::Production).await;
}
