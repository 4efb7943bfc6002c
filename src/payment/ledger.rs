//! The double-entry ledger: append-only postings whose entries sum to zero (REF-35).

use crate::{
    kernel::{AppError, Result},
    platform::Ctx,
};
use entity::{
    ids::{BookingId, LedgerEntryId},
    ledger_entry,
    values::Fen,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QuerySelect,
};
use std::collections::BTreeMap;

/// What we hold at WeChat Pay.
pub(super) const WECHAT_PAY: &str = "wechat_pay";
/// What visits have earned.
pub(super) const REVENUE: &str = "revenue";
/// What was paid to customers to make good a visit.
pub(super) const COMPENSATION: &str = "compensation";
/// Money of nobody's booking until it goes back.
pub(super) const SUSPENSE: &str = "suspense";

/// What a customer has prepaid for a booking: ours to keep only once it is completed.
pub(super) fn prepayment(booking: BookingId) -> String {
    format!("prepayment:{booking}")
}

/// One movement: so much out of one account (or two) into another.
#[derive(Clone, Debug)]
pub(super) struct Posting {
    /// `payment:<id>`; a cause posts once per account.
    pub(super) cause: String,
    pub(super) booking: Option<BookingId>,
    pub(super) debits: Vec<(String, Fen)>,
    pub(super) credit: String,
}

impl Posting {
    /// The usual movement with two ends.
    pub(super) fn simple(
        cause: String,
        booking: BookingId,
        debit: impl Into<String>,
        credit: impl Into<String>,
        amount: Fen,
    ) -> Self {
        Self {
            cause,
            booking: Some(booking),
            debits: vec![(debit.into(), amount)],
            credit: credit.into(),
        }
    }

    /// The entries: debits positive, their sum as credit negative.
    fn entries(&self) -> Vec<(String, Fen)> {
        let sum = self
            .debits
            .iter()
            .fold(Fen::ZERO, |sum, (_, amount)| sum.plus(*amount));
        let mut entries = self.debits.clone();
        entries.push((self.credit.clone(), Fen::ZERO.minus(sum)));
        entries
    }

    fn moves(&self) -> bool {
        !self.debits.is_empty()
            && self
                .debits
                .iter()
                .all(|(account, amount)| *amount > Fen::ZERO && *account != self.credit)
    }
}

/// Writes a posting.
///
/// # Errors
/// `conflict` when the cause was posted before; a database fault.
pub(super) async fn post(ctx: &Ctx, tx: &DatabaseTransaction, posting: &Posting) -> Result<()> {
    if !posting.moves() {
        return Err(AppError::internal(
            "a posting moves something from one account to another",
        ));
    }
    let group: uuid::Uuid = ctx.env.id();
    let rows = posting
        .entries()
        .into_iter()
        .map(|(account, amount)| ledger_entry::ActiveModel {
            id: Set(ctx.env.id::<LedgerEntryId>()),
            posting_id: Set(group),
            account: Set(account),
            amount_fen: Set(amount),
            cause: Set(posting.cause.clone()),
            booking_id: Set(posting.booking),
            created_at: Set(ctx.env.now()),
        });
    ledger_entry::Entity::insert_many(rows)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// What an account holds: its credits minus its debits. Take the booking's lock before deciding by it.
pub(super) async fn held(db: &impl ConnectionTrait, account: &str) -> Result<Fen> {
    let rows: Vec<Fen> = ledger_entry::Entity::find()
        .select_only()
        .column(ledger_entry::Column::AmountFen)
        .filter(ledger_entry::Column::Account.eq(account))
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().fold(Fen::ZERO, Fen::minus))
}

/// Moves what a booking's prepayment account holds, except `owed`, to revenue: the visit has earned it.
///
/// # Errors
/// `conflict` when the cause was posted before; a database fault.
pub(super) async fn earn(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    booking: BookingId,
    cause: &str,
    owed: Fen,
) -> Result<()> {
    let account = prepayment(booking);
    let earned = held(tx, &account).await?.minus(owed);
    if earned <= Fen::ZERO {
        return Ok(());
    }
    let cause = format!("{cause}:{booking}");
    post(
        ctx,
        tx,
        &Posting::simple(cause, booking, account, REVENUE, earned),
    )
    .await
}

/// The balance of every kind of account (what stands before the colon), and of all together, which must be zero.
pub(super) async fn balances(db: &impl ConnectionTrait) -> Result<(BTreeMap<String, i64>, i64)> {
    let rows: Vec<(String, Fen)> = ledger_entry::Entity::find()
        .select_only()
        .column(ledger_entry::Column::Account)
        .column(ledger_entry::Column::AmountFen)
        .into_tuple()
        .all(db)
        .await?;
    Ok(sum(rows
        .iter()
        .map(|(account, amount)| (account.as_str(), *amount))))
}

fn sum<'a>(entries: impl Iterator<Item = (&'a str, Fen)>) -> (BTreeMap<String, i64>, i64) {
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    let mut total = 0_i64;
    for (account, amount) in entries {
        let kind = account.split(':').next().unwrap_or(account);
        let slot = sums.entry(kind.to_owned()).or_default();
        *slot = slot.saturating_add(amount.0);
        total = total.saturating_add(amount.0);
    }
    (sums, total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Strategy, prop_assert_eq, prop_oneof, proptest};

    fn account() -> impl Strategy<Value = String> {
        prop_oneof!["wechat_pay", "revenue", "suspense", "prepayment:[a-c]"]
    }

    proptest! {
        #[test]
        fn any_sequence_of_postings_sums_to_zero(moves in proptest::collection::vec((account(), account(), 1_i64..1_000_000), 0..40)) {
            let entries: Vec<(String, Fen)> = moves
                .into_iter()
                .flat_map(|(debit, credit, fen)| {
                    let debits = vec![(debit, Fen(fen)), (REVENUE.into(), Fen(fen / 2))];
                    Posting { cause: String::new(), booking: None, debits, credit }.entries()
                })
                .collect();
            let (_, total) = sum(entries.iter().map(|(account, amount)| (account.as_str(), *amount)));
            prop_assert_eq!(total, 0);
        }
    }
}
