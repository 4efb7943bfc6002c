//! Facts of many people in one statement: as many statements as databases need, the folds of a plain loop, and nothing of
//! whoever has not agreed.

use crate::support::TestApp;
use chrono::{DateTime, Duration, Utc};
use entity::{
    booking, complaint,
    ids::{
        AccountId, BookingId, ComplaintId, EventId, InvitationId, RatingId, RewardId, ServiceId,
        WorkerId,
    },
    invitation, outbox, rating, reward,
    values::{
        BookingStatus, CommentStatus, ComplaintKind, ComplaintStatus, Fen, InvitationSource,
        InvitationStatus, RewardCause, RewardStatus, Score,
    },
    work_order,
};
use linjian::{
    platform::{
        Ctx,
        sealed::{Column, seal},
    },
    referral::{About, Ask, read_batch},
    rule::{FactRef, Facts, Value},
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ConnectionTrait, DatabaseConnection, DatabaseTransaction,
    DbBackend, DbErr, EntityTrait, ExecResult, QueryResult, Statement,
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};

/// A connection that counts what is asked of it.
struct Counting<'a>(&'a DatabaseConnection, AtomicUsize);

#[async_trait::async_trait]
impl ConnectionTrait for Counting<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }
    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.execute_raw(statement).await
    }
    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.execute_unprepared(sql).await
    }
    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.query_one_raw(statement).await
    }
    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.query_all_raw(statement).await
    }
}

/// One visit of a made-up past.
#[derive(Clone, Debug)]
struct Visit {
    total: i64,
    prepaid: i64,
    refunded: i64,
    completed: bool,
    minutes_ago: i64,
    rework: bool,
    late: Option<i32>,
    breached: bool,
    stars: Option<([i32; 5], bool)>,
}

fn visit() -> impl Strategy<Value = Visit> {
    use proptest::{bool::ANY, option, prelude::Just, prop_oneof};
    let total = prop_oneof![8 => 0_i64..100_000, 1 => Just(i64::MAX / 2 + 7)];
    // Few moments, so that some fall together.
    let ago = prop_oneof![Just(1_i64), Just(20), Just(90), 1_i64..100_000];
    let stars = option::weighted(0.7, (proptest::array::uniform5(1_i32..=5), ANY));
    (
        (total, 0_i64..50_000, 0_i64..10_000),
        (ANY, ago, ANY),
        (option::weighted(0.7, 0_i32..90), ANY, stars),
    )
        .prop_map(
            |(
                (total, prepaid, refunded),
                (completed, minutes_ago, rework),
                (late, breached, stars),
            )| Visit {
                total,
                prepaid: prepaid.max(refunded),
                refunded,
                completed,
                minutes_ago,
                rework,
                late,
                breached,
                stars,
            },
        )
}

/// One entry of a past: when, its id, its number.
type Entry = (DateTime<Utc>, uuid::Uuid, Option<i64>);

/// What somebody did, as written.
type Past = Vec<(Visit, BookingId, RatingId)>;

/// What a plain loop finds.
fn fold(mut past: Vec<Entry>, window: &str, fold: &str, now: DateTime<Utc>) -> Option<i64> {
    past.sort_by_key(|one| std::cmp::Reverse((one.0, one.1)));
    let kept: Vec<i64> = if let Some(rest) = window.strip_prefix("last(") {
        let most = rest.trim_end_matches(')').parse().unwrap();
        past.into_iter()
            .take(most)
            .filter_map(|one| one.2)
            .collect()
    } else {
        let span = match window {
            "within(PT30M)" => Duration::minutes(30),
            "within(P1D)" => Duration::days(1),
            _ => Duration::days(30),
        };
        let young = past.into_iter().filter(|one| one.0 >= now - span);
        young.take(1000).filter_map(|one| one.2).collect()
    };
    let count = i64::try_from(kept.len()).unwrap();
    let sum: i128 = kept.iter().map(|entry| i128::from(*entry)).sum();
    let share = |sum: i128| (count > 0).then(|| i64::try_from(sum / i128::from(count)).unwrap());
    match fold {
        "count" => Some(count),
        "sum" => i64::try_from(sum).ok(),
        "min" => kept.iter().min().copied(),
        "max" => kept.iter().max().copied(),
        "mean" => share(sum),
        _ => share(sum * 10_000),
    }
}

