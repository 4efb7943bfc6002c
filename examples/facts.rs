//! Measures what facts cost: one batch of people against the raw query a hand would write for the same rows, in one run.
//!
//! `cargo run --release --example facts` runs on the embedded backend; with `LINJIAN__DATABASE__URL` and
//! `LINJIAN__QUEUE__REDIS_URL` on those services (an empty database each time). Bounded: 2,000 people with six visits each.
//! `-- --plan` prints the database's plan of the batch as well.

use chrono::{DateTime, Duration, Utc};
use entity::{
    account, booking, complaint,
    ids::{AccountId, BookingId, ComplaintId, EventId, RatingId, ServiceId},
    outbox, rating, service,
    values::{
        AccountKind, BookingStatus, CommentStatus, ComplaintKind, ComplaintStatus, Fen, Score,
    },
};
use linjian::{
    app::{self, Half},
    config,
    platform::{
        Ctx,
        sealed::{Column, seal},
        statement,
    },
    referral::{About, Ask, read_batch},
    rule::FactRef,
};
use sea_orm::{ActiveValue::Set, ConnectionTrait, DatabaseTransaction, EntityTrait, Value};
use serde_json::json;
use std::{collections::BTreeSet, time::Instant};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const PEOPLE: usize = 2_000;
const VISITS: usize = 6;
const ROUNDS: usize = 41;

/// What the shipped rules read when a rating comes, and three looks into the past.
const WANTED: [&str; 7] = [
    "booking.prepaid_ratio",
    "booking.sla_breached",
    "customer.open_complaints",
    "rating.score",
    "rating.score@last(3).min",
    "booking.total_fen@within(P90D).sum",
    "complaint.opened@within(P90D).count",
];

#[tokio::main]
async fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let mut settings = config::load(None)?;
    settings.data_dir = folder.path().to_path_buf();
    settings.http.listen = "127.0.0.1:0".into();
    let node = app::start(settings, Half::ApiOnly).await?;
    let people = fill(&node.ctx).await?;
    let wanted: BTreeSet<FactRef> = WANTED
        .iter()
        .map(|name| name.parse())
        .collect::<Result<_, String>>()?;
    if std::env::args().any(|argument| argument == "--plan") {
        plan(&node.ctx, &people, &wanted).await?;
    }
    println!("people   batch ms    raw ms   ratio   one by one ms   (median of {ROUNDS})");
    for size in [1, 100, 500] {
        compare(&node.ctx, people.get(..size).unwrap_or(&people), &wanted).await?;
    }
    node.stop().await;
    Ok(())
}

/// A customer and his last visit.
type Somebody = (AccountId, BookingId);

async fn fill(ctx: &Ctx) -> Outcome<Vec<Somebody>> {
    let services = service::Entity::find().all(ctx.db.read()).await?;
    let service = services.first().ok_or("no service")?.id;
    let mut people = Vec::with_capacity(PEOPLE);
    for _ in 0..PEOPLE / 50 {
        let tx = ctx.db.begin_write().await?;
        for _ in 0..50 {
            people.push(somebody(ctx, &tx, service).await?);
        }
        tx.commit().await?;
    }
    ctx.db.read().execute_unprepared("ANALYZE").await?;
    Ok(people)
}

async fn somebody(ctx: &Ctx, tx: &DatabaseTransaction, service: ServiceId) -> Outcome<Somebody> {
    let (customer, now): (AccountId, _) = (ctx.env.id(), ctx.env.now());
    let row = account::ActiveModel {
        id: Set(customer),
        kind: Set(AccountKind::Customer),
        name: Set(seal(&ctx.vault, Column::AccountName, customer, "客")?),
        phone: Set(None),
        phone_index: Set(None),
        disabled_at: Set(None),
        created_at: Set(now),
    };
    account::Entity::insert(row)
        .exec_without_returning(tx)
        .await?;
    let ids: Vec<BookingId> = (0..VISITS).map(|_| ctx.env.id()).collect();
    let mut visits = Vec::new();
    let mut ratings = Vec::new();
    let mut events = Vec::new();
    for (number, id) in ids.iter().enumerate() {
        let at = now - Duration::days(i64::try_from(VISITS - number)? * 12);
        visits.push(visit(ctx, customer, service, *id, at)?);
        ratings.push(rated(ctx, customer, *id, at));
        events.push(told(ctx, customer, at));
    }
    booking::Entity::insert_many(visits)
        .exec_without_returning(tx)
        .await?;
    rating::Entity::insert_many(ratings)
        .exec_without_returning(tx)
        .await?;
    outbox::Entity::insert_many(events)
        .exec_without_returning(tx)
        .await?;
    let last = *ids.last().ok_or("no visit")?;
    complaint::Entity::insert(complained(ctx, customer, last, now))
        .exec_without_returning(tx)
        .await?;
    Ok((customer, last))
}

