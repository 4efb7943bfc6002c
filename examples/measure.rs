//! Measures a node: idle memory, start-up time, rating → invitation, bookings per second against raw SQL.
//!
//! `cargo run --release --example measure` runs on the embedded backend; with `LINJIAN__DATABASE__URL` and
//! `LINJIAN__QUEUE__REDIS_URL` on those services (an empty database each time). Bounded: some hundreds of requests.
//! The figures in docs/performance.md come from here.

#![expect(
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a measurement reads JSON and divides counts"
)]

use chrono::Duration;
use entity::{
    booking,
    ids::{AccountId, BookingId},
    invitation, service,
    values::{BookingStatus, Fen, StaffRole},
};
use linjian::{
    app::{self, Half, Node},
    config,
    identity::{NewStaff, add_staff},
    platform::{
        Ctx,
        sealed::{Column, seal},
        statement,
    },
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait,
    QueryFilter,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Instant};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const RATINGS: usize = 200;
const BOOKINGS: usize = 300;
const AT_ONCE: usize = 8;
/// Half hours of a visit with its travel time.
const CELLS: i64 = 5;

#[tokio::main]
async fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let mut settings = config::load(None)?;
    settings.data_dir = folder.path().to_path_buf();
    settings.http.listen = "127.0.0.1:0".into();
    let begun = Instant::now();
    let node = app::start(settings, Half::Both).await?;
    println!(
        "start-up          {:>9.1} ms  (database migrated, server listening)",
        millis(begun)
    );
    println!("resident, idle    {:>9.1} MB", resident_mb());
    let caller = Caller {
        client: reqwest::Client::new(),
        base: node.url(),
    };
    latency(&node, &caller).await?;
    throughput(&node, &caller).await?;
    println!("resident, after   {:>9.1} MB", resident_mb());
    node.stop().await;
    Ok(())
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// Linux tells; elsewhere zero.
fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|kb| kb.parse::<f64>().ok())
        .unwrap_or_default()
        / 1024.0
}

#[derive(Clone)]
struct Caller {
    client: reqwest::Client,
    base: String,
}

impl Caller {
    async fn post(&self, token: &str, path: &str, body: &Value) -> Outcome<Value> {
        static KEYS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let key = KEYS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let request = self
            .client
            .post(format!("{}/api/v1/{path}", self.base))
            .json(body);
        let request = request
            .bearer_auth(token)
            .header("Idempotency-Key", format!("measure-{key}"));
        let answer = request.send().await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        if status.is_success() {
            Ok(body)
        } else {
            Err(format!("{path}: {status} {body}").into())
        }
    }