const WINDOWS: [&str; 6] = [
    "last(1)",
    "last(3)",
    "last(100)",
    "within(PT30M)",
    "within(P1D)",
    "within(P30D)",
];

/// What of a visit or its rating has a past, with the folds it has.
const PAST: [(&str, &[&str]); 9] = [
    ("rating.score", &["count", "min", "max", "mean"]),
    ("rating.quality", &["min", "max", "mean"]),
    ("rating.has_comment", &["count", "rate"]),
    ("booking.total_fen", &["count", "sum", "min", "max", "mean"]),
    ("booking.prepaid_fen", &["sum", "max"]),
    ("booking.prepaid_ratio", &["min", "mean"]),
    ("booking.is_rework", &["rate"]),
    ("booking.late_minutes", &["count", "sum", "min", "mean"]),
    ("booking.sla_breached", &["count", "rate"]),
];

/// The number a visit adds to a past, if it adds one.
fn number(of: &str, visit: &Visit) -> Option<i64> {
    let stars = visit.stars;
    match of {
        "rating.score" => stars.map(|(stars, _)| i64::from(stars.iter().sum::<i32>() * 20)),
        "rating.quality" => stars.map(|(stars, _)| i64::from(stars[0] * 100)),
        "rating.has_comment" => stars.map(|(_, commented)| i64::from(commented)),
        "booking.total_fen" => Some(visit.total),
        "booking.prepaid_fen" => Some(visit.prepaid - visit.refunded),
        "booking.prepaid_ratio" => {
            (visit.total > 0).then(|| (visit.prepaid - visit.refunded) * 10_000 / visit.total)
        }
        "booking.is_rework" => Some(i64::from(visit.rework)),
        "booking.late_minutes" => visit.late.map(i64::from),
        _ => Some(i64::from(visit.breached)),
    }
}

/// Rows every visit needs.
struct Base {
    service: ServiceId,
    worker: WorkerId,
    now: DateTime<Utc>,
}

async fn base(app: &TestApp) -> Base {
    let crew = app.crew("13800009000").await;
    let service = app.service("daily-cleaning").await;
    Base {
        service: service["id"]
            .as_str()
            .unwrap()
            .parse()
            .map(ServiceId)
            .unwrap(),
        worker: crew.id.parse().map(WorkerId).unwrap(),
        now: app.ctx().env.now(),
    }
}

async fn person(app: &TestApp, name: &str) -> AccountId {
    AccountId(app.customer(name).await.id.parse().unwrap())
}

/// Writes a visit with all that hangs on it; answers its id and the id of its rating.
async fn write(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    base: &Base,
    customer: AccountId,
    one: &Visit,
    rework_of: Option<BookingId>,
) -> (BookingId, RatingId) {
    let (id, rating_id): (BookingId, RatingId) = (ctx.env.id(), ctx.env.id());
    let at = base.now - Duration::minutes(one.minutes_ago);
    let status = if one.completed {
        BookingStatus::Completed
    } else {
        BookingStatus::Confirmed
    };
    booking::ActiveModel {
        id: Set(id),
        customer_id: Set(customer),
        service_id: Set(base.service),
        worker_id: Set(Some(base.worker)),
        status: Set(status),
        start_at: Set(at),
        end_at: Set(at),
        area: Set("浦东".into()),
        address: Set(seal(&ctx.vault, Column::BookingAddress, id, "{}").unwrap()),
        contact_phone: Set(seal(&ctx.vault, Column::BookingPhone, id, "13912345678").unwrap()),
        answers: Set(json!({"area_sqm": one.minutes_ago, "pets": one.breached})),
        quote: Set(json!([])),
        total_fen: Set(Fen(one.total)),
        prepaid_fen: Set(Fen(one.prepaid)),
        refunded_fen: Set(Fen(one.refunded)),
        hold_expires_at: Set(None),
        rework_of: Set(rework_of),
        confirmed_at: Set(Some(at)),
        completed_at: Set(one.completed.then_some(at)),
        created_at: Set(at),
        updated_at: Set(at),
    }
    .insert(tx)
    .await
    .unwrap();
    work_order::ActiveModel {
        booking_id: Set(id),
        worker_id: Set(base.worker),
        checked_in_at: Set(Some(at)),
        late_minutes: Set(one.late),
        within_geofence: Set(None),
        completed_at: Set(Some(at)),
        created_at: Set(at),
    }
    .insert(tx)
    .await
    .unwrap();
    if one.breached {
        complain(ctx, tx, customer, id, at).await;
    }
    rate(tx, base, customer, (id, rating_id), one).await;
    (id, rating_id)
}

