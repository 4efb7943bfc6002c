//! A versioned rule set; drafts have no version in force.

use crate::ids::{AccountId, RulesetId};
use crate::values::RulesetStatus;
use sea_orm::entity::prelude::*;

/// A versioned rule set; drafts have no version in force.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ruleset")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RulesetId,
    /// Counts up from 1.
    #[sea_orm(unique)]
    pub version: i32,
    /// Name.
    pub name: String,
    /// Document.
    #[sea_orm(column_type = "JsonBinary")]
    pub document: Json,
    /// Status.
    pub status: RulesetStatus,
    /// Created by.
    pub created_by: Option<AccountId>,
    /// Who wrote the document last; neither he nor the author approves it.
    pub updated_by: Option<AccountId>,
    /// Which set it replaced when it was published: where a rollback goes.
    pub previous_id: Option<RulesetId>,
    /// The second person, where findings need one.
    pub approved_by: Option<AccountId>,
    /// When it shall become live, while it waits for that.
    pub publish_at: Option<DateTimeUtc>,
    /// Who said when.
    pub scheduled_by: Option<AccountId>,
    /// Since when it was live last.
    pub published_at: Option<DateTimeUtc>,
    /// When it ceased to be live last.
    pub retired_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
