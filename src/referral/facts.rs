//! Reading facts: one statement for what needs no consent, one for what needs the customer's, one for what needs his
//! friend's, one more per history the live rules look at. A statement whose facts nobody may want is not run (PIPL-13).

use super::history;
use crate::{
    benefit,
    kernel::Result,
    platform::{Ctx, statement},
    rule::{FactRef, Facts},
};
use chrono::{DateTime, Utc};
use entity::ids::{AccountId, BookingId, ComplaintId, ReferralId};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What an event is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct About {
    pub(super) customer: AccountId,
    pub(super) booking: Option<BookingId>,
    pub(super) referral: Option<ReferralId>,
    pub(super) complaint: Option<ComplaintId>,
}

/// What needs no consent. The visit and the complaint count only when they are the customer's own: the booking of a
/// `referral.*` event is his friend's. A missing row gives NULL: unknown, never zero. Parameters, in order: customer × 6,
/// complaint, customer, booking, customer.
const OPEN: &str = "\
    SELECT b.total_fen, b.prepaid_fen - b.refunded_fen AS paid_fen, s.slug AS service, \
      COALESCE(b.area, (SELECT area FROM booking WHERE customer_id = ? ORDER BY created_at DESC LIMIT 1)) AS area, \
      CASE WHEN b.id IS NULL THEN NULL WHEN b.rework_of IS NULL THEN 0 ELSE 1 END AS is_rework, \
      CASE WHEN b.id IS NULL THEN NULL ELSE \
        (SELECT COUNT(*) FROM complaint c WHERE c.booking_id = b.id AND c.breached_at IS NOT NULL) END AS breaches, \
      w.late_minutes, \
      (SELECT COUNT(*) FROM complaint WHERE customer_id = ? AND status <> 'resolved') AS unsettled, \
      COALESCE((SELECT generation FROM referral WHERE invitee_id = ?), 0) AS generation, \
      (SELECT COUNT(*) FROM referral WHERE inviter_id = ? AND status = 'qualified') AS qualified_count, \
      (SELECT COUNT(*) FROM referral q WHERE q.inviter_id = ? AND q.status = 'qualified' AND NOT EXISTS \
        (SELECT 1 FROM referral v WHERE v.inviter_id = ? AND v.reversed_at >= q.qualified_at)) AS consecutive, \
      (SELECT kind FROM complaint WHERE id = ? AND customer_id = ?) AS complaint_kind \
    FROM (SELECT 1 AS one) base \
    LEFT JOIN booking b ON b.id = ? AND b.customer_id = ? \
    LEFT JOIN service s ON s.id = b.service_id \
    LEFT JOIN work_order w ON w.booking_id = b.id";

#[derive(FromQueryResult)]
struct Open {
    total_fen: Option<i64>,
    paid_fen: Option<i64>,
    area: Option<String>,
    service: Option<String>,
    is_rework: Option<i32>,
    breaches: Option<i64>,
    late_minutes: Option<i32>,
    unsettled: i64,
    generation: i32,
    qualified_count: i64,
    consecutive: i64,
    complaint_kind: Option<String>,
}

/// What needs the customer's `referral_profiling`. Parameters, in order: customer × 2, booking, customer.
const PROFILE: &str = "\
    SELECT r.score, r.quality, r.punctuality, r.attitude, r.communication, r.value AS worth, \
      (SELECT COUNT(*) FROM booking WHERE customer_id = ? AND status = 'completed') AS completed_bookings, \
      (SELECT MAX(created_at) FROM invitation WHERE customer_id = ? AND source = 'rule') AS last_invited_at \
    FROM (SELECT 1 AS one) base \
    LEFT JOIN rating r ON r.booking_id = ? AND r.customer_id = ?";

#[derive(FromQueryResult)]
struct Profile {
    score: Option<i32>,
    quality: Option<i32>,
    punctuality: Option<i32>,
    attitude: Option<i32>,
    communication: Option<i32>,
    worth: Option<i32>,
    completed_bookings: i64,
    last_invited_at: Option<DateTime<Utc>>,
}

/// What needs the friend's `referral_link`. Parameters, in order: referral, customer.
const LINK: &str = "SELECT generation FROM referral WHERE id = ? AND inviter_id = ?";

#[derive(FromQueryResult)]
struct Link {
    generation: i32,
}