async fn rate(
    tx: &DatabaseTransaction,
    base: &Base,
    customer: AccountId,
    (id, rating_id): (BookingId, RatingId),
    one: &Visit,
) {
    let at = base.now - Duration::minutes(one.minutes_ago);
    if let Some((stars, commented)) = one.stars {
        let [quality, punctuality, attitude, communication, value] = stars;
        rating::ActiveModel {
            id: Set(rating_id),
            booking_id: Set(id),
            customer_id: Set(customer),
            worker_id: Set(Some(base.worker)),
            quality: Set(quality),
            punctuality: Set(punctuality),
            attitude: Set(attitude),
            communication: Set(communication),
            value: Set(value),
            score: Set(Score(stars.iter().sum::<i32>() * 20)),
            comment: Set(commented.then(|| "好".to_owned())),
            comment_status: Set(CommentStatus::Pass),
            submitted_at: Set(at),
        }
        .insert(tx)
        .await
        .unwrap();
    }
}

async fn complain(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    customer: AccountId,
    booking: BookingId,
    at: DateTime<Utc>,
) {
    complaint::ActiveModel {
        id: Set(ctx.env.id::<ComplaintId>()),
        booking_id: Set(booking),
        customer_id: Set(customer),
        kind: Set(ComplaintKind::Quality),
        text: Set("漏".into()),
        status: Set(ComplaintStatus::Open),
        first_response_due_at: Set(at),
        resolution_due_at: Set(at),
        responded_at: Set(None),
        response: Set(None),
        resolved_at: Set(None),
        resolution: Set(None),
        breached_at: Set(Some(at)),
        created_at: Set(at),
    }
    .insert(tx)
    .await
    .unwrap();
}

/// Events that are over: nobody handles them any more.
async fn happened(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    kind: &str,
    whose: AccountId,
    at: &[DateTime<Utc>],
) {
    let rows = at.iter().map(|at| outbox::ActiveModel {
        id: Set(ctx.env.id::<EventId>()),
        kind: Set(kind.to_owned()),
        subject_id: Set(Some(whose.0)),
        payload: Set(json!({})),
        occurred_at: Set(*at),
        published_at: Set(None),
        done_at: Set(Some(*at)),
        attempts: Set(0),
        retry_at: Set(None),
        dead_at: Set(None),
        last_error: Set(None),
    });
    outbox::Entity::insert_many(rows)
        .exec_without_returning(tx)
        .await
        .unwrap();
}

fn ask(customer: AccountId, booking: Option<BookingId>, profiling: bool) -> Ask {
    Ask {
        about: About {
            booking,
            ..About::person(customer)
        },
        profiling,
        link: false,
    }
}

fn wanted<T: AsRef<str>>(names: &[T]) -> BTreeSet<FactRef> {
    names
        .iter()
        .map(|name| name.as_ref().parse().unwrap())
        .collect()
}

async fn facts(app: &TestApp, asks: &[Ask], names: &BTreeSet<FactRef>) -> Vec<Facts> {
    read_batch(app.ctx(), app.ctx().db.read(), asks, names)
        .await
        .unwrap()
}

/// The number found for a reference, however its span is written.
fn int(facts: &Facts, name: &str) -> Option<i64> {
    let reference: FactRef = name.parse().unwrap();
    facts.int(&reference.to_string())
}

