//! One text or picture on its way through WeChat's content check (WX-12, WX-13), and what staff said where it could not.

use crate::ids::{AccountId, ContentCheckId};
use crate::values::{ContentCause, ContentKind, ContentRuling, ContentState, ContentSuggest};
use sea_orm::entity::prelude::*;

/// One text or picture on its way through WeChat's content check; one row per subject.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "content_check")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ContentCheckId,
    /// What kind of thing.
    #[sea_orm(unique_key = "subject")]
    pub kind: ContentKind,
    /// The rating or the photo.
    #[sea_orm(unique_key = "subject")]
    pub subject_id: Uuid,
    /// Where it stands.
    pub state: ContentState,
    /// How often WeChat was asked.
    pub attempt: i32,
    /// WeChat's number of the last asking; its push names it.
    #[sea_orm(unique)]
    pub trace_id: Option<String>,
    /// WeChat's number of the asking before: its answer may still come.
    #[sea_orm(unique)]
    pub earlier_trace_id: Option<String>,
    /// When WeChat was asked last.
    pub asked_at: Option<DateTimeUtc>,
    /// When the picture was first fetched through its signed link.
    pub fetched_at: Option<DateTimeUtc>,
    /// What WeChat suggested.
    pub verdict: Option<ContentSuggest>,
    /// WeChat's label; recorded, never decided on.
    pub label: Option<i32>,
    /// Why a person has to look, or why nobody needs to any more.
    pub cause: Option<ContentCause>,
    /// What staff said.
    pub ruling: Option<ContentRuling>,
    /// Who of the staff.
    pub ruled_by: Option<AccountId>,
    /// When.
    pub ruled_at: Option<DateTimeUtc>,
    /// His reason.
    #[sea_orm(column_type = "Text")]
    pub reason: Option<String>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
