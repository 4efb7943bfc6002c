//! A second person's yes to one document and to the findings it had then.

use crate::ids::{AccountId, RulesetApprovalId, RulesetId};
use sea_orm::entity::prelude::*;

/// A second person's yes to one document and to the findings it had then; written once.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ruleset_approval")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RulesetApprovalId,
    /// Which set.
    pub ruleset_id: RulesetId,
    /// Who said yes.
    pub approver_id: AccountId,
    /// Why; always there when a finding needed it.
    #[sea_orm(column_type = "Text")]
    pub reason: Option<String>,
    /// SHA-256 of the document he saw, hex.
    pub document_sha256: String,
    /// The findings he accepted: lint and place.
    #[sea_orm(column_type = "JsonBinary")]
    pub findings: Json,
    /// The edition of the policy pack they came from.
    pub policy_version: String,
    /// When.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
