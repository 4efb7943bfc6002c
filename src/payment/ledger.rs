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
use sea_orm::{ActiveValue::Set, ConnectionTrait, DatabaseTransaction, EntityTrait, QuerySelect};
use std::collections::BTreeMap;

/// What we hold at WeChat Pay.
pub(super) const WECHAT_PAY: &str = "wechat_pay";
/// What visits have earned.
pub(super) const REVENUE: &str = "revenue";
/// Money of nobody's booking until it goes back.
pub(super) const SUSPENSE: &str = "suspense";

/// What a customer has prepaid for a booking: ours to keep only once it is completed.
pub(super) fn prepayment(booking: BookingId) -> String {
    format!("prepayment:{booking}")
}

/// One movement: so much out of one account into another.
#[derive(Clone, Debug)]
pub(super) struct Posting {
    /// `payment:<id>`; a cause posts once per account.
    pub(super) cause: String,
    pub(super) booking: Option<BookingId>,
    pub(super) debit: String,
    pub(super) credit: String,
    pub(super) amount: Fen,
}

impl Posting {
    /// The two entries: debit positive, credit negative.
    fn entries(&self) -> [(String, Fen); 2] {
        [
            (self.debit.clone(), self.amount),
            (self.credit.clone(), Fen::ZERO.minus(self.amount)),
        ]
    }
}

/// Writes a posting.
///
/// # Errors
/// `conflict` when the cause was posted before; a database fault.
pub(super) async fn post(ctx: &Ctx, tx: &DatabaseTransaction, posting: &Posting) -> Result<()> {
    if posting.amount <= Fen::ZERO || posting.debit == posting.credit {
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
                    Posting { cause: String::new(), booking: None, debit, credit, amount: Fen(fen) }.entries()
                })
                .collect();
            let (_, total) = sum(entries.iter().map(|(account, amount)| (account.as_str(), *amount)));
            prop_assert_eq!(total, 0);
        }
    }
}