/// Checks every history of every person against the loop.
async fn compare(app: &TestApp, base: &Base, people: &[(AccountId, Past)]) {
    let mut names = Vec::new();
    for (of, folds) in PAST {
        for window in WINDOWS {
            names.extend(folds.iter().map(|fold| format!("{of}@{window}.{fold}")));
        }
    }
    let asks: Vec<_> = people.iter().map(|(id, _)| ask(*id, None, true)).collect();
    let now = app.ctx().env.now();
    let all = facts(app, &asks, &wanted(&names)).await;
    assert_eq!(all.len(), people.len());
    for (found, (_, past)) in all.iter().zip(people) {
        for name in &names {
            let (of, rest) = name.split_once('@').unwrap();
            let (window, by) = rest.rsplit_once('.').unwrap();
            let entries = past.iter().filter(|(one, ..)| {
                if of.starts_with("rating.") {
                    one.stars.is_some()
                } else {
                    one.completed
                }
            });
            let entries = entries.map(|(one, booking, rating)| {
                let at = base.now - Duration::minutes(one.minutes_ago);
                let id = if of.starts_with("rating.") {
                    rating.0
                } else {
                    booking.0
                };
                (at, id, number(of, one))
            });
            let expected = fold(entries.collect(), window, by, now);
            assert_eq!(int(found, name), expected, "{name} of {past:#?}");
        }
    }
}

