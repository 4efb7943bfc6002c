//! The plain facts as columns: where each stands in the tables, and how its column becomes a value.
//!
//! The visit and the complaint count only when they are the customer's own: the booking of a `referral.*` event is his
//! friend's (PIPL-13). A missing row gives NULL: unknown, never zero.

use crate::{
    kernel::{Result, shanghai},
    rule::Value as Fact,
};
use chrono::{DateTime, Datelike, Duration, Timelike, Utc};
use sea_orm::{DbBackend, QueryResult, Value};

/// The people as a table, read from the first parameter; the text is the same for one and for many.
///
/// PostgreSQL cannot know how many they are and takes 100, enough to prefer reading a whole table to looking up its rows. The
/// range, which always holds, makes it expect few: every table is looked up by key, however large it is.
pub(super) const fn asked(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => {
            "WITH ask AS MATERIALIZED (SELECT * FROM jsonb_to_recordset(CAST(? AS JSONB)) AS one(n BIGINT, \
             customer_id UUID, booking_id UUID, referral_id UUID, complaint_id UUID, profiling INT, link INT) \
             WHERE one.n >= 0 AND one.n < 500)"
        }
        _ => {
            "WITH ask(n, customer_id, booking_id, referral_id, complaint_id, profiling, link) AS MATERIALIZED (\
             SELECT value ->> 'n', unhex(value ->> 'customer_id', '-'), unhex(value ->> 'booking_id', '-'), \
             unhex(value ->> 'referral_id', '-'), unhex(value ->> 'complaint_id', '-'), value ->> 'profiling', \
             value ->> 'link' FROM json_each(?))"
        }
    }
}

/// A table beside `ask`, by a key: it adds no rows. In the order they must be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Join {
    Booking,
    Service,
    Work,
    Rating,
    Friend,
    Complaint,
}

impl Join {
    /// The rows of a guarded table are not even fetched where the consent is missing.
    pub(super) const fn sql(self) -> &'static str {
        match self {
            Self::Booking => {
                " LEFT JOIN booking b ON b.id = ask.booking_id AND b.customer_id = ask.customer_id"
            }
            Self::Service => " LEFT JOIN service s ON s.id = b.service_id",
            Self::Work => " LEFT JOIN work_order w ON w.booking_id = b.id",
            Self::Rating => {
                " LEFT JOIN rating r ON ask.profiling = 1 AND r.booking_id = ask.booking_id \
                 AND r.customer_id = ask.customer_id"
            }
            Self::Friend => {
                " LEFT JOIN referral f ON ask.link = 1 AND f.id = ask.referral_id AND f.inviter_id = ask.customer_id"
            }
            Self::Complaint => {
                " LEFT JOIN complaint k ON k.id = ask.complaint_id AND k.customer_id = ask.customer_id"
            }
        }
    }
}

/// How a column becomes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// A whole number.
    Number,
    /// 1 or 0.
    Flag,
    /// A word.
    Word,
    /// A JSON list of words.
    Words,
    /// An answer of the questionnaire that should be a whole number; anything else is unknown.
    Answer,
    /// An answer that should be yes or no.
    AnswerFlag,
    /// A moment: whole days since.
    Days,
    /// A moment: 1 (Monday) to 7 of its business day.
    Weekday,
    /// A moment: hour of its business day.
    Hour,
    /// A moment: month of its business day.
    Month,
}

/// One fact as a column.
pub(super) struct Plain {
    /// Its name in the catalogue.
    pub(super) fact: &'static str,
    /// The tables its expression looks at beside `ask`.
    pub(super) joins: &'static [Join],
    sql: &'static str,
    shape: Shape,
    /// Days back from now that its one parameter means.
    days: Option<i64>,
}

const NONE: &[Join] = &[];
const VISIT: &[Join] = &[Join::Booking];
const SERVICE: &[Join] = &[Join::Booking, Join::Service];
const WORK: &[Join] = &[Join::Booking, Join::Work];
const RATING: &[Join] = &[Join::Rating];
const FRIEND: &[Join] = &[Join::Friend];
const COMPLAINT: &[Join] = &[Join::Complaint];

