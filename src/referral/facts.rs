//! Reading facts: one statement for everything an event is about, one more per history the live rules look at.
//!
//! Only the facts the rules ask for are kept, and of those only what the person's consents allow to read.

use super::history;
use crate::{
    kernel::Result,
    platform::{Ctx, statement},
    rule::{FactRef, Facts},
};
use chrono::{DateTime, Utc};
use entity::ids::{AccountId, BookingId, ReferralId};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What an event is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct About {
    pub(super) customer: AccountId,
    pub(super) booking: Option<BookingId>,
    pub(super) referral: Option<ReferralId>,
}

/// Everything the catalogue's plain facts need of one customer, booking and referral. Parameters, in order: booking,
/// customer × 8, referral. A missing row gives NULL: unknown, never zero.
const PROJECTION: &str = "\
    SELECT b.total_fen, b.prepaid_fen, b.area, s.slug AS service, \
      CASE WHEN b.id IS NULL THEN NULL WHEN b.rework_of IS NULL THEN 0 ELSE 1 END AS is_rework, \
      CASE WHEN b.id IS NULL THEN NULL ELSE \
        (SELECT COUNT(*) FROM complaint c WHERE c.booking_id = b.id AND c.breached_at IS NOT NULL) END AS breaches, \
      w.late_minutes, r.score, r.quality, r.punctuality, r.attitude, r.communication, r.value AS worth, \
      (SELECT COUNT(*) FROM complaint WHERE customer_id = ? AND status <> 'resolved') AS open_complaints, \
      (SELECT COUNT(*) FROM booking WHERE customer_id = ? AND status = 'completed') AS completed_bookings, \
      COALESCE((SELECT generation FROM referral WHERE invitee_id = ?), 0) AS generation, \
      (SELECT MAX(created_at) FROM invitation WHERE customer_id = ? AND source = 'rule') AS last_invited_at, \
      (SELECT COUNT(*) FROM referral WHERE inviter_id = ? AND status = 'qualified') AS qualified_count, \
      (SELECT COUNT(*) FROM referral q WHERE q.inviter_id = ? AND q.status = 'qualified' AND NOT EXISTS \
        (SELECT 1 FROM referral v WHERE v.inviter_id = ? AND v.reversed_at >= q.qualified_at)) AS consecutive, \
      (SELECT generation FROM referral WHERE id = ?) AS referral_generation \
    FROM (SELECT 1 AS one) base \
    LEFT JOIN booking b ON b.id = ? \
    LEFT JOIN service s ON s.id = b.service_id \
    LEFT JOIN work_order w ON w.booking_id = b.id \
    LEFT JOIN rating r ON r.booking_id = b.id";

#[derive(FromQueryResult)]
struct Row {
    total_fen: Option<i64>,
    prepaid_fen: Option<i64>,
    area: Option<String>,
    service: Option<String>,
    is_rework: Option<i32>,
    breaches: Option<i64>,
    late_minutes: Option<i32>,
    score: Option<i32>,
    quality: Option<i32>,
    punctuality: Option<i32>,
    attitude: Option<i32>,
    communication: Option<i32>,
    worth: Option<i32>,
    open_complaints: i64,
    completed_bookings: i64,
    generation: i32,
    last_invited_at: Option<DateTime<Utc>>,
    qualified_count: i64,
    consecutive: i64,
    referral_generation: Option<i32>,
}

/// The facts of `wanted`, as far as they are known.
pub(super) async fn read(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    about: About,
    wanted: &BTreeSet<FactRef>,
) -> Result<Facts> {
    if wanted.is_empty() {
        return Ok(Facts::new());
    }
    let mut all = plain(ctx, db, about).await?;
    for reference in wanted
        .iter()
        .filter(|reference| reference.history.is_some())
    {
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

async fn plain(ctx: &Ctx, db: &impl ConnectionTrait, about: About) -> Result<Facts> {
    let customer: Uuid = about.customer.0;
    let mut values: Vec<Value> = std::iter::repeat_n(Value::from(customer), 7).collect();
    values.push(about.referral.map(|id| id.0).into());
    values.push(about.booking.map(|id| id.0).into());
    let found = Row::find_by_statement(statement(db.get_database_backend(), PROJECTION, values))
        .all(db)
        .await?;
    let Some(row) = found.into_iter().next() else {
        return Ok(Facts::new());
    };
    Ok(facts(row, ctx.env.now()))
}

fn facts(row: Row, now: DateTime<Utc>) -> Facts {
    let whole = |stars: Option<i32>| stars.map(|stars| i64::from(stars).saturating_mul(100));
    let ratio = row
        .total_fen
        .zip(row.prepaid_fen)
        .filter(|(total, _)| *total > 0);
    let ratio = ratio.map(|(total, paid)| {
        i64::try_from(i128::from(paid) * 10_000 / i128::from(total)).unwrap_or(10_000)
    });
    let mut facts = Facts::new();
    facts
        .set_known("booking.total_fen", row.total_fen)
        .set_known("booking.prepaid_fen", row.prepaid_fen)
        .set_known("booking.prepaid_ratio", ratio)
        .set_known("booking.sla_breached", row.breaches.map(|count| count > 0))
        .set_known("booking.late_minutes", row.late_minutes.map(i64::from))
        .set_known("booking.service", row.service)
        .set_known("booking.is_rework", row.is_rework.map(|flag| flag == 1))
        .set_known("rating.score", row.score.map(i64::from))
        .set_known("rating.quality", whole(row.quality))
        .set_known("rating.punctuality", whole(row.punctuality))
        .set_known("rating.attitude", whole(row.attitude))
        .set_known("rating.communication", whole(row.communication))
        .set_known("rating.value", whole(row.worth))
        .set_known("customer.area", row.area)
        .set_known(
            "customer.days_since_last_invite",
            row.last_invited_at.map(|at| (now - at).num_days()),
        )
        .set_known(
            "referral.generation",
            row.referral_generation.map(i64::from),
        )
        .set("customer.open_complaints", row.open_complaints)
        .set("customer.completed_bookings", row.completed_bookings)
        .set("customer.generation", i64::from(row.generation))
        .set("inviter.qualified_count", row.qualified_count)
        .set("inviter.consecutive_qualified", row.consecutive);
    facts
}