on_both! {
    async fn a_batch_finds_what_a_plain_loop_over_each_past_finds(app) {
        let base = base(app).await;
        let mut runner = TestRunner::deterministic();
        let mut people = Vec::new();
        for number in 0..12 {
            let customer = person(app, &format!("past-{number}")).await;
            let visits = proptest::collection::vec(visit(), 0..9).new_tree(&mut runner).unwrap().current();
            let tx = app.ctx().db.begin_write().await.unwrap();
            let (mut past, mut first) = (Vec::new(), None);
            for mut one in visits {
                one.rework &= first.is_some();
                let (booking, rating) = write(app.ctx(), &tx, &base, customer, &one, first.filter(|_| one.rework)).await;
                first = first.or(Some(booking));
                past.push((one, booking, rating));
            }
            tx.commit().await.unwrap();
            people.push((customer, past));
        }
        compare(app, &base, &people).await;
    }

    async fn plain_facts_of_a_batch_are_each_persons_own(app) {
        let base = base(app).await;
        let (mei, li) = (person(app, "mei").await, person(app, "li").await);
        let plain = Visit { total: 30_000, prepaid: 15_000, refunded: 1_000, completed: true, minutes_ago: 3 * 1440,
            rework: false, late: Some(7), breached: true, stars: Some(([5, 5, 5, 5, 4], true)) };
        let waiting = Visit { completed: false, stars: None, breached: false, minutes_ago: 10, ..plain.clone() };
        let tx = app.ctx().db.begin_write().await.unwrap();
        let (first, _) = write(app.ctx(), &tx, &base, mei, &plain, None).await;
        let (again, _) = write(app.ctx(), &tx, &base, mei, &waiting, Some(first)).await;
        let (other, _) = write(app.ctx(), &tx, &base, li, &waiting, None).await;
        invited(app.ctx(), &tx, mei, base.now - Duration::days(3)).await;
        invited(app.ctx(), &tx, mei, base.now - Duration::days(40)).await;
        given(app.ctx(), &tx, mei).await;
        tx.commit().await.unwrap();
        let names: Vec<_> = linjian::rule::catalogue().map(|row| row.name).collect();
        let asks = [
            ask(mei, Some(first), true), ask(li, Some(other), true), ask(mei, Some(other), true), ask(mei, Some(again), true),
        ];
        let all = facts(app, &asks, &wanted(&names)).await;
        for (name, expected) in [
            ("booking.total_fen", 30_000), ("booking.prepaid_fen", 14_000), ("booking.prepaid_ratio", 4666),
            ("booking.late_minutes", 7), ("booking.reworks", 1), ("booking.same_worker_visits", 1), ("booking.size_sqm", 3 * 1440),
            ("rating.score", 480), ("rating.value", 400), ("customer.open_complaints", 1), ("customer.complaint_count", 1),
            ("customer.completed_bookings", 1), ("customer.open_bookings", 1), ("customer.recent_invites", 1),
            ("customer.open_rewards", 1), ("customer.days_since_last_visit", 3), ("customer.days_since_last_invite", 3),
            ("customer.days_since_registration", 0), ("customer.generation", 0), ("inviter.qualified_count", 0),
        ] {
            assert_eq!(all[0].int(name), Some(expected), "{name}");
        }
        for (name, expected) in [
            ("booking.sla_breached", Value::Bool(true)), ("booking.is_rework", Value::Bool(false)),
            ("booking.has_pets", Value::Bool(true)), ("booking.has_photos", Value::Bool(false)),
            ("rating.has_comment", Value::Bool(true)), ("booking.service", Value::from("daily-cleaning")),
            ("customer.city", Value::from("浦东")), ("customer.tags", Value::List(Vec::new())),
        ] {
            assert_eq!(all[0].get(name), Some(&expected), "{name}");
        }
        assert_eq!(all[1].int("customer.complaint_count"), Some(0));
        assert_eq!(all[1].get("booking.has_pets"), Some(&Value::Bool(false)));
        assert_eq!(all[1].get("rating.score"), None);
        // A visit of somebody else is nobody's fact.
        assert!(all[2].iter().all(|(name, _)| !name.starts_with("booking.")), "{:?}", all[2]);
        assert_eq!(all[3].get("booking.is_rework"), Some(&Value::Bool(true)));
    }

    async fn a_batch_is_one_statement_however_many_people_and_facts_are_in_it(app) {
        let mut names: Vec<String> = linjian::rule::catalogue().map(|row| row.name.to_owned()).collect();
        names.extend(["rating.score@last(3).min", "booking.total_fen@within(P90D).sum", "complaint.opened@within(P90D).count"].map(str::to_owned));
        let names = wanted(&names);
        let mei = person(app, "mei").await;
        for (people, statements) in [(0, 0), (1, 1), (50, 1), (500, 1), (501, 2)] {
            let db = Counting(app.ctx().db.read(), AtomicUsize::new(0));
            let asks = vec![ask(mei, None, true); people];
            let all = read_batch(app.ctx(), &db, &asks, &names).await.unwrap();
            assert_eq!(all.len(), people);
            assert!(all.iter().all(|one| one.int("customer.completed_bookings") == Some(0)));
            assert_eq!(db.1.load(Ordering::Relaxed), statements, "{people} people");
        }
        let db = Counting(app.ctx().db.read(), AtomicUsize::new(0));
        read_batch(app.ctx(), &db, &[ask(mei, None, false)], &wanted(&["rating.score", "customer.tags"])).await.unwrap();
        assert_eq!(db.1.load(Ordering::Relaxed), 0, "there was nothing that might be read");
    }

    async fn as_many_stretches_of_history_as_a_set_may_have_are_one_answer(app) {
        let mei = person(app, "mei").await;
        let names: Vec<_> = (1..=64).flat_map(|days| {
            ["rating.score", "booking.total_fen"].map(|fact| format!("{fact}@within(P{days}D).count"))
        }).collect();
        let all = facts(app, &[ask(mei, None, true), ask(mei, None, true)], &wanted(&names)).await;
        assert!(names.iter().all(|name| int(&all[1], name) == Some(0)));
    }

    async fn who_has_not_agreed_gives_nothing_while_his_neighbour_in_the_batch_does(app) {
        let base = base(app).await;
        let (mei, li) = (person(app, "mei").await, person(app, "li").await);
        let one = Visit { total: 30_000, prepaid: 15_000, refunded: 0, completed: true, minutes_ago: 60,
            rework: false, late: Some(0), breached: false, stars: Some(([5, 5, 5, 5, 4], true)) };
        let tx = app.ctx().db.begin_write().await.unwrap();
        let (first, _) = write(app.ctx(), &tx, &base, mei, &one, None).await;
        let (second, _) = write(app.ctx(), &tx, &base, li, &one, None).await;
        tx.commit().await.unwrap();
        let mut names: Vec<String> = linjian::rule::catalogue().map(|row| row.name.to_owned()).collect();
        names.extend(["rating.score@last(3).min", "booking.total_fen@last(3).sum", "booking.completed@last(3).count"].map(str::to_owned));
        let names = wanted(&names);
        let all = facts(app, &[ask(li, Some(second), false), ask(mei, Some(first), true)], &names).await;
        for needs in ["rating.score", "customer.completed_bookings", "customer.tags", "booking.size_sqm", "booking.has_photos",
            "customer.days_since_registration", "rating.score@last(3).min", "booking.total_fen@last(3).sum",
            "booking.completed@last(3).count"] {
            assert_eq!(all[0].get(needs), None, "{needs}");
            assert!(all[1].get(needs).is_some(), "{needs}");
        }
        for open in ["booking.total_fen", "booking.weekday", "customer.open_complaints"] {
            assert!(all[0].get(open).is_some() && all[1].get(open).is_some(), "{open}");
        }
    }

    async fn a_span_takes_the_thousand_newest_and_a_count_of_nothing_is_zero(app) {
        let (mei, li) = (person(app, "mei").await, person(app, "li").await);
        let now = app.ctx().env.now();
        let tx = app.ctx().db.begin_write().await.unwrap();
        let moments: Vec<_> = (0..1005).map(|minute| now - Duration::minutes(minute)).collect();
        happened(app.ctx(), &tx, "complaint.opened.v1", mei, &moments).await;
        happened(app.ctx(), &tx, "complaint.resolved.v1", li, &moments[..7]).await;
        tx.commit().await.unwrap();
        let names = wanted(&["complaint.opened@within(P30D).count", "complaint.opened@last(100).count", "complaint.opened@within(PT10M).count"]);
        let all = facts(app, &[ask(li, None, true), ask(mei, None, true)], &names).await;
        let counts = |facts: &Facts| names.iter().map(|name| facts.int(&name.to_string()).unwrap()).collect::<BTreeSet<_>>();
        assert_eq!(counts(&all[0]), BTreeSet::from([0]));
        assert_eq!(int(&all[1], "complaint.opened@within(P30D).count"), Some(1000));
        assert_eq!(int(&all[1], "complaint.opened@last(100).count"), Some(100));
        assert_eq!(int(&all[1], "complaint.opened@within(PT10M).count"), Some(10));
    }
}

