//! The `evaluation` table: what was known when an event was judged, compactly. Names of facts are kept once ([`fact_shape`]),
//! a row has only their values.

use crate::{
    kernel::{AppError, Cursor, Result},
    platform::{Ctx, Rows, vault},
    rule::{EventKind, Facts, Value as Fact},
};
use entity::{
    evaluation, fact_shape,
    ids::{AccountId, BookingId, EvaluationId, EventId},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};

/// Which consents stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stood {
    pub(super) profiling: bool,
    pub(super) link: bool,
}

/// An evaluation about to be stored.
pub(super) struct New<'a> {
    pub(super) event: &'a crate::rule::Event,
    pub(super) booking: Option<BookingId>,
    pub(super) friend: Option<AccountId>,
    pub(super) version: i32,
    pub(super) stood: Stood,
    pub(super) facts: &'a Facts,
    pub(super) occurred_at: chrono::DateTime<chrono::Utc>,
}

/// The number of a list of names: the same on every node, so nobody has to look it up.
fn shape_id(names: &[&str]) -> i64 {
    let hash = vault::sha256_hex(names.join("\n").as_bytes());
    let head = hash.get(..16).unwrap_or_default();
    u64::from_str_radix(head, 16).map_or(0, |bits| i64::from_be_bytes(bits.to_be_bytes()))
}

/// Evaluations about to be written; the same event and person are stored once.
pub(super) fn add(ctx: &Ctx, to: &mut Rows, all: &[New<'_>]) -> Result<()> {
    let mut shapes = BTreeMap::new();
    let mut rows = Vec::with_capacity(all.len());
    for one in all {
        let (names, values): (Vec<&str>, Vec<&Fact>) = one.facts.iter().unzip();
        let shape = shape_id(&names);
        shapes.entry(shape).or_insert(names);
        rows.push(evaluation::ActiveModel {
            id: Set(ctx.env.id::<EvaluationId>()),
            event_id: Set(EventId(one.event.id)),
            event_kind: Set(one.event.kind.name().to_owned()),
            customer_id: Set(AccountId(one.event.customer_id)),
            booking_id: Set(one.booking),
            friend_id: Set(one.friend),
            ruleset_version: Set(one.version),
            profiling: Set(one.stood.profiling),
            link: Set(one.stood.link),
            shape_id: Set(shape),
            facts: Set(Some(serde_json::to_string(&values)?)),
            occurred_at: Set(one.occurred_at),
            created_at: Set(ctx.env.now()),
        });
    }
    let shapes = shapes
        .into_iter()
        .map(|(id, names)| fact_shape::ActiveModel {
            id: Set(id),
            names: Set(json!(names)),
            created_at: Set(ctx.env.now()),
        });
    to.add(shapes, &[fact_shape::Column::Id])?;
    let key = [evaluation::Column::EventId, evaluation::Column::CustomerId];
    to.add(rows, &key)
}

/// The names behind the numbers; a few for the life of a deployment.
#[derive(Clone, Default)]
pub(super) struct Shapes(HashMap<i64, Vec<String>>);

impl Shapes {
    /// Learns the shapes it does not know yet.
    pub(super) async fn learn(
        &mut self,
        db: &impl ConnectionTrait,
        ids: impl Iterator<Item = i64>,
    ) -> Result<()> {
        let mut missing: Vec<i64> = ids.filter(|id| !self.0.contains_key(id)).collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            return Ok(());
        }
        let rows = fact_shape::Entity::find()
            .filter(fact_shape::Column::Id.is_in(missing))
            .all(db)
            .await?;
        for row in rows {
            self.0.insert(row.id, serde_json::from_value(row.names)?);
        }
        Ok(())
    }

    /// The names of a shape; none when it is not known.
    pub(super) fn names(&self, shape: i64) -> &[String] {
        self.0.get(&shape).map_or(&[], Vec::as_slice)
    }

    /// The facts of a row; `None` once they are forgotten.
    ///
    /// # Errors
    /// `internal` for a row whose names are unknown: nothing may be guessed.
    pub(super) fn facts(&self, shape: i64, values: Option<&str>) -> Result<Option<Facts>> {
        let Some(values) = values else {
            return Ok(None);
        };
        let names = self.0.get(&shape);
        let names = names.ok_or_else(|| AppError::internal("an evaluation of unknown shape"))?;
        let values: Vec<Fact> = serde_json::from_str(values)?;
        if values.len() != names.len() {
            return Err(AppError::internal(
                "an evaluation that does not fit its shape",
            ));
        }
        Ok(Some(names.iter().cloned().zip(values).collect()))
    }
}

/// Which evaluations to list, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Customer(AccountId),
    Booking(BookingId),
    Event(EventId),
    Kind(EventKind),
}

pub(super) async fn page(
    db: &impl ConnectionTrait,
    cursor: Cursor,
    filters: &[Of],
) -> Result<Vec<evaluation::Model>> {
    let mut query = evaluation::Entity::find()
        .order_by_desc(evaluation::Column::Id)
        .limit(cursor.fetch());
    for of in filters {
        query = query.filter(match of {
            Of::Customer(id) => evaluation::Column::CustomerId.eq(*id),
            Of::Booking(id) => evaluation::Column::BookingId.eq(*id),
            Of::Event(id) => evaluation::Column::EventId.eq(*id),
            Of::Kind(kind) => evaluation::Column::EventKind.eq(kind.name()),
        });
    }
    if let Some(before) = cursor.before {
        query = query.filter(evaluation::Column::Id.lt(EvaluationId(before)));
    }
    Ok(query.all(db).await?)
}