const fn plain(
    fact: &'static str,
    shape: Shape,
    joins: &'static [Join],
    sql: &'static str,
) -> Plain {
    Plain {
        fact,
        joins,
        sql,
        shape,
        days: None,
    }
}

const fn within(days: i64, mut plain: Plain) -> Plain {
    plain.days = Some(days);
    plain
}

/// The service area of this visit, else of the last one.
const AREA: &str = "COALESCE(b.area, (SELECT a.area FROM booking a WHERE a.customer_id = ask.customer_id \
    ORDER BY a.created_at DESC LIMIT 1))";

/// Counts where EXISTS would do: PostgreSQL turns EXISTS into one look at the whole table.
static PLAIN: &[Plain] = &[
    plain("booking.total_fen", Shape::Number, VISIT, "b.total_fen"),
    plain(
        "booking.prepaid_fen",
        Shape::Number,
        VISIT,
        "b.prepaid_fen - b.refunded_fen",
    ),
    plain(
        "booking.prepaid_ratio",
        Shape::Number,
        VISIT,
        "CASE WHEN b.total_fen > 0 THEN (b.prepaid_fen - b.refunded_fen) * 10000 / b.total_fen END",
    ),
    plain(
        "booking.prepaid_at_booking_ratio",
        Shape::Number,
        VISIT,
        "CASE WHEN b.total_fen > 0 THEN (SELECT p.amount_fen FROM payment p WHERE p.booking_id = b.id AND p.status = 'paid' \
         ORDER BY p.paid_at, p.id LIMIT 1) * 10000 / b.total_fen END",
    ),
    plain(
        "booking.sla_breached",
        Shape::Flag,
        VISIT,
        "CASE WHEN b.id IS NULL THEN NULL WHEN (SELECT COUNT(*) FROM complaint c WHERE c.booking_id = b.id \
         AND c.breached_at IS NOT NULL) > 0 THEN 1 ELSE 0 END",
    ),
    plain(
        "booking.late_minutes",
        Shape::Number,
        WORK,
        "w.late_minutes",
    ),
    plain("booking.service", Shape::Word, SERVICE, "s.slug"),
    plain(
        "booking.is_rework",
        Shape::Flag,
        VISIT,
        "CASE WHEN b.id IS NULL THEN NULL WHEN b.rework_of IS NULL THEN 0 ELSE 1 END",
    ),
    plain(
        "booking.reworks",
        Shape::Number,
        VISIT,
        "CASE WHEN b.id IS NOT NULL THEN (SELECT COUNT(*) FROM booking v WHERE v.customer_id = ask.customer_id \
         AND v.rework_of = b.id) END",
    ),
    plain(
        "booking.size_sqm",
        Shape::Answer,
        VISIT,
        "b.answers ->> 'area_sqm'",
    ),
    plain(
        "booking.has_pets",
        Shape::AnswerFlag,
        VISIT,
        "b.answers ->> 'pets'",
    ),
    plain(
        "booking.has_photos",
        Shape::Flag,
        VISIT,
        "CASE WHEN b.id IS NULL THEN NULL \
         WHEN (SELECT COUNT(DISTINCT p.kind) FROM photo p WHERE p.booking_id = b.id AND p.status <> 'hidden') = 2 \
         THEN 1 ELSE 0 END",
    ),
    plain(
        "booking.same_worker_visits",
        Shape::Number,
        VISIT,
        "CASE WHEN b.worker_id IS NOT NULL THEN (SELECT COUNT(*) FROM booking v WHERE v.customer_id = ask.customer_id \
         AND v.worker_id = b.worker_id AND v.status = 'completed') END",
    ),
    plain("booking.weekday", Shape::Weekday, VISIT, "b.start_at"),
    plain("booking.hour", Shape::Hour, VISIT, "b.start_at"),
    plain("booking.month", Shape::Month, VISIT, "b.start_at"),
    plain("rating.score", Shape::Number, RATING, "r.score"),
    plain("rating.quality", Shape::Number, RATING, "r.quality * 100"),
    plain(
        "rating.punctuality",
        Shape::Number,
        RATING,
        "r.punctuality * 100",
    ),
    plain("rating.attitude", Shape::Number, RATING, "r.attitude * 100"),
    plain(
        "rating.communication",
        Shape::Number,
        RATING,
        "r.communication * 100",
    ),
    plain("rating.value", Shape::Number, RATING, "r.value * 100"),
    plain(
        "rating.has_comment",
        Shape::Flag,
        RATING,
        "CASE WHEN r.id IS NULL THEN NULL WHEN r.comment IS NULL THEN 0 ELSE 1 END",
    ),
    plain("complaint.kind", Shape::Word, COMPLAINT, "k.kind"),
    plain(
        "customer.open_complaints",
        Shape::Number,
        NONE,
        "(SELECT COUNT(*) FROM complaint c WHERE c.customer_id = ask.customer_id AND c.status <> 'resolved')",
    ),
    plain(
        "customer.complaint_count",
        Shape::Number,
        NONE,
        "(SELECT COUNT(*) FROM complaint c WHERE c.customer_id = ask.customer_id)",
    ),
    plain(
        "customer.completed_bookings",
        Shape::Number,
        NONE,
        "(SELECT COUNT(*) FROM booking v WHERE v.customer_id = ask.customer_id AND v.status = 'completed')",
    ),
    plain(
        "customer.open_bookings",
        Shape::Number,
        NONE,
        "(SELECT COUNT(*) FROM booking v WHERE v.customer_id = ask.customer_id \
         AND v.status IN ('pending_payment', 'confirmed', 'in_service', 'awaiting_acceptance'))",
    ),
    plain(
        "customer.generation",
        Shape::Number,
        NONE,
        "COALESCE((SELECT g.generation FROM referral g WHERE g.invitee_id = ask.customer_id), 0)",
    ),
    plain("customer.city", Shape::Word, VISIT, AREA),
    plain("customer.area", Shape::Word, VISIT, AREA),
    plain(
        "customer.days_since_registration",
        Shape::Days,
        NONE,
        "(SELECT a.created_at FROM account a WHERE a.id = ask.customer_id)",
    ),
    plain(
        "customer.days_since_last_visit",
        Shape::Days,
        NONE,
        "(SELECT MAX(v.completed_at) FROM booking v WHERE v.customer_id = ask.customer_id AND v.status = 'completed')",
    ),
    plain(
        "customer.days_since_last_invite",
        Shape::Days,
        NONE,
        "(SELECT MAX(i.created_at) FROM invitation i WHERE i.customer_id = ask.customer_id AND i.source = 'rule')",
    ),
    within(
        30,
        plain(
            "customer.recent_invites",
            Shape::Number,
            NONE,
            "(SELECT COUNT(*) FROM invitation i WHERE i.customer_id = ask.customer_id AND i.source = 'rule' \
         AND i.sent_at >= ?)",
        ),
    ),
    plain(
        "customer.open_rewards",
        Shape::Number,
        NONE,
        "(SELECT COUNT(*) FROM reward o WHERE o.account_id = ask.customer_id AND o.status = 'granted')",
    ),
    // The benefit room's table; a projection may read across rooms.
    plain(
        "customer.tags",
        Shape::Words,
        NONE,
        "(SELECT COALESCE(CAST(JSON_LIST(t.tag) AS TEXT), '[]') FROM customer_tag t WHERE t.customer_id = ask.customer_id)",
    ),
    plain(
        "inviter.qualified_count",
        Shape::Number,
        NONE,
        "(SELECT COUNT(*) FROM referral q WHERE q.inviter_id = ask.customer_id AND q.status = 'qualified')",
    ),
    plain(
        "inviter.consecutive_qualified",
        Shape::Number,
        NONE,
        "(SELECT COUNT(*) FROM referral q WHERE q.inviter_id = ask.customer_id AND q.status = 'qualified' AND NOT EXISTS \
         (SELECT 1 FROM referral v WHERE v.inviter_id = ask.customer_id AND v.reversed_at >= q.qualified_at))",
    ),
    plain("referral.generation", Shape::Number, FRIEND, "f.generation"),
];