async fn invited(ctx: &Ctx, tx: &DatabaseTransaction, whose: AccountId, at: DateTime<Utc>) {
    let id: InvitationId = ctx.env.id();
    invitation::ActiveModel {
        id: Set(id),
        customer_id: Set(whose),
        code: Set(format!("c{id}")),
        source: Set(InvitationSource::Rule),
        rule_id: Set(Some("r".into())),
        ruleset_version: Set(Some(1)),
        booking_id: Set(None),
        effect_id: Set(format!("e{id}")),
        status: Set(InvitationStatus::Expired),
        message: Set("请".into()),
        consent_record_id: Set(None),
        send_from: Set(None),
        send_to: Set(None),
        scheduled_at: Set(at),
        sent_at: Set(Some(at)),
        opened_at: Set(None),
        redeemed_at: Set(None),
        closed_at: Set(Some(at)),
        expires_at: Set(Some(at)),
        created_at: Set(at),
    }
    .insert(tx)
    .await
    .unwrap();
}

async fn given(ctx: &Ctx, tx: &DatabaseTransaction, whose: AccountId) {
    let (id, now): (RewardId, _) = (ctx.env.id(), ctx.env.now());
    reward::ActiveModel {
        id: Set(id),
        account_id: Set(whose),
        kind: Set("privilege".into()),
        cause: Set(RewardCause::Rule),
        benefit: Set("priority_scheduling".into()),
        value: Set(json!({})),
        status: Set(RewardStatus::Granted),
        reason: Set("答谢".into()),
        referral_id: Set(None),
        rule_id: Set(Some("r".into())),
        effect_id: Set(format!("e{id}")),
        cost_fen: Set(Fen(0)),
        used_booking_id: Set(None),
        qualified_at: Set(None),
        granted_at: Set(Some(now)),
        used_at: Set(None),
        revoked_at: Set(None),
        expires_at: Set(None),
        created_at: Set(now),
    }
    .insert(tx)
    .await
    .unwrap();
}
