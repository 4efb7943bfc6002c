//! The recorded events of a span, page by page, in the order of their ids.

use super::outcome::BacktestOut;
use crate::{
    kernel::Result,
    platform::{Ctx, statement},
    referral::evaluation::Shapes,
};
use chrono::{DateTime, Utc};
use entity::{decision, evaluation, ids::EvaluationId};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, QuerySelect,
};
use std::sync::Arc;
use uuid::Uuid;

/// Events read at once, and the fewest; in between as many as their events times the rules of a set make [`JUDGED`], so that a
/// page of a large set does not hold more effects than one of a small one.
const PAGE: usize = 5_000;
const SMALLEST: usize = 100;
const JUDGED: usize = 500_000;

/// What a replay needs of an evaluation, and no more: wide rows would cost more to read than to judge. The pair is compared as
/// one, or every page would go over all pages before it.
const ROWS: &str = "SELECT id, event_id, event_kind, customer_id, friend_id, ruleset_version, profiling, link, shape_id, facts, \
    occurred_at \
    FROM evaluation WHERE (occurred_at, id) > (?, ?) AND occurred_at < ? \
    ORDER BY occurred_at, id LIMIT ?";

/// One recorded event.
#[derive(FromQueryResult)]
pub(super) struct Row {
    id: Uuid,
    pub(super) event_id: Uuid,
    pub(super) event_kind: String,
    pub(super) customer_id: Uuid,
    pub(super) friend_id: Option<Uuid>,
    pub(super) ruleset_version: i32,
    pub(super) profiling: bool,
    pub(super) link: bool,
    pub(super) shape_id: i64,
    pub(super) facts: Option<String>,
    pub(super) occurred_at: DateTime<Utc>,
}

impl Row {
    /// Where it stands among the others.
    pub(super) fn place(&self) -> (DateTime<Utc>, Uuid) {
        (self.occurred_at, self.id)
    }
}

/// Events that belong together, with the names of their facts.
pub(super) struct Page {
    pub(super) rows: Vec<Row>,
    pub(super) shapes: Arc<Shapes>,
}

impl Page {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Parts for so many threads, each in order.
    pub(super) fn parts(self, many: usize) -> Vec<Self> {
        let mut parts: Vec<Vec<Row>> = (0..many.max(1)).map(|_| Vec::new()).collect();
        for row in self.rows {
            let (_, tail) = row.customer_id.as_u64_pair();
            let among = u64::try_from(parts.len()).unwrap_or(1);
            let place = usize::try_from(tail % among).unwrap_or_default();
            if let Some(part) = parts.get_mut(place) {
                part.push(row);
            }
        }
        let page = |rows| Self {
            rows,
            shapes: Arc::clone(&self.shapes),
        };
        parts.into_iter().map(page).collect()
    }
}

/// Where reading stands.
pub(super) struct Source {
    pub(super) span: (DateTime<Utc>, DateTime<Utc>),
    pub(super) total: i64,
    after: (DateTime<Utc>, EvaluationId),
    pub(super) shapes: Arc<Shapes>,
    page: i64,
    over: bool,
}

impl Source {
    /// Events of a span, to be judged by sets of at most so many rules.
    pub(super) async fn open(
        ctx: &Ctx,
        span: (DateTime<Utc>, DateTime<Utc>),
        rules: usize,
    ) -> Result<Self> {
        let total = evaluation::Entity::find()
            .filter(evaluation::Column::OccurredAt.gte(span.0))
            .filter(evaluation::Column::OccurredAt.lt(span.1))
            .count(ctx.db.read())
            .await?;
        Ok(Self {
            span,
            total: i64::try_from(total).unwrap_or(i64::MAX),
            after: (span.0, EvaluationId(Uuid::nil())),
            shapes: Arc::default(),
            page: i64::try_from((JUDGED / rules.max(1)).clamp(SMALLEST, PAGE)).unwrap_or(i64::MAX),
            over: false,
        })
    }

    /// The next page; `None` at the end.
    pub(super) async fn next(&mut self, ctx: &Ctx) -> Result<Option<Page>> {
        if self.over {
            return Ok(None);
        }
        let db = ctx.db.read();
        let (at, id) = self.after;
        let values = vec![at.into(), id.0.into(), self.span.1.into(), self.page.into()];
        let query = statement(db.get_database_backend(), ROWS, values);
        let rows = Row::find_by_statement(query).all(db).await?;
        self.over = i64::try_from(rows.len()).unwrap_or(0) < self.page;
        let Some(last) = rows.last() else {
            return Ok(None);
        };
        self.after = (last.occurred_at, EvaluationId(last.id));
        let shapes = Arc::make_mut(&mut self.shapes);
        shapes
            .learn(db, rows.iter().map(|row| row.shape_id))
            .await?;
        Ok(Some(Page {
            rows,
            shapes: Arc::clone(&self.shapes),
        }))
    }
}

/// What stood in the way of recorded decisions, by cause: limits depend on what was sent, which a replay does not do again.
pub(super) async fn count_blocked(
    ctx: &Ctx,
    span: (DateTime<Utc>, DateTime<Utc>),
    out: &mut BacktestOut,
) -> Result<()> {
    let rows: Vec<(Option<String>, i64)> = decision::Entity::find()
        .select_only()
        .column(decision::Column::BlockedBy)
        .column_as(decision::Column::Id.count(), "many")
        .filter(decision::Column::CreatedAt.gte(span.0))
        .filter(decision::Column::CreatedAt.lt(span.1))
        .filter(decision::Column::BlockedBy.is_not_null())
        .group_by(decision::Column::BlockedBy)
        .into_tuple()
        .all(ctx.db.read())
        .await?;
    for (cause, many) in rows {
        let many = u64::try_from(many).unwrap_or(0);
        if let Some("cap" | "fatigue") = cause.as_deref() {
            out.blocked_by_caps = out.blocked_by_caps.saturating_add(many);
        }
        out.blocked.extend(cause.map(|cause| (cause, many)));
    }
    Ok(())
}