/// Looks a plain fact up.
pub(super) fn find(fact: &str) -> Option<&'static Plain> {
    PLAIN.iter().find(|plain| plain.fact == fact)
}

impl Plain {
    /// Its expression, of one type on both databases.
    pub(super) fn sql(&self, backend: DbBackend) -> String {
        let sql = self.sql;
        match self.shape {
            Shape::Number | Shape::Flag => format!("CAST({sql} AS BIGINT)"),
            Shape::Word | Shape::Answer | Shape::AnswerFlag => format!("CAST({sql} AS TEXT)"),
            Shape::Words if backend == DbBackend::Postgres => sql.replace("JSON_LIST", "json_agg"),
            Shape::Words => sql.replace("JSON_LIST", "json_group_array"),
            Shape::Days | Shape::Weekday | Shape::Hour | Shape::Month => sql.to_owned(),
        }
    }

    /// Its parameter, if it has one.
    pub(super) fn since(&self, now: DateTime<Utc>) -> Option<Value> {
        self.days.map(|days| {
            let since = now.checked_sub_signed(Duration::days(days));
            since.unwrap_or(DateTime::UNIX_EPOCH).into()
        })
    }

    /// Its value in a row; `None` is unknown.
    pub(super) fn take(
        &self,
        row: &QueryResult,
        index: usize,
        now: DateTime<Utc>,
    ) -> Result<Option<Fact>> {
        let number = || row.try_get_by_index::<Option<i64>>(index);
        let word = || row.try_get_by_index::<Option<String>>(index);
        let moment = || row.try_get_by_index::<Option<DateTime<Utc>>>(index);
        let local = || moment().map(|at| at.map(|at| at.with_timezone(&shanghai())));
        Ok(match self.shape {
            Shape::Number => number()?.map(Fact::from),
            Shape::Flag => number()?.map(|flag| Fact::from(flag == 1)),
            Shape::Word => word()?.map(Fact::from),
            Shape::Words => word()?.map(|list| Fact::from(words(&list))),
            Shape::Answer => word()?
                .and_then(|answer| answer.parse::<i64>().ok())
                .map(Fact::from),
            // SQLite answers 1 and 0 for JSON's true and false.
            Shape::AnswerFlag => word()?.and_then(|answer| match answer.as_str() {
                "true" | "1" => Some(Fact::from(true)),
                "false" | "0" => Some(Fact::from(false)),
                _ => None,
            }),
            Shape::Days => moment()?.map(|at| Fact::from((now - at).num_days())),
            Shape::Weekday => {
                local()?.map(|at| Fact::from(i64::from(at.weekday().number_from_monday())))
            }
            Shape::Hour => local()?.map(|at| Fact::from(i64::from(at.hour()))),
            Shape::Month => local()?.map(|at| Fact::from(i64::from(at.month()))),
        })
    }
}

/// The words of a list, in one order on both databases.
fn words(list: &str) -> Vec<String> {
    let mut words: Vec<String> = serde_json::from_str(list).unwrap_or_default();
    words.sort_unstable();
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::catalogue;

    #[test]
    fn every_fact_a_rule_may_read_has_its_column_and_no_other_has_one() {
        for row in catalogue().filter(|row| row.owner != "intake") {
            assert!(find(row.name).is_some(), "{} is never supplied", row.name);
        }
        for column in PLAIN {
            assert!(
                catalogue().any(|row| row.name == column.fact),
                "{} is not in the catalogue",
                column.fact
            );
            let parameters = column.sql.matches('?').count();
            assert_eq!(parameters, usize::from(column.days.is_some()));
        }
    }
}
