//! Reading facts: one statement for a whole batch of people, whatever they are asked about (ADR 0017).
//!
//! The people go in as one JSON parameter and become a table `ask`; every wanted fact is one column beside it, every wanted
//! stretch of history one more. What nobody wants is not in the statement. What needs a consent stands behind a guard on
//! that person's own flag, so the database does not look at it for whoever has not given it (PIPL-13).

mod history;
mod projection;

use crate::{
    kernel::{AppError, Result},
    platform::{Ctx, statement},
    rule::{FactRef, Facts, PartnerKind, Whose},
};
use chrono::{DateTime, Utc};
use entity::ids::{AccountId, BookingId, ComplaintId, ReferralId};
use history::Stretch;
use projection::{Join, Plain};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// People one statement asks about; more are asked for in turn, so that no statement grows without bound.
const AT_ONCE: usize = 500;

/// What a third party said, as it passed the check of its kind.
#[derive(Clone, Debug)]
pub struct Said {
    /// Which kind.
    pub kind: PartnerKind,
    /// Its fields.
    pub data: Arc<serde_json::Map<String, serde_json::Value>>,
}

/// What an event is about.
#[derive(Clone, Debug)]
pub struct About {
    /// Whom the decision is about.
    pub customer: AccountId,
    /// The visit; it counts only when it is his own.
    pub booking: Option<BookingId>,
    /// The link of a `referral.*` event.
    pub referral: Option<ReferralId>,
    /// The complaint; it counts only when it is his own.
    pub complaint: Option<ComplaintId>,
    /// What a third party's event says.
    pub said: Option<Said>,
}

impl About {
    /// A person, and nothing in particular.
    pub const fn person(customer: AccountId) -> Self {
        Self {
            customer,
            booking: None,
            referral: None,
            complaint: None,
            said: None,
        }
    }
}

/// One person's question, with the consents that stand for it: the caller holds their rows under lock (CR-36).
#[derive(Clone, Debug)]
pub struct Ask {
    /// What it is about.
    pub about: About,
    /// Whether his `referral_profiling` stands.
    pub profiling: bool,
    /// Whether his friend's `referral_link` stands.
    pub link: bool,
}

/// The consent a column stands behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Guard {
    Open,
    Profiling,
    Link,
}

impl Guard {
    /// What a fact needs. `None` for one the catalogue does not know, and for a need nobody here can answer: neither is read.
    fn of(fact: &FactRef) -> Option<Self> {
        match fact.meaning().ok()?.consent {
            None => Some(Self::Open),
            Some(("referral_profiling", Whose::Customer)) => Some(Self::Profiling),
            Some(("referral_link", Whose::Invitee)) => Some(Self::Link),
            Some(_) => None,
        }
    }

    /// Whether it opens for anybody at all.
    fn opens(self, asks: &[Ask]) -> bool {
        match self {
            Self::Open => true,
            Self::Profiling => asks.iter().any(|ask| ask.profiling),
            Self::Link => asks.iter().any(|ask| ask.link),
        }
    }

    /// The expression, looked at only for whom it may be: neither database evaluates a branch of CASE that is not taken.
    fn around(self, sql: &str) -> String {
        match self {
            Self::Open => sql.to_owned(),
            Self::Profiling => format!("CASE WHEN ask.profiling = 1 THEN {sql} END"),
            Self::Link => format!("CASE WHEN ask.link = 1 THEN {sql} END"),
        }
    }
}

/// One column of the statement and what becomes of it.
enum Column {
    Plain(&'static Plain, Guard),
    Past(Stretch, Guard),
}

/// The statement for these wishes; its text depends on nothing else, so the database prepares it once.
struct Plan {
    columns: Vec<Column>,
    sql: String,
    values: Vec<Value>,
}

impl Plan {
    fn of(
        backend: DbBackend,
        now: DateTime<Utc>,
        asks: &[Ask],
        wanted: &BTreeSet<FactRef>,
    ) -> Self {
        let columns = columns(asks, wanted);
        let (mut list, mut values, mut joins) =
            (String::new(), Vec::new(), BTreeSet::<Join>::new());
        for column in &columns {
            list.push_str(", ");
            match column {
                Column::Plain(plain, guard) => {
                    list.push_str(&guard.around(&plain.sql(backend)));
                    values.extend(plain.since(now));
                    joins.extend(plain.joins);
                }
                Column::Past(stretch, guard) => {
                    list.push_str(&guard.around(&stretch.sql()));
                    values.extend(stretch.values(now));
                }
            }
        }
        let mut sql = projection::asked(backend).to_owned();
        sql.push_str(" SELECT ask.n");
        sql.push_str(&list);
        sql.push_str(" FROM ask");
        for join in joins {
            sql.push_str(join.sql());
        }
        Self {
            columns,
            sql,
            values,
        }
    }

    /// Reads the facts of these people into their places.
    async fn run(
        &self,
        db: &impl ConnectionTrait,
        now: DateTime<Utc>,
        asks: &[Ask],
        all: &mut [Facts],
    ) -> Result<()> {
        let mut values: Vec<Value> = vec![people(asks).into()];
        values.extend(self.values.iter().cloned());
        let rows = db
            .query_all_raw(statement(db.get_database_backend(), &self.sql, values))
            .await?;
        for row in rows {
            let number: i64 = row.try_get_by_index(0)?;
            let place = usize::try_from(number)
                .ok()
                .and_then(|place| all.get_mut(place));
            let facts = place.ok_or_else(|| AppError::internal("a row nobody asked for"))?;
            self.take(&row, now, facts)?;
        }
        Ok(())
    }