fn visit(
    ctx: &Ctx,
    customer: AccountId,
    service: ServiceId,
    id: BookingId,
    at: DateTime<Utc>,
) -> Outcome<booking::ActiveModel> {
    Ok(booking::ActiveModel {
        id: Set(id),
        customer_id: Set(customer),
        service_id: Set(service),
        worker_id: Set(None),
        status: Set(BookingStatus::Completed),
        start_at: Set(at),
        end_at: Set(at),
        area: Set("浦东".into()),
        address: Set(seal(&ctx.vault, Column::BookingAddress, id, "{}")?),
        contact_phone: Set(seal(&ctx.vault, Column::BookingPhone, id, "13912345678")?),
        answers: Set(json!({})),
        quote: Set(json!([])),
        total_fen: Set(Fen(20_000)),
        prepaid_fen: Set(Fen(10_000)),
        refunded_fen: Set(Fen(0)),
        hold_expires_at: Set(None),
        rework_of: Set(None),
        confirmed_at: Set(Some(at)),
        completed_at: Set(Some(at)),
        created_at: Set(at),
        updated_at: Set(at),
    })
}

fn rated(
    ctx: &Ctx,
    customer: AccountId,
    booking: BookingId,
    at: DateTime<Utc>,
) -> rating::ActiveModel {
    rating::ActiveModel {
        id: Set(ctx.env.id::<RatingId>()),
        booking_id: Set(booking),
        customer_id: Set(customer),
        worker_id: Set(None),
        quality: Set(5),
        punctuality: Set(5),
        attitude: Set(5),
        communication: Set(5),
        value: Set(4),
        score: Set(Score(480)),
        comment: Set(None),
        comment_status: Set(CommentStatus::None),
        submitted_at: Set(at),
    }
}

/// An event that is over.
fn told(ctx: &Ctx, customer: AccountId, at: DateTime<Utc>) -> outbox::ActiveModel {
    outbox::ActiveModel {
        id: Set(ctx.env.id::<EventId>()),
        kind: Set("complaint.opened.v1".into()),
        subject_id: Set(Some(customer.0)),
        payload: Set(json!({})),
        occurred_at: Set(at),
        published_at: Set(None),
        done_at: Set(Some(at)),
        attempts: Set(0),
        retry_at: Set(None),
        dead_at: Set(None),
        last_error: Set(None),
    }
}

fn complained(
    ctx: &Ctx,
    customer: AccountId,
    booking: BookingId,
    at: DateTime<Utc>,
) -> complaint::ActiveModel {
    complaint::ActiveModel {
        id: Set(ctx.env.id::<ComplaintId>()),
        booking_id: Set(booking),
        customer_id: Set(customer),
        kind: Set(ComplaintKind::Other),
        text: Set("x".into()),
        status: Set(ComplaintStatus::Open),
        first_response_due_at: Set(at),
        resolution_due_at: Set(at),
        responded_at: Set(None),
        response: Set(None),
        resolved_at: Set(None),
        resolution: Set(None),
        breached_at: Set(None),
        created_at: Set(at),
    }
}

fn asks(people: &[Somebody]) -> Vec<Ask> {
    let ask = |(customer, booking): &Somebody| Ask {
        about: About {
            booking: Some(*booking),
            ..About::person(*customer)
        },
        profiling: true,
        link: false,
    };
    people.iter().map(ask).collect()
}

/// The query a hand would write for exactly these seven numbers.
fn by_hand(ctx: &Ctx, people: &[Somebody]) -> (String, Vec<Value>) {
    let since: Value = (ctx.env.now() - Duration::days(90)).into();
    let mut values = vec![since.clone(), since];
    values.extend(people.iter().map(|(_, booking)| Value::from(booking.0)));
    let places = vec!["?"; people.len()].join(", ");
    let sql = format!(
        "SELECT b.customer_id, (b.prepaid_fen - b.refunded_fen) * 10000 / b.total_fen, \
           CAST((SELECT COUNT(*) FROM complaint c WHERE c.booking_id = b.id AND c.breached_at IS NOT NULL) AS BIGINT), \
           CAST((SELECT COUNT(*) FROM complaint c WHERE c.customer_id = b.customer_id AND c.status <> 'resolved') AS BIGINT), \
           CAST(r.score AS BIGINT), \
           CAST((SELECT MIN(score) FROM (SELECT h.score FROM rating h WHERE h.customer_id = b.customer_id \
             ORDER BY h.submitted_at DESC LIMIT 3) t) AS BIGINT), \
           CAST((SELECT SUM(h.total_fen) FROM booking h WHERE h.customer_id = b.customer_id AND h.status = 'completed' \
             AND h.completed_at >= ?) AS BIGINT), \
           CAST((SELECT COUNT(*) FROM outbox h WHERE h.subject_id = b.customer_id AND h.kind = 'complaint.opened.v1' \
             AND h.occurred_at >= ?) AS BIGINT) \
         FROM booking b LEFT JOIN rating r ON r.booking_id = b.id WHERE b.id IN ({places})"
    );
    (sql, values)
}

