//! What was read of a person goes when his consent does, wherever it is kept (CR-33). The decisions and their reasons stay as
//! proof (PIPL-39).

use crate::{
    consent::{ConsentWithdrawn, PartnerEvents, Purpose, ReferralLink, ReferralProfiling},
    kernel::Result,
    outbox::{Consumer, Delivered, Event as _},
    platform::Ctx,
};
use chrono::{DateTime, Utc};
use entity::{backtest, evaluation, ids::EventId};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, IntoCondition},
};
use serde_json::Value;
use std::collections::HashSet;

/// Empties the facts that rest on a withdrawn consent.
pub(super) struct Forgetting;

#[async_trait::async_trait]
impl Consumer for Forgetting {
    fn name(&self) -> &'static str {
        "referral.forgetting"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[ConsentWithdrawn::KIND]
    }

    async fn handle(
        &self,
        _: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        _: Value,
    ) -> Result<()> {
        let withdrawn: ConsentWithdrawn = event.read()?;
        let person = withdrawn.account_id;
        let rests = match withdrawn.purpose.as_str() {
            ReferralProfiling::KEY | PartnerEvents::KEY => {
                evaluation::Column::CustomerId.eq(person)
            }
            ReferralLink::KEY => evaluation::Column::FriendId.eq(person),
            _ => return Ok(()),
        };
        forget(tx, rests).await
    }
}

/// Facts of evaluations, and the cases of back-tests that quote them.
async fn forget(tx: &DatabaseTransaction, which: impl IntoCondition + Clone) -> Result<()> {
    let known: Vec<EventId> = evaluation::Entity::find()
        .select_only()
        .column(evaluation::Column::EventId)
        .filter(which.clone())
        .filter(evaluation::Column::Facts.is_not_null())
        .into_tuple()
        .all(tx)
        .await?;
    if known.is_empty() {
        return Ok(());
    }
    evaluation::Entity::update_many()
        .col_expr(
            evaluation::Column::Facts,
            Expr::value(Option::<String>::None),
        )
        .filter(which)
        .exec(tx)
        .await?;
    let known: HashSet<String> = known.iter().map(EventId::to_string).collect();
    drop_cases(tx, &|case| {
        text(case, "event_id").is_some_and(|id| known.contains(id))
    })
    .await
}

fn text<'a>(case: &'a Value, key: &str) -> Option<&'a str> {
    case.get(key).and_then(Value::as_str)
}

/// Takes the cases of events before a moment out of the back-tests: the facts they quote are forgotten by then.
pub(super) async fn drop_old_cases(tx: &DatabaseTransaction, before: DateTime<Utc>) -> Result<()> {
    let old = |case: &Value| {
        let at = text(case, "at").and_then(|at| at.parse::<DateTime<Utc>>().ok());
        at.is_none_or(|at| at < before)
    };
    drop_cases(tx, &old).await
}

/// Back-tests are few and each shows twenty cases at most, so they are gone through.
async fn drop_cases(
    tx: &DatabaseTransaction,
    goes: &(dyn Fn(&Value) -> bool + Sync),
) -> Result<()> {
    let rows = backtest::Entity::find()
        .filter(backtest::Column::Result.is_not_null())
        .all(tx)
        .await?;
    for row in rows {
        let Some(mut result) = row.result else {
            continue;
        };
        let Some(cases) = result.get_mut("sample").and_then(Value::as_array_mut) else {
            continue;
        };
        let before = cases.len();
        cases.retain(|case| !goes(case));
        if cases.len() < before {
            let change = backtest::ActiveModel {
                id: Set(row.id),
                result: Set(Some(result)),
                ..Default::default()
            };
            change.update(tx).await?;
        }
    }
    Ok(())
}