    async fn login(&self, name: &str) -> Outcome<(String, AccountId)> {
        let tokens = self
            .post(
                "",
                "auth/wechat",
                &json!({ "code": format!("sandbox-{name}") }),
            )
            .await?;
        let id = tokens["account"]["id"]
            .as_str()
            .unwrap_or_default()
            .parse()?;
        Ok((
            tokens["access_token"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            AccountId(id),
        ))
    }

    async fn consent(&self, token: &str) -> Outcome<()> {
        let notices: Value = self
            .client
            .get(format!("{}/api/v1/consent/notices", self.base))
            .send()
            .await?
            .json()
            .await?;
        let found = notices["items"].as_array().and_then(|all| {
            all.iter()
                .find(|one| one["purpose"] == "referral_profiling")
        });
        let notice = found.ok_or("no notice")?;
        let body = json!({
            "purpose": "referral_profiling", "decision": "granted", "channel": "popup",
            "notice_version": notice["version"], "notice_sha256": notice["sha256"],
        });
        self.post(token, "me/consents", &body).await.map(drop)
    }
}

/// A completed, half-prepaid visit of a consenting customer.
async fn completed(ctx: &Ctx, account: AccountId) -> Outcome<BookingId> {
    let services = service::Entity::find().all(ctx.db.read()).await?;
    let service_id = services.first().ok_or("no service")?.id;
    let (id, now): (BookingId, _) = (ctx.env.id(), ctx.env.now());
    let tx = ctx.db.begin_write().await?;
    booking::ActiveModel {
        id: Set(id),
        customer_id: Set(account),
        service_id: Set(service_id),
        worker_id: Set(None),
        status: Set(BookingStatus::Completed),
        start_at: Set(now - Duration::hours(4)),
        end_at: Set(now - Duration::hours(2)),
        area: Set("浦东".into()),
        address: Set(seal(
            &ctx.vault,
            Column::BookingAddress,
            id,
            "{\"line\":\"x\"}",
        )?),
        contact_phone: Set(seal(&ctx.vault, Column::BookingPhone, id, "13912345678")?),
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
    .await?;
    ctx.commit(tx).await?;
    Ok(id)
}

/// From the answer to the rating (its commit) to the invitation's row, one after the other.
async fn latency(node: &Node, caller: &Caller) -> Outcome<()> {
    let mut waits = Vec::with_capacity(RATINGS);
    let stars =
        json!({ "quality": 5, "punctuality": 5, "attitude": 5, "communication": 5, "value": 5 });
    for number in 0..RATINGS {
        let (token, account) = caller.login(&format!("rating-{number}")).await?;
        caller.consent(&token).await?;
        let visit = completed(&node.ctx, account).await?;
        linjian::outbox::settle(&node.ctx, std::time::Duration::from_secs(5)).await?;
        caller
            .post(&token, &format!("bookings/{visit}/rating"), &stars)
            .await?;
        let answered = Instant::now();
        loop {
            let mine =
                invitation::Entity::find().filter(invitation::Column::CustomerId.eq(account));
            if mine.count(node.ctx.db.read()).await? > 0 {
                break;
            }
            if answered.elapsed().as_secs() > 10 {
                return Err("an invitation did not come".into());
            }
            tokio::time::sleep(std::time::Duration::from_micros(200)).await;
        }
        waits.push(millis(answered));
    }
    waits.sort_by(f64::total_cmp);
    let at = |share: usize| {
        waits
            .get(waits.len() * share / 100)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "rating → invitation row   p50 {:.1} ms   p99 {:.1} ms   ({RATINGS} ratings)",
        at(50),
        at(99)
    );
    Ok(())
}

/// Bookings over HTTP, then the statements one of them makes, raw, in the same run.
async fn throughput(node: &Node, caller: &Caller) -> Outcome<()> {
    let bodies = prepare(node, caller).await?;
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for lane in 0..AT_ONCE {
        let mine: Vec<_> = bodies.iter().skip(lane).step_by(AT_ONCE).cloned().collect();
        let caller = caller.clone();
        tasks.push(tokio::spawn(async move {
            for (token, body) in mine {
                caller.post(&token, "bookings", &body).await?;
            }
            Outcome::Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    let over_http = BOOKINGS as f64 / begun.elapsed().as_secs_f64();
    let raw = raw(node).await?;
    println!("bookings over HTTP        {over_http:>8.0} /s   ({AT_ONCE} at once)");
    println!(
        "the same rows, raw SQL    {raw:>8.0} /s   ratio {:.2}",
        over_http / raw
    );
    Ok(())
}

async fn prepare(node: &Node, caller: &Caller) -> Outcome<Vec<(String, Value)>> {
    let new = NewStaff {
        username: "measure".into(),
        roles: vec![StaffRole::Manager],
        password: None,
    };
    let (_, password) = add_staff(&node.ctx, new).await?;
    let body = json!({ "username": "measure", "password": password });
    let staff = caller.post("", "auth/staff", &body).await?["access_token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let services: Value = caller
        .client
        .get(format!("{}/api/v1/services", caller.base))
        .send()
        .await?
        .json()
        .await?;
    let found = services["items"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["slug"] == "daily-cleaning"));
    let service = found.ok_or("no service")?.clone();
    for number in 0..BOOKINGS.div_ceil(4) {
        let phone = format!("1380002{number:04}");
        let body = json!({ "name": "工", "phone": phone, "skills": [service["skill"]], "areas": ["浦东"] });
        caller.post(&staff, "admin/workers", &body).await?;
    }
    let day = linjian::kernel::business_date(node.ctx.env.now()) + chrono::Days::new(2);
    let mut bodies = Vec::with_capacity(BOOKINGS);
    for number in 0..BOOKINGS {
        let (token, _) = caller.login(&format!("booker-{number}")).await?;
        // 08:00, 11:00, 14:00, 17:00 in Shanghai: four visits a worker and day.
        let start = format!("{}T{:02}:00:00+08:00", day, 8 + 3 * (number % 4));
        let body = json!({
            "service_id": service["id"], "start_at": start, "area": "浦东", "answers": answers(&service),
            "address": { "line": "示例路 8 弄 3 号" }, "contact_phone": "13912345678",
        });
        bodies.push((token, body));
    }
    Ok(bodies)
}

fn answers(service: &Value) -> Value {
    let questions = service["questionnaire"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let answer = |question: &Value| {
        let value = match question["kind"].as_str()? {
            "number" => json!(60),
            "bool" => json!(false),
            _ => question["options"]
                .get(0)
                .map(|option| option.get("value").unwrap_or(option).clone())?,
        };
        Some((question["key"].as_str()?.to_owned(), value))
    };
    Value::Object(questions.iter().filter_map(answer).collect())
}

/// Copies a booking's rows as plain statements; `?` as everywhere in the house.
struct Copy {
    booking: String,
    template: BookingId,
}

/// As many rows as the HTTP calls wrote, as plain statements: what the database alone would allow.
async fn raw(node: &Node) -> Outcome<f64> {
    let db = node.ctx.db.clone();
    let held = booking::Entity::find()
        .filter(booking::Column::Status.eq(BookingStatus::PendingPayment))
        .all(db.read())
        .await?;
    let template = held.first().ok_or("no booking to copy")?.id;
    let columns = "customer_id, service_id, worker_id, status, start_at, end_at, area, address, contact_phone, answers, quote, \
                   total_fen, prepaid_fen, refunded_fen, hold_expires_at, rework_of, confirmed_at, completed_at, created_at, updated_at";
    let insert = format!(
        "INSERT INTO booking (id, {columns}) SELECT ?, {columns} FROM booking WHERE id = ?"
    );
    let copy = Arc::new(Copy {
        booking: insert,
        template,
    });
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for lane in 0..AT_ONCE {
        let (ctx, copy) = (node.ctx.clone(), copy.clone());
        tasks.push(tokio::spawn(async move {
            for number in (lane..BOOKINGS).step_by(AT_ONCE) {
                rows(&ctx, &copy, i64::try_from(number)?).await?;
            }
            Outcome::Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(BOOKINGS as f64 / begun.elapsed().as_secs_f64())
}

/// One booking's rows in one transaction.
async fn rows(ctx: &Ctx, copy: &Copy, number: i64) -> Outcome<()> {
    let (id, event, timer): (uuid::Uuid, uuid::Uuid, uuid::Uuid) =
        (ctx.env.id(), ctx.env.id(), ctx.env.id());
    let tx = ctx.db.begin_write().await?;
    let run = async |sql: &str, values: Vec<sea_orm::Value>| {
        tx.execute_raw(statement(ctx.db.backend(), sql, values))
            .await
    };
    run(&copy.booking, vec![id.into(), copy.template.into()]).await?;
    let note = "INSERT INTO booking_event (id, booking_id, at, what) SELECT ?, id, created_at, 'x' FROM booking WHERE id = ?";
    run(note, vec![event.into(), id.into()]).await?;
    let cell = "INSERT INTO reservation (worker_id, cell_at, booking_id) SELECT worker_id, ?, id FROM booking WHERE id = ?";
    for step in 0..CELLS {
        let at = chrono::DateTime::<chrono::Utc>::from_timestamp(number * 100_000 + step * 1800, 0);
        run(cell, vec![at.into(), id.into()]).await?;
    }
    let due = "INSERT INTO timer (id, kind, subject_id, due_at, fired_at, cancelled_at, created_at) \
               SELECT ?, 'measure', id, created_at, created_at, NULL, created_at FROM booking WHERE id = ?";
    run(due, vec![timer.into(), id.into()]).await?;
    tx.commit().await?;
    Ok(())
}