async fn raw(ctx: &Ctx, people: &[Somebody]) -> Outcome<i64> {
    let (sql, values) = by_hand(ctx, people);
    let rows = ctx
        .db
        .read()
        .query_all_raw(statement(ctx.db.backend(), &sql, values))
        .await?;
    let mut sum = 0;
    for row in rows {
        let _: uuid::Uuid = row.try_get_by_index(0)?;
        for column in 1..8 {
            sum += row.try_get_by_index::<i64>(column)?;
        }
    }
    Ok(sum)
}

async fn compare(ctx: &Ctx, people: &[Somebody], wanted: &BTreeSet<FactRef>) -> Outcome<()> {
    let asks = asks(people);
    let (mut batch, mut hand, mut single) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let begun = Instant::now();
        let found = read_batch(ctx, ctx.db.read(), &asks, wanted).await?;
        batch.push(begun.elapsed().as_secs_f64() * 1000.0);
        let begun = Instant::now();
        let sum = raw(ctx, people).await?;
        hand.push(begun.elapsed().as_secs_f64() * 1000.0);
        let numbers = found
            .iter()
            .flat_map(|facts| WANTED.iter().filter_map(|name| facts.int(name)));
        if numbers.sum::<i64>() != sum {
            return Err("the two queries do not agree".into());
        }
        if round % 8 == 0 {
            let begun = Instant::now();
            for ask in &asks {
                read_batch(ctx, ctx.db.read(), std::slice::from_ref(ask), wanted).await?;
            }
            single.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
    }
    let (batch, hand, single) = (median(batch), median(hand), median(single));
    println!(
        "{:>6} {batch:>10.2} {hand:>9.2} {:>7.2} {single:>15.2}",
        people.len(),
        batch / hand
    );
    Ok(())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A look at how the database does it: the statement is caught on its way and asked for its plan.
async fn plan(ctx: &Ctx, people: &[Somebody], wanted: &BTreeSet<FactRef>) -> Outcome<()> {
    let asks = asks(people.get(..100).unwrap_or(people));
    let explaining = Explaining(ctx);
    // The plan has other columns than the facts, so reading it as facts fails; that is its end.
    let _ = read_batch(ctx, &explaining, &asks, wanted).await;
    Ok(())
}

struct Explaining<'a>(&'a Ctx);

#[async_trait::async_trait]
impl ConnectionTrait for Explaining<'_> {
    fn get_database_backend(&self) -> sea_orm::DbBackend {
        self.0.db.backend()
    }
    async fn execute_raw(
        &self,
        statement: sea_orm::Statement,
    ) -> Result<sea_orm::ExecResult, sea_orm::DbErr> {
        self.0.db.read().execute_raw(statement).await
    }
    async fn execute_unprepared(&self, sql: &str) -> Result<sea_orm::ExecResult, sea_orm::DbErr> {
        self.0.db.read().execute_unprepared(sql).await
    }
    async fn query_one_raw(
        &self,
        statement: sea_orm::Statement,
    ) -> Result<Option<sea_orm::QueryResult>, sea_orm::DbErr> {
        self.0.db.read().query_one_raw(statement).await
    }
    async fn query_all_raw(
        &self,
        mut statement: sea_orm::Statement,
    ) -> Result<Vec<sea_orm::QueryResult>, sea_orm::DbErr> {
        let (word, column) = match self.get_database_backend() {
            sea_orm::DbBackend::Postgres => ("EXPLAIN (ANALYZE, BUFFERS)", 0),
            _ => ("EXPLAIN QUERY PLAN", 3),
        };
        statement.sql = format!("{word} {}", statement.sql);
        for row in self.0.db.read().query_all_raw(statement).await? {
            println!("{}", row.try_get_by_index::<String>(column)?);
        }
        Ok(Vec::new())
    }
}