/// The facts of `wanted`, as far as they are known. The caller has left out what a consent is missing for; nothing that
/// is not wanted is read.
pub(super) async fn read(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    about: About,
    wanted: &BTreeSet<FactRef>,
) -> Result<Facts> {
    let mut all = Facts::new();
    let plain = || wanted.iter().filter(|one| one.history.is_none());
    let wants = |purpose: Option<&str>| plain().any(|one| needs(one) == purpose);
    if wants(None) {
        open(db, about, &mut all).await?;
    }
    if wants(Some("referral_profiling")) {
        profile(ctx, db, about, &mut all).await?;
    }
    if wants(Some("referral_link")) {
        link(db, about, &mut all).await?;
    }
    if plain().any(|one| one.name == "customer.tags") {
        all.set("customer.tags", benefit::tags_of(db, about.customer).await?);
    }
    for reference in wanted.iter().filter(|one| one.history.is_some()) {
        let value = history::read(ctx, db, about.customer, reference).await?;
        all.set_known(reference.to_string(), value);
    }
    let names: BTreeSet<String> = wanted.iter().map(ToString::to_string).collect();
    let mut kept = Facts::new();
    for (name, value) in all.iter().filter(|(name, _)| names.contains(*name)) {
        kept.set(name, value.clone());
    }
    Ok(kept)
}

/// The purpose a fact needs. One the catalogue does not know is read by no statement.
fn needs(fact: &FactRef) -> Option<&'static str> {
    match fact.meaning() {
        Ok(meaning) => meaning.consent.map(|(purpose, _)| purpose),
        Err(_) => Some("unknown"),
    }
}

async fn first<T: FromQueryResult>(
    db: &impl ConnectionTrait,
    sql: &str,
    values: Vec<Value>,
) -> Result<Option<T>> {
    let rows = T::find_by_statement(statement(db.get_database_backend(), sql, values))
        .all(db)
        .await?;
    Ok(rows.into_iter().next())
}

fn whole(stars: Option<i32>) -> Option<i64> {
    stars.map(|stars| i64::from(stars).saturating_mul(100))
}

async fn open(db: &impl ConnectionTrait, about: About, facts: &mut Facts) -> Result<()> {
    let customer: Uuid = about.customer.0;
    let mut values: Vec<Value> = std::iter::repeat_n(Value::from(customer), 6).collect();
    values.push(about.complaint.map(|id| id.0).into());
    values.push(customer.into());
    values.push(about.booking.map(|id| id.0).into());
    values.push(customer.into());
    let Some(row) = first::<Open>(db, OPEN, values).await? else {
        return Ok(());
    };
    let ratio = row.total_fen.zip(row.paid_fen);
    let ratio = ratio.filter(|(total, _)| *total > 0).map(|(total, paid)| {
        i64::try_from(i128::from(paid) * 10_000 / i128::from(total)).unwrap_or(10_000)
    });
    facts
        .set_known("booking.total_fen", row.total_fen)
        .set_known("booking.prepaid_fen", row.paid_fen)
        .set_known("booking.prepaid_ratio", ratio)
        .set_known("booking.sla_breached", row.breaches.map(|count| count > 0))
        .set_known("booking.late_minutes", row.late_minutes.map(i64::from))
        .set_known("booking.service", row.service)
        .set_known("booking.is_rework", row.is_rework.map(|flag| flag == 1))
        .set_known("complaint.kind", row.complaint_kind)
        .set_known("customer.city", row.area.clone())
        .set_known("customer.area", row.area)
        .set("customer.open_complaints", row.unsettled)
        .set("customer.generation", i64::from(row.generation))
        .set("inviter.qualified_count", row.qualified_count)
        .set("inviter.consecutive_qualified", row.consecutive);
    Ok(())
}

async fn profile(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    about: About,
    facts: &mut Facts,
) -> Result<()> {
    let customer: Uuid = about.customer.0;
    let values = vec![
        customer.into(),
        customer.into(),
        about.booking.map(|id| id.0).into(),
        customer.into(),
    ];
    let Some(row) = first::<Profile>(db, PROFILE, values).await? else {
        return Ok(());
    };
    let since = row
        .last_invited_at
        .map(|at| (ctx.env.now() - at).num_days());
    facts
        .set_known("rating.score", row.score.map(i64::from))
        .set_known("rating.quality", whole(row.quality))
        .set_known("rating.punctuality", whole(row.punctuality))
        .set_known("rating.attitude", whole(row.attitude))
        .set_known("rating.communication", whole(row.communication))
        .set_known("rating.value", whole(row.worth))
        .set_known("customer.days_since_last_invite", since)
        .set("customer.completed_bookings", row.completed_bookings);
    Ok(())
}

async fn link(db: &impl ConnectionTrait, about: About, facts: &mut Facts) -> Result<()> {
    let values = vec![
        about.referral.map(|id| id.0).into(),
        about.customer.0.into(),
    ];
    let row = first::<Link>(db, LINK, values).await?;
    facts.set_known(
        "referral.generation",
        row.map(|row| i64::from(row.generation)),
    );
    Ok(())
}