    fn take(&self, row: &QueryResult, now: DateTime<Utc>, facts: &mut Facts) -> Result<()> {
        for (before, column) in self.columns.iter().enumerate() {
            let index = before.saturating_add(1);
            match column {
                Column::Plain(plain, _) => {
                    facts.set_known(plain.fact, plain.take(row, index, now)?);
                }
                Column::Past(stretch, _) => stretch.take(row, index, facts)?,
            }
        }
        Ok(())
    }
}

/// What is wanted and may be looked at for anybody of these, histories of one source and window together.
fn columns(asks: &[Ask], wanted: &BTreeSet<FactRef>) -> Vec<Column> {
    let mut columns = Vec::new();
    let mut past: BTreeMap<_, Stretch> = BTreeMap::new();
    for fact in wanted {
        let Some(guard) = Guard::of(fact).filter(|guard| guard.opens(asks)) else {
            continue;
        };
        match fact.history {
            None => {
                let known = projection::find(&fact.name);
                columns.extend(known.map(|plain| Column::Plain(plain, guard)));
            }
            Some(history) => {
                if let Some((source, column)) = history::source(&fact.name) {
                    past.entry((guard, source.clone(), history.window))
                        .or_insert_with(|| Stretch::new(source, history.window))
                        .add(column, fact.to_string(), history.fold);
                }
            }
        }
    }
    let past = past.into_iter();
    columns.extend(past.map(|((guard, ..), stretch)| Column::Past(stretch, guard)));
    columns
}

/// What a third party's own event says: it comes with the event and is read nowhere.
fn said(ask: &Ask, wanted: &BTreeSet<FactRef>, facts: &mut Facts) {
    let Some(said) = ask.about.said.as_ref().filter(|_| ask.profiling) else {
        return;
    };
    let known = said.kind.facts(&said.data);
    for fact in wanted.iter().filter(|fact| fact.history.is_none()) {
        facts.set_known(&*fact.name, known.get(&fact.name).cloned());
    }
}

/// The people as the one parameter both databases can read as a table.
fn people(asks: &[Ask]) -> String {
    let rows: Vec<_> = asks
        .iter()
        .enumerate()
        .map(|(number, ask)| {
            json!({
                "n": number, "customer_id": ask.about.customer, "booking_id": ask.about.booking,
                "referral_id": ask.about.referral, "complaint_id": ask.about.complaint,
                "profiling": i32::from(ask.profiling), "link": i32::from(ask.link),
            })
        })
        .collect();
    serde_json::Value::Array(rows).to_string()
}

/// The facts of `wanted` about each of `asks`, in their order, as far as they are known and the person's consents allow.
/// One statement, whatever the number of people (up to 500), facts and histories.
///
/// # Errors
/// A database fault.
pub async fn read_batch(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    asks: &[Ask],
    wanted: &BTreeSet<FactRef>,
) -> Result<Vec<Facts>> {
    let now = ctx.env.now();
    let mut all = vec![Facts::new(); asks.len()];
    for (asks, places) in asks.chunks(AT_ONCE).zip(all.chunks_mut(AT_ONCE)) {
        let plan = Plan::of(db.get_database_backend(), now, asks, wanted);
        if !plan.columns.is_empty() {
            plan.run(db, now, asks, places).await?;
        }
        for (ask, facts) in asks.iter().zip(places) {
            said(ask, wanted, facts);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(profiling: bool) -> Ask {
        Ask {
            about: About::person(AccountId(uuid::Uuid::nil())),
            profiling,
            link: false,
        }
    }

    fn wanted(names: &[&str]) -> BTreeSet<FactRef> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn sql(asks: &[Ask], names: &[&str]) -> String {
        Plan::of(
            DbBackend::Sqlite,
            DateTime::UNIX_EPOCH,
            asks,
            &wanted(names),
        )
        .sql
    }

    #[test]
    fn what_nobody_wants_or_may_want_is_not_in_the_statement() {
        let text = sql(&[ask(true)], &["rating.score", "booking.total_fen"]);
        assert!(text.contains("r.score") && text.contains("b.total_fen"));
        assert!(!text.contains("complaint c") && !text.contains("work_order"));
        let text = sql(
            &[ask(false)],
            &[
                "rating.score",
                "booking.total_fen",
                "rating.score@last(3).min",
                "referral.generation",
            ],
        );
        assert!(!text.contains("rating") && !text.contains("JOIN referral"));
        assert!(text.contains("b.total_fen"));
        let nothing = [
            "customer.has_child",
            "customer.colour",
            "referral.rank@last(3).min",
        ];
        let plan = Plan::of(
            DbBackend::Postgres,
            DateTime::UNIX_EPOCH,
            &[ask(true)],
            &wanted(&nothing),
        );
        assert!(plan.columns.is_empty());
    }

    #[test]
    fn folds_over_one_source_and_window_share_one_look_at_it() {
        let text = sql(
            &[ask(true)],
            &[
                "rating.score@last(3).min",
                "rating.score@last(3).mean",
                "rating.quality@last(3).max",
                "rating.score@last(5).min",
            ],
        );
        assert_eq!(text.matches("FROM rating h").count(), 2, "{text}");
    }
}
