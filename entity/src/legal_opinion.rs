//! The officer's recorded legal opinion that lets a lint of one policy version ask for approval instead of blocking (ADR 0019).

use crate::ids::{AccountId, LegalOpinionId};
use sea_orm::entity::prelude::*;

/// A recorded legal opinion about one lint of one policy version.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "legal_opinion")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LegalOpinionId,
    /// Which lint, e.g. `REF-L04`.
    pub lint_id: String,
    /// Of which edition of the policy pack; another edition asks anew.
    pub policy_version: String,
    /// What counsel says.
    #[sea_orm(column_type = "Text")]
    pub opinion: String,
    /// Where the signed document is kept.
    pub document_ref: String,
    /// The personal-information officer who recorded it.
    pub officer_id: AccountId,
    /// When.
    pub decided_at: DateTimeUtc,
    /// Until when it holds.
    pub valid_until: DateTimeUtc,
    /// When it was taken back.
    pub revoked_at: Option<DateTimeUtc>,
    /// By whom.
    pub revoked_by: Option<AccountId>,
}

impl ActiveModelBehavior for ActiveModel {}
